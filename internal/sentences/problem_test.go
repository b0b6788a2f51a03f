package sentences_test

import (
	"regexp"
	"testing"

	"github.com/slowburn-sre/slowburn/internal/counting"
	"github.com/slowburn-sre/slowburn/internal/sentences"
)

// TestFaultsAgreeWithTheirNumber: what is wrong once is told as one, and large numbers are written
// as everywhere.
func TestFaultsAgreeWithTheirNumber(t *testing.T) {
	many := regexp.MustCompile(`^1 (minutes|times|samples)|^1 \w+ were|\b(their|those)\b|they (count as|were added)`)
	var once, often counting.Trouble
	for f := range once.N {
		once.N[f], often.N[f] = 1, 5730
	}
	ones, all := sentences.Faults(&once), sentences.Faults(&often)
	if len(ones) != len(once.N) || len(all) != len(once.N) {
		t.Fatalf("%d and %d of %d faults have words", len(ones), len(all), len(once.N))
	}
	for f := range ones {
		if wrong := many.FindString(ones[f]); wrong != "" {
			t.Errorf("of one it says %q: %s", wrong, ones[f])
		}
		if all[f][:6] != "5,730 " {
			t.Errorf("of many it says %s", all[f])
		}
	}
	some := counting.Trouble{}
	some.N[counting.Behind], some.Names[counting.Behind] = 2, []string{"c{}"}
	if got, want := sentences.Faults(&some)[0], "2 samples came after their minutes were decided; they were added to them: c{} and others"; got != want {
		t.Errorf("says %q\n   want %q", got, want)
	}
}

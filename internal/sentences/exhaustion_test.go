package sentences_test

import (
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
)

// TestExhaustion: what lists, pages, reports and the terminal say of when a budget will be gone.
func TestExhaustion(t *testing.T) {
	for name, c := range map[string]struct {
		of                budget.Outlook
		time, words, note string
	}{
		"nobody knows":                   {budget.Outlook{}, "—", "—", ""},
		"it is spent":                    {budget.Outlook{Known: true, Gone: true}, "spent", "spent", ""},
		"it lasts":                       {budget.Outlook{Known: true, Lasts: true}, "not exhausted", "not exhausted", "at the present burn rate"},
		"it lasts, from too few events":  {budget.Outlook{Lasts: true}, "not exhausted", "not exhausted", "at the present burn rate"},
		"a time and its band":            {budget.Outlook{Known: true, In: 9 * slo.Day, Early: 6 * slo.Day, Late: 15 * slo.Day}, "9 d", "gone in 9 d", "6 d to 15 d"},
		"a time, and perhaps never":      {budget.Outlook{Known: true, In: 9 * slo.Day, Early: 6 * slo.Day}, "9 d", "gone in 9 d", "6 d or later"},
		"only the band":                  {budget.Outlook{Known: true, Early: 40 * time.Minute, Late: 3 * time.Hour}, "40 min to 3 h", "gone in 40 min to 3 h", "four times of five"},
		"only the band, which is narrow": {budget.Outlook{Known: true, Early: time.Hour, Late: time.Hour}, "1 h", "gone in 1 h", "four times of five"},
	} {
		words, note := sentences.Exhaustion(c.of)
		if got := sentences.TimeToExhaustion(c.of); got != c.time || words != c.words || note != c.note {
			t.Errorf("%s: %q, %q, %q", name, got, words, note)
		}
	}
}

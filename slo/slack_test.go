package slo

import (
	"regexp"
	"strings"
	"testing"
)

// The check accepts what the form says, which is the one that editors have from the schema.
func TestAChannelIsWhatItsFormSays(t *testing.T) {
	form := regexp.MustCompile(ChannelForm)
	for _, name := range []string{
		"#ops", "#" + strings.Repeat("a", 80), "#" + strings.Repeat("a", 81), "#" + strings.Repeat("ü", 80), "#" + strings.Repeat("ü", 81),
		"#", "ops", "#-a", "#a b", "#a.b", "C0123456", "C" + strings.Repeat("A", 30), "C" + strings.Repeat("A", 31), "C012", "#日本", "",
	} {
		if got, want := CheckChannel(name) == nil, form.MatchString(name); got != want {
			t.Errorf("%q is a channel: %v, and by its form %v", name, got, want)
		}
	}
}

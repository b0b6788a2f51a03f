package receivers_test

import (
	"testing"

	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/notify/receivers"
)

// TestEveryKindIsWhole: what is told of a kind elsewhere depends on these.
func TestEveryKindIsWhole(t *testing.T) {
	seen := map[string]bool{"slack": true}
	for _, kind := range receivers.Kinds() {
		if seen[kind.Name] || kind.Name == "" || kind.Key == "" || kind.Title == "" || kind.Doc == "" || kind.One == "" || kind.New == nil || notify.KindOf(kind.Name) != kind.Name {
			t.Errorf("kind %q is not whole, or not alone", kind.Name)
		}
		seen[kind.Name] = true
		for _, k := range kind.Keys {
			if k.Name == "" || k.Name == "name" || k.Doc == "" || k.Example == "" {
				t.Errorf("the key %q of kind %q says too little", k.Name, kind.Name)
			}
		}
	}
}

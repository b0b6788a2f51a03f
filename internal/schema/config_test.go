package schema_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/schematest"
)

// configBeyond is what the schema of the configuration cannot say.
var configBeyond = regexp.MustCompile(`two reports named|must be a whole number [^"]*"\d+(\.0+|e\d+)"|there would be no caution|schedule|time zone|timezone|period|is not a web address|cron|not one matcher|PromQL|names no metric|written twice|limit must be a number|no receiver called|two receivers called`)

// configLax is what the library that reads the settings of the HTTP client lets pass: nothing, a
// number or a truth value in the place of a text, and "on" for true. The schema is stricter there.
var configLax = regexp.MustCompile(`^ *- at '/(prometheus|alertmanagers/\d+|webhooks/\d+)/(basic_auth|http_headers|tls_config|follow_redirects)\b.*(got \w+, want|must be one of)`)

// The schema accepts a configuration exactly if the parser does, for everything that a schema can
// say.
func TestConfigSchemaAndParserAgree(t *testing.T) {
	v := schematest.Compile(t, config.Schema().JSON())
	r := schematest.New(7)
	accepted, refused := 0, 0
	for i := range *lives {
		tree := r.Config()
		for range i % 3 {
			tree = tree.Clone()
			r.Mutate(tree)
		}
		text := tree.Text()
		if text == "{}" {
			continue
		}
		complaint := v.Check(text)
		_, err := config.Parse("f.yaml", []byte(text))
		switch {
		case complaint == nil && err == nil:
			accepted++
		case complaint != nil && err != nil:
			refused++
		case complaint == nil && configBeyond.MatchString(err.Error()):
		case err == nil && lax(complaint):
		default:
			t.Fatalf("file %d:\n%s\nthe schema says: %v\nthe parser says: %v", i, text, complaint, err)
		}
	}
	t.Log(accepted, refused)
	if accepted < *lives/3 || refused < *lives/4 {
		t.Errorf("%d accepted and %d refused: too one-sided", accepted, refused)
	}
}

// lax reports whether the library lets everything pass that the schema complains about.
func lax(complaint error) bool {
	for _, line := range strings.Split(complaint.Error(), "\n")[1:] {
		if !configLax.MatchString(line) {
			return false
		}
	}
	return true
}

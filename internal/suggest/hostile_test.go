package suggest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/internal/signals"
	"github.com/slowburn-sre/slowburn/internal/suggest"
	"github.com/slowburn-sre/slowburn/slo/file"
)

// hostile are label values that must stay values.
var hostile = []string{
	`a"} or vector(1) #`, "a\nservice: evil", `a'b`, `\`, "a: &x [*x]", "{{.window}}", "$window", "[7m]", "\u2028", "日本", "\x00", `job="b"`, "# comment",
}

func TestLabelValuesStayValues(t *testing.T) {
	db := newDB()
	const days = 8
	for i, v := range hostile {
		for _, code := range []string{"200", "500"} {
			s := db.Series(labels.FromStrings("__name__", "http_requests_total", "job", v, "code", code))
			for h := range days * 24 * 4 {
				at := live.Add(-days*24*time.Hour + time.Duration(h+1)*15*time.Minute)
				if err := s.Append(at.UnixMilli(), float64(h*900*(i+1))); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	list := propose(t, db, suggest.Options{})
	for _, p := range list {
		if _, err := file.Load([]file.File{{Name: "x.yaml", Data: p.YAML()}}); err != nil && !p.Empty() {
			t.Errorf("%s: %v\n%s", p.Service.Name, err, p.YAML())
		}
		if strings.Contains(string(p.YAML()), "\nservice: evil") {
			t.Errorf("a label value wrote a line of its own:\n%s", p.YAML())
		}
	}
}

func TestAHouseAddsItsOwn(t *testing.T) {
	house, err := signals.Parse("house.yaml", []byte(`
- name: house
  title: our own framework
  group: [job]
  traffic: [acme_calls_total]
  errors: [['ok="false"']]
- name: redis
  title: our redis
  role: exporter
  group: [job]
`))
	if err != nil {
		t.Fatal(err)
	}
	all := signals.Default().With(house)
	if e := all.Lookup("redis"); e.Title != "our redis" || len(all) != len(signals.Default())+1 {
		t.Errorf("%d entries, redis is %q", len(all), e.Title)
	}
	db := newDB()
	plant(t, db, 5*time.Minute, 29*24*time.Hour, map[string]float64{`acme_calls_total{job="a",ok="true"}`: 10, `acme_calls_total{job="a",ok="false"}`: 0.001})
	list := propose(t, db, suggest.Options{Catalogue: all})
	if got := text(list); !strings.Contains(got, `bad: 'acme_calls_total{job="a",ok="false"}'`) || !strings.Contains(got, "from: house") {
		t.Errorf("\n%s", got)
	}
}

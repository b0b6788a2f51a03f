package api

import (
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/register"
)

// noon is the onset of the incident in these tests.
var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

// outage is an incident of three hours with 12,000 failed events of 30,000.
func outage() alerting.Incident {
	return alerting.Incident{
		ID: "pay/transfers/page/1", SLO: "pay/transfers", Rule: alerting.RulePage, Severity: alerting.Page,
		Onset: noon, Detected: noon.Add(4 * time.Minute), Ended: noon.Add(150 * time.Minute), Resolved: noon.Add(3 * time.Hour),
		Last: alerting.Event{Burn: &alerting.Burning{
			Onset: budget.MinuteOf(noon), Last: budget.MinuteOf(noon) + 149, Bad: 12_000_000, Total: 30_000_000, Minute: 150,
		}},
	}
}

func marshalled(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestWhatIsNotKnownIsNullAndAnEmptyCell(t *testing.T) {
	i := outage()
	i.Open, i.Resolved = true, time.Time{}
	entries := register.New([]register.Subject{{Incident: i}})
	var doc struct{ Entries []map[string]any }
	if err := json.Unmarshal(marshalled(t, RegisterOf(entries)), &doc); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"acknowledged", "mitigated", "resolved", "durationSeconds", "transactionsOnAnAverageDay", "classification"} {
		if v, there := doc.Entries[0][name]; !there || v != nil {
			t.Errorf("%s is %v", name, v)
		}
	}
	rows, err := csv.NewReader(strings.NewReader(string(RegisterOf(entries).CSV()))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for n, name := range rows[0] {
		if name == "duration_seconds" && rows[1][n] != "" {
			t.Errorf("%s is %q", name, rows[1][n])
		}
	}
}

func TestNoCellIsAFormula(t *testing.T) {
	a := alerting.Act{Key: "classify", Kind: alerting.Classify, At: noon.Add(time.Hour), Text: "major"}
	a.By = `=HYPERLINK("http://127.0.0.1/","x")`
	out := string(RegisterOf(register.New([]register.Subject{{Incident: outage(), Acts: []alerting.Act{a}}})).CSV())
	if !strings.Contains(out, `"'=HYPERLINK`) {
		t.Errorf("a formula got through:\n%s", out)
	}
}

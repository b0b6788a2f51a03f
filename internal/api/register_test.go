package api

import (
	"encoding/csv"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/register"
	"github.com/slowburn-sre/slowburn/postmortem"
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

// TestTheRegisterIsReadByItsNames: what regulators' forms are filled in from keeps its names.
func TestTheRegisterIsReadByItsNames(t *testing.T) {
	acts := []alerting.Act{{Key: "classify", Kind: alerting.Classify, At: noon.Add(time.Hour), Text: "major", By: "ana"}}
	entry := RegisterOf(register.New([]register.Subject{{Incident: outage(), Acts: acts}})).Entries[0]
	entry.Indications = entry.Indications[:1]
	const want = `{"id":"pay/transfers/page/1","service":"pay","slo":"pay/transfers","rule":"page",` +
		`"onset":"2026-11-02T12:00:00Z","detected":"2026-11-02T12:04:00Z","acknowledged":null,"mitigated":null,"resolved":"2026-11-02T15:00:00Z",` +
		`"timeToResolveSeconds":10800,"downtimeSeconds":9000,"failedTransactions":12000,"transactionsInItsTime":30000,"transactionsOnAnAverageDay":null,` +
		`"earlierIncidentsOfTheSameSLO":[],"classification":"major","classifiedAt":"2026-11-02T13:00:00Z","classifiedBy":"ana",` +
		`"initialNotificationDue":"2026-11-02T17:00:00Z","intermediateReportDue":"2026-11-05T17:00:00Z","finalReportDue":"2026-12-05T17:00:00Z",` +
		`"indications":[{"criterion":"failed transactions of a daily average","value":null,"threshold":"10 %","reached":null}],"durationSeconds":10800}`
	if got := string(marshalled(t, entry)); got != want {
		t.Errorf("reads\n%s\nwant\n%s", got, want)
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

// Excel parts cells by semicolons in half of Europe, and others by tabs and bars.
func TestNoPartOfACellIsAFormula(t *testing.T) {
	for _, by := range []string{
		`x;=HYPERLINK("http://127.0.0.1/","klick")`, "x; =1+1", "x\t@SUM(1)", "x|-1+1", "x\n=1", "x;\"=1+1", "＝1+1", " =1", "x;'+1", `";=1`, "+1;-1;@1",
	} {
		a := alerting.Act{Key: "classify", Kind: alerting.Classify, At: noon.Add(time.Hour), Text: "major", By: by}
		out := string(RegisterOf(register.New([]register.Subject{{Incident: outage(), Acts: []alerting.Act{a}}})).CSV())
		for _, separator := range ",;\t|" {
			r := csv.NewReader(strings.NewReader(out))
			r.Comma, r.FieldsPerRecord, r.LazyQuotes = separator, -1, true
			rows, err := r.ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range slices.Concat(rows...) {
				if c = strings.TrimLeft(c, " \"\t\r\n"); c != "" && strings.ContainsAny(c[:1], "=+-@") || strings.HasPrefix(c, "＝") {
					t.Errorf("%q parted by %q gives the cell %q", by, separator, c)
				}
			}
		}
	}
}

func TestLinksThatAProgramMayOpen(t *testing.T) {
	for link, want := range map[string]bool{
		"https://tracker.example/1": true, "http://a": true, "": false, "javascript:alert(1)": false, " javascript:alert(1)": false, "JavaScript://x/%0aalert(1)": false,
		"data:text/html,x": false, "//evil.example": false, "/local": false, "https://": false, "https://a\u202e.example": false, "https://a\x00": false, "ftp://a": false, "https://slowburn.example.com@evil.example/": false, "https://ada:password@a/": false,
	} {
		if got := WebAddress(link); got != "" != want || want && got != link {
			t.Errorf("%q gives %q", link, got)
		}
	}
	if got := ReviewOf(postmortem.Review{Actions: []postmortem.Action{{What: "x", Link: "javascript:alert(1)"}}}, noon).Actions[0].Link; got != "" {
		t.Errorf("an action item has the link %q", got)
	}
}

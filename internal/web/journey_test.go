package web

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/slowburn-sre/slowburn/internal/api"
)

// orderYAML adds journeys, and a service that depends on another.
var orderYAML = strings.Replace(shopYAML, "service: search\n", "service: search\ndepends_on: [checkout/availability]\n", 1) + `---
version: slowburn/v1
service: order
slos:
  - name: works
    description: Whoever wants to order can.
    objective: 99.9
    sli: {journey: {steps: [checkout/availability, checkout/latency], combine: product}}
  - name: quality
    objective: 99
    sli: {journey: {steps: [{slo: works, weight: 3}, search/freshness], combine: weighted}}
`

func TestJourneysAreShown(t *testing.T) {
	h := newShopOn(t, shopSet(t, orderYAML), lives).handler()
	var answer struct{ Data api.SLO }
	if err := json.Unmarshal(get(h, "/api/v1/slos/order/works").Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	s := answer.Data
	j := s.Journey
	if j == nil || len(j.Steps) != 2 || j.Combine != "product" || j.Bad == nil {
		t.Fatalf("%+v", j)
	}
	if bad := *s.Budget.Bad; j.Bad.Least > bad || bad > j.Bad.Most || j.Bad.Most-j.Bad.Least <= 0 {
		t.Errorf("%v is not between %v", bad, j.Bad)
	}
	if first := j.Steps[0]; first.SLO != "checkout/availability" || !first.Worst || len(first.Open) != 1 || *first.Recent > 96 {
		t.Errorf("%+v", first)
	}
	if len(s.DependsOn) != 2 || s.DependsOn[1] != "checkout/latency" {
		t.Errorf("depends on %v", s.DependsOn)
	}
	for path, words := range map[string][]string{
		"/slo/order/works":   {"as if they failed independently", "The truth lies between", "worst now", ">burning</span>", "asks no queries"},
		"/slo/order/quality": {"their mean by weight", ">Weight</th>", ">3</td>"},
		"/":                  {"<small>journey</small>"},
	} {
		body := get(h, path).Body.String()
		for _, w := range words {
			if !strings.Contains(body, w) {
				t.Errorf("%s does not say %q", path, w)
			}
		}
	}
	if body := get(h, "/slo/order/quality").Body.String(); strings.Contains(body, "The truth lies between") {
		t.Error("a weighted mean has no bounds")
	}
}

// An incident names what burned upstream of it at the same time.
func TestUpstreamIsNamed(t *testing.T) {
	h := newShopOn(t, shopSet(t, orderYAML), lives).handler()
	var list struct{ Data []api.Incident }
	if err := json.Unmarshal(get(h, "/api/v1/incidents?slo=order/works&open=true").Body.Bytes(), &list); err != nil || len(list.Data) == 0 {
		t.Fatal(err, list)
	}
	var one struct{ Data api.IncidentDetail }
	if err := json.Unmarshal(get(h, "/api/v1/incidents/"+list.Data[0].ID).Body.Bytes(), &one); err != nil {
		t.Fatal(err)
	}
	up := one.Data.Upstream
	if len(up) != 3 || up[1].SLO != "checkout/availability" || !up[1].Open || up[1].Ended != nil || up[2].SLO != "checkout/latency" {
		t.Errorf("%+v", up)
	}
	if body := get(h, "/incidents/"+list.Data[0].ID).Body.String(); !strings.Contains(body, "It depends on what burned at the same time") || !strings.Contains(body, `data-name="To">burning<`) {
		t.Errorf("the page does not name it:\n%s", body)
	}
}

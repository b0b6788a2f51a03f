package web

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/slo"
)

// routeGate serves the gate. CI systems differ in what they can do: some read JSON, some only a
// status code, and some can only post. A post asks, too, and changes nothing, so it needs no token.
func (s *jsonAPI) routeGate(mux *http.ServeMux) {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		mux.HandleFunc(method+" /api/v1/gate/{service}/{slo...}", s.serveGate)
		mux.HandleFunc(method+" /api/v1/gate/{service}", s.serveGate)
	}
}

func (s *jsonAPI) serveGate(w http.ResponseWriter, r *http.Request) {
	p := params{q: r.URL.Query()}
	fail, allowed := p.bool("fail") || r.Method == http.MethodPost, p.q.Get("allow")
	if p.err == nil && allowed != "" && allowed != string(alerting.GateCaution) {
		p.fail("allow", "caution")
	}
	seen := s.Source.Snapshot()
	ask := seen.Verdicts
	if spend := p.q.Get("spend"); spend != "" {
		share, err := slo.ParsePercent(spend)
		if err != nil || share == 0 || share > 10000 {
			p.fail("spend", "a share of the budget such as 5%")
		}
		ask = func(service, name string, now time.Time) []alerting.Verdict {
			return seen.MayRun(service, name, share, now)
		}
	}
	g, err := s.gateOf(ask, r.PathValue("service"), r.PathValue("slo"))
	if p.err != nil || err != nil {
		s.answer(w, nil, cmp.Or(p.err, err))
		return
	}
	if fail && !g.Go && g.State != allowed {
		code := http.StatusConflict
		if g.State == string(alerting.GateUnknown) {
			code = http.StatusServiceUnavailable // nobody knows yet: whoever may ask again does
		}
		s.write(w, code, api.Answer{Status: "success", Data: g})
		return
	}
	s.answer(w, g, nil)
}

func (s *jsonAPI) gateOf(ask func(service, name string, now time.Time) []alerting.Verdict, service, name string) (api.Gate, error) {
	base, _, grouped := strings.Cut(name, "{")
	all := ask(service, base, s.Now())
	if grouped {
		all = slices.DeleteFunc(all, func(v alerting.Verdict) bool { return string(v.SLO) != service+"/"+name })
	}
	if len(all) == 0 {
		return api.Gate{}, notFound("There is no service or SLO %q.", strings.TrimSuffix(service+"/"+name, "/"))
	}
	g := api.GateOf(alerting.Worst(all))
	if len(all) > 1 {
		for _, v := range all {
			g.Budgets = append(g.Budgets, api.GateOf(v))
		}
	}
	return g, nil
}

// gates returns the state of every gate by its budget's ID; without a policy there is none.
func (s *jsonAPI) gates(service, name string) map[slo.ID]string {
	m := map[slo.ID]string{}
	for _, v := range s.Source.Snapshot().Verdicts(service, name, s.Now()) {
		if !v.NoPolicy() {
			m[v.SLO] = string(v.Gate)
		}
	}
	return m
}

// withGate adds what the policy says.
func withGate(o api.SLO, gates map[slo.ID]string) api.SLO {
	if g, ok := gates[slo.ID(o.ID)]; ok {
		o.Gate = &g
	}
	return o
}

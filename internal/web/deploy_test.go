package web

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v4"

	"github.com/slowburn-sre/slowburn/internal/api"
)

// What ships beside the program asks for metrics by name and label. Here every question is held
// against what is exported.
func TestDashboardsAndAlertsAskForWhatIsExported(t *testing.T) {
	s := newShop(t)
	s.options.Paging = func() api.Paging {
		return api.Paging{OK: true, Destinations: []api.Destination{{Receiver: "slack", Channel: "#a", State: api.DestinationUp, Since: &now, LastTaken: &now, Drill: &api.Drill{LastProven: &now}}}}
	}
	s.options.Audit = func() *api.Audit { return &api.Audit{Whole: true, Acts: 1, Hash: "9f86d081884c"} }
	EvaluationMetrics(s.options.Registry)(s.source.last)
	exported := map[string][]string{} // sample → the names of its labels
	for _, line := range strings.Split(get(s.handler(), "/metrics").Body.String(), "\n") {
		if name := sampleName.FindString(line); name != "" {
			exported[name] = append(exported[name], "")
			for _, label := range labelName.FindAllStringSubmatch(line, -1) {
				exported[name] = append(exported[name], label[1])
			}
		}
	}
	for _, file := range deployed(t) {
		for _, expr := range file.exprs {
			for _, problem := range unanswered(expr, exported) {
				t.Errorf("%s: %s\n\t%s", file.name, problem, expr)
			}
		}
		if len(file.exprs) < 5 {
			t.Errorf("%s asks only %d questions; is it read rightly?", file.name, len(file.exprs))
		}
	}
	for _, broken := range []string{"slowburn_no_such_metric", `slowburn_slo_burn_rate{windows="1h"}`, "sum by (team) (slowburn_slo_alert_firing)", "rate("} {
		if len(unanswered(broken, exported)) == 0 {
			t.Errorf("%s is let through", broken)
		}
	}
}

type asking struct {
	name  string
	exprs []string
}

// deployed reads the expressions of the dashboards and of the rules.
func deployed(t *testing.T) []asking {
	t.Helper()
	var all []asking
	boards, err := filepath.Glob("../../deploy/grafana/*.json")
	must(t, err)
	for _, path := range boards {
		data, err := os.ReadFile(path)
		must(t, err)
		var board struct {
			Panels []struct {
				Targets []struct{ Expr string }
			}
		}
		must(t, json.Unmarshal(data, &board))
		a := asking{name: path}
		for _, p := range board.Panels {
			for _, target := range p.Targets {
				a.exprs = append(a.exprs, withoutVariables.Replace(target.Expr))
			}
		}
		all = append(all, a)
	}
	const rules = "../../deploy/prometheus/slowburn.rules.yaml"
	data, err := os.ReadFile(rules)
	must(t, err)
	var file struct {
		Groups []struct{ Rules []struct{ Expr string } }
	}
	must(t, yaml.Unmarshal(data, &file))
	a := asking{name: rules}
	for _, r := range file.Groups[0].Rules {
		a.exprs = append(a.exprs, r.Expr)
	}
	return append(all, a)
}

// withoutVariables puts something in the place of Grafana's variables, so that PromQL is left.
var withoutVariables = strings.NewReplacer("$service", "a", "$slo", "b", "$group", ".*", "$__rate_interval", "5m")

// unanswered says what an expression asks for that nobody exports.
func unanswered(expr string, exported map[string][]string) []string {
	node, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		return []string{err.Error()}
	}
	var problems []string
	known := []string{"instance", "job"}
	parser.Inspect(node, func(n parser.Node, _ []parser.Node) error {
		v, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		names, found := exported[v.Name]
		if !found {
			problems = append(problems, v.Name+" is not exported")
			return nil
		}
		known = append(known, names...)
		for _, m := range v.LabelMatchers {
			if m.Name != model.MetricNameLabel && !slices.Contains(names, m.Name) {
				problems = append(problems, v.Name+" has no label "+m.Name)
			}
		}
		return nil
	})
	for _, group := range grouping.FindAllStringSubmatch(expr, -1) {
		for name := range strings.SplitSeq(group[1], ",") {
			if !slices.Contains(known, strings.TrimSpace(name)) {
				problems = append(problems, "nothing has the label "+name)
			}
		}
	}
	return problems
}

var (
	sampleName = regexp.MustCompile(`^[a-z_]+`)
	labelName  = regexp.MustCompile(`(\w+)="`)
	grouping   = regexp.MustCompile(`by \(([^)]*)\)`)
)

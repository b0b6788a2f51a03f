package web

import (
	"bufio"
	"compress/gzip"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/expfmt"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/slo"
)

// The metrics of SLOs are written as text straight from the snapshot. There are a dozen samples for
// each budget; as values of the client library, which it checks and sorts at every scrape, those of
// ten thousand budgets would take a second and a hundred megabytes.

// mostScrapes is how many scrapes are answered at a time.
const mostScrapes = 4

// metrics returns the handler of /metrics: what is registered, then the metrics of SLOs, in the
// text format of Prometheus.
func (s *server) metrics() http.HandlerFunc {
	scrapes := make(chan struct{}, mostScrapes)
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case scrapes <- struct{}{}:
			defer func() { <-scrapes }()
		default:
			http.Error(w, "Too many scrapes at a time.", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", string(expfmt.NewFormat(expfmt.TypeTextPlain)))
		w.Header().Set("Vary", "Accept-Encoding")
		var to io.Writer = w
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			w.Header().Set("Content-Encoding", "gzip")
			z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
			defer z.Close()
			to = z
		}
		s.writeMetrics(to)
	}
}

// writeMetrics writes everything that is measured. What cannot be gathered is left out, and logged.
func (s *server) writeMetrics(to io.Writer) {
	families, err := s.Registry.Gather()
	if err != nil {
		s.Log.Error("metrics", "err", err)
	}
	out := bufio.NewWriterSize(to, 64<<10)
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(out, family); err != nil {
			s.Log.Error("metrics", "err", err)
		}
	}
	writeSLOs(out, s.Source.Snapshot().Budgets)
	_ = out.Flush() // whoever asks has gone away
}

// family is a metric of which every budget has samples.
type family struct {
	name, kind, help string
	samples          func(*lines, *engine.Budget)
}

// families are the metrics of an SLO. The label `group` is the label values of one budget of an SLO
// with `by:`, in braces.
var families = []family{
	{"slowburn_slo_objective_ratio", "gauge", "The promised share of good events.", func(l *lines, b *engine.Budget) {
		l.add(b.Spec.Objective.Ratio())
	}},
	{"slowburn_slo_events_total", "counter", "Events, from the beginning of the ledger at the start of this process. Minutes that become known late are not added.", func(l *lines, b *engine.Budget) {
		l.add(api.Events(b.Counted.Total))
	}},
	{"slowburn_slo_bad_events_total", "counter", "Bad events, from the beginning of the ledger at the start of this process. Minutes that become known late are not added.", func(l *lines, b *engine.Budget) {
		l.add(api.Events(b.Counted.Bad))
	}},
	{"slowburn_slo_error_budget_remaining_ratio", "gauge", "Share of the error budget of the first window that is left; negative when it is overspent, absent without traffic and while less than a tenth of the window is known.", func(l *lines, b *engine.Budget) {
		if b.Windows[0].Sum.Total > 0 && b.Windows[0].Sized {
			l.add(b.Windows[0].Remaining())
		}
	}},
	{"slowburn_slo_burn_rate", "gauge", "How many times faster than sustainable the budget burned over the window; absent without traffic.", func(l *lines, b *engine.Budget) {
		for _, w := range b.Burns {
			if w.Known {
				l.window = l.short(w.Window)
				l.add(w.Rate)
			}
		}
	}},
	{"slowburn_slo_alert_firing", "gauge", "1 if an incident is open whose loudest severity so far is this one, else 0.", func(l *lines, b *engine.Budget) {
		for _, l.severity = range []string{string(alerting.Page), string(alerting.Ticket)} {
			l.add(truth(isOpen(b, alerting.Severity(l.severity))))
		}
	}},
	{"slowburn_slo_decided_timestamp_seconds", "gauge", "The end of the newest minute that was decided.", func(l *lines, b *engine.Budget) {
		l.add(unix(b.AsOf))
	}},
}

// isOpen reports whether an incident is open that was as loud as this at most so far.
func isOpen(b *engine.Budget, sev alerting.Severity) bool {
	return slices.ContainsFunc(b.Open, func(i alerting.Incident) bool { return i.Severity == sev })
}

// writeSLOs writes the metrics of budgets.
func writeSLOs(out *bufio.Writer, budgets []engine.Budget) {
	for _, f := range families {
		_, _ = out.WriteString("# HELP " + f.name + " " + f.help + "\n# TYPE " + f.name + " " + f.kind + "\n")
		l := lines{out: out, name: f.name, lengths: map[time.Duration]string{}}
		for n := range budgets {
			l.id, l.window, l.severity = budgets[n].ID, "", ""
			f.samples(&l, &budgets[n])
		}
	}
}

// lines writes the samples of one metric. The labels of a sample are those of a budget, and those
// of the further two that are not empty.
type lines struct {
	out              *bufio.Writer
	name             string
	id               slo.ID
	severity, window string
	lengths          map[time.Duration]string // of windows, as written
	line             []byte
}

// short returns the length of a window as it is written. There are few, and many budgets have them.
func (l *lines) short(d time.Duration) string {
	text, known := l.lengths[d]
	if !known {
		text = slo.ShortDuration(d)
		l.lengths[d] = text
	}
	return text
}

// escapes are what the text format asks of label values.
var escapes = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

// add writes one sample.
func (l *lines) add(v float64) {
	l.line = append(append(l.line[:0], l.name...), '{')
	l.label("group", l.id.Group())
	l.label("service", l.id.Service())
	if l.severity != "" {
		l.label("severity", l.severity)
	}
	l.label("slo", l.id.Name())
	if l.window != "" {
		l.label("window", l.window)
	}
	l.line[len(l.line)-1] = '}' // in the place of a comma
	l.line = strconv.AppendFloat(append(l.line, ' '), v, 'g', -1, 64)
	_, _ = l.out.Write(append(l.line, '\n')) // the writer keeps its error
}

func (l *lines) label(name, value string) {
	l.line = append(append(l.line, name...), '=', '"')
	l.line = append(append(l.line, escapes.Replace(value)...), '"', ',')
}

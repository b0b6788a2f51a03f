package sentences

import (
	"strings"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/counting"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/slo"
)

// Problems of the data are shown in lists, so they begin with a small letter and have no full stop.

// faults say what each fault is, so many times.
var faults = map[counting.Fault]func(n int) string{
	counting.Clamped: func(n int) string {
		return figures.Plural(n, "minute") + " had more bad or good events than events at all; they were cut off"
	},
	counting.Beyond: func(n int) string {
		return figures.Plural(n, "time") + " there were more events than a minute can hold, " + figures.Events(budget.MaxCount) +
			"; nothing is known of " + one(n, "that minute", "those minutes") + " (did a counter wrap round below zero?)"
	},
	counting.Dropped: func(n int) string {
		return figures.Plural(n, "sample") + one(n, " was", " were") + " negative or not finite and did not count"
	},
	counting.Renamed: func(n int) string {
		return figures.Plural(n, "series") + " went on under another name; " + one(n, "it counts", "they count") + " as the same"
	},
	counting.Glitch: func(n int) string {
		return figures.Plural(n, "sample") + " stood a little lower than " + one(n, "the one", "those") + " before; nothing was counted until the counters were back"
	},
	counting.Position: func(n int) string {
		return figures.Plural(n, "series") + one(n, " was", " were") + " seen for the first time with more than can have happened since the last scrape of " +
			one(n, "its target; its first value", "their target; their first values") + " did not count"
	},
	counting.Away: func(n int) string {
		return figures.Plural(n, "series") + one(n, " was away and came back above its old value; what it shows", " were away and came back above their old value; what they show") +
			" more than then counts (does the exporter let idle series expire?)"
	},
	counting.Unpaired: func(n int) string {
		return figures.Plural(n, "minute") + " had events and no series of good ones, which were there before; whether they were good is not known (was the series renamed or dropped?)"
	},
	counting.Behind: func(n int) string {
		return figures.Plural(n, "sample") + " came after " + one(n, "its minute was decided; it was added to it", "their minutes were decided; they were added to them")
	},
}

func one(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// Faults says what was wrong with the data of one budget, by fault, with the names of some series.
func Faults(t *counting.Trouble) (all []string) {
	for f, n := range t.N {
		if n == 0 {
			continue
		}
		text := faults[counting.Fault(f)](n)
		if names := t.Names[f]; len(names) > 0 {
			text += ": " + strings.Join(names, ", ")
			if n > len(names) {
				text += " and others"
			}
		}
		all = append(all, text)
	}
	return all
}

// Problem says what is waited for as a problem of the data; "" if nothing is.
func (w Wait) Problem() string { return problem(w.Text()) }

// problem makes a problem of sentences.
func problem(t Text) string {
	text := t.String()
	if text == "" {
		return ""
	}
	return strings.ToLower(text[:1]) + strings.TrimSuffix(text[1:], ".")
}

// Capped says that an SLO has more budgets by label values than are followed.
func Capped(s *slo.Spec, most int) string {
	return "more than " + figures.Count(most) + " combinations of " + strings.Join(s.By, ", ") + ", or very long values; the rest is not followed"
}

// Large says that an SLO has more series than is wise.
func Large(series, most int) string {
	return "the SLO follows " + figures.Plural(series, "series") + "; above " + figures.Count(most) + " consider aggregating first"
}

// Summed says that the series of an SLO, of which parts hold so many at most, are added up by
// Prometheus.
func Summed(most int) string {
	return "it has more series than can be read: no label divides them into parts of " + figures.Count(most) + " at most, or reading the parts does not keep up; so Prometheus adds them up, and its minutes are estimates"
}

// Guessed says that hours of the history are estimates, and why.
func Guessed(why string) string {
	return "hours could not be counted and are estimates, Prometheus' own increase: " + why
}

package alerting_test

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	diff "github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
)

// Each archive below testdata is an idea: an SLO (slo.yaml), its minutes (series), and what is
// decided and said about them (events). `make golden PKG=./alerting` writes the events;
// CONTRIBUTING.md has a tutorial.
//
// A series begins with `from DATE TIME` in UTC, and goes on with BAD/TOTALxN: N minutes, or hours
// or days (x6h, x4d), with so many bad of so many events each. `_xN` is minutes without data,
// `~BAD/TOTALxN` a hole of which only the sum is known, and `BAD/TOTALxN@5` minutes that are
// scraped every five: what happened in them is shown by a sample in the last of five. Minutes that
// turn up later have a section of their own, late, with lines `at DATE TIME from DATE TIME
// BAD/TOTALxN`. A # begins a comment.
func TestDecisions(t *testing.T) {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatal("no cases", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			s, err := readStory(a)
			if err != nil {
				t.Fatal(err)
			}
			got, n := s.play(), slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == "events" })
			if os.Getenv("UPDATE") != "" {
				if n < 0 {
					n, a.Files = len(a.Files), append(a.Files, txtar.File{Name: "events"})
				}
				a.Files[n].Data = []byte(got)
				if err := os.WriteFile(name, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if n < 0 {
				t.Fatal("there is no section events: make golden PKG=./alerting writes it")
			}
			if d := diff.Diff(strings.Split(string(a.Files[n].Data), "\n"), strings.Split(got, "\n")); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

// story is an archive that was read.
type story struct {
	spec *slo.Spec
	runs []run         // in the order in which they become known
	next budget.Minute // where a run without a time begins
}

// run is equal minutes in a row, and when they become known.
type run struct {
	known, from, to budget.Minute
	slot            budget.Slot
	every           budget.Minute // how far scrapes are apart; 0 is no more than a minute
}

// at returns the slot of one of its minutes.
func (r run) at(m budget.Minute) budget.Slot {
	slot := r.slot
	slot.Shared = r.every > 0 && (m+1)%r.every != 0
	return slot
}

const clock = "2006-01-02 15:04"

// step matches one run of a series: of a hole, bad, total, how many, of what, scraped how often.
var step = regexp.MustCompile(`^(~?)(?:(\d+)/(\d+)|_)x(\d+)([hd]?)(?:@(\d+))?$`)

func readStory(a *txtar.Archive) (*story, error) {
	s := &story{}
	for _, f := range a.Files {
		switch f.Name {
		case "slo.yaml":
			set, err := file.Load([]file.File{{Name: f.Name, Data: f.Data}})
			if err != nil {
				return nil, err
			}
			s.spec = set.Specs[0]
		case "series", "late":
			for line := range strings.Lines(string(f.Data)) {
				if err := s.read(strings.Fields(line)); err != nil {
					return nil, fmt.Errorf("%s: %s: %w", f.Name, strings.TrimSpace(line), err)
				}
			}
		}
	}
	slices.SortStableFunc(s.runs, func(a, b run) int { return cmp.Compare(a.known, b.known) })
	return s, nil
}

// read adds a line. Where no time is given, it follows the one before.
func (s *story) read(words []string) error {
	known := budget.Minute(0)
	for len(words) > 0 && words[0] != "#" {
		if words[0] == "at" || words[0] == "from" {
			if len(words) < 3 {
				return fmt.Errorf("%s wants a date and a time", words[0])
			}
			when, err := time.Parse(clock, words[1]+" "+words[2])
			if err != nil {
				return err
			}
			if s.next = budget.MinuteOf(when); words[0] == "at" {
				known = s.next
			}
			words = words[3:]
			continue
		}
		m := step.FindStringSubmatch(words[0])
		if m == nil {
			return fmt.Errorf("%q is not BAD/TOTALxN, nor _xN", words[0])
		}
		number := func(s string) int64 { n, _ := strconv.ParseInt(s, 10, 64); return n }
		r := run{from: s.next, slot: budget.Count(number(m[2])*budget.Unit, number(m[3])*budget.Unit), every: budget.Minute(number(m[6]))}
		switch {
		case m[3] == "":
			r.slot = budget.Slot{State: budget.Absent}
		case m[1] != "":
			r.slot.State = budget.Partial
		}
		r.to = s.next + budget.Minute(number(m[4])*map[string]int64{"": 1, "h": 60, "d": 1440}[m[5]])
		r.known = max(known, r.from)
		s.runs, s.next, words = append(s.runs, r), r.to, words[1:]
	}
	return nil
}

// play lets the decision code live through the story, and writes down what it says.
func (s *story) play() string {
	in := alerting.Input{ID: s.spec.ID(), Spec: s.spec, Ledger: &budget.Ledger{}}
	st := alerting.State{Through: s.runs[0].from}
	open := map[string]alerting.Incident{}
	var b strings.Builder
	quiet := 0 // updates that were left out
	tell := func(to budget.Minute) {
		var events []alerting.Event
		from := st.Through
		st, events = alerting.Advance(in, st, to)
		for _, e := range events {
			if i := open[e.Incident]; i.ID != "" || e.Kind == alerting.Opened {
				open[e.Incident] = i.Apply(e)
			}
			if e.Kind == alerting.Updated {
				quiet++
				continue
			}
			if quiet > 0 {
				fmt.Fprintf(&b, "(%s)\n", figures.Plural(quiet, "update"))
				quiet = 0
			}
			told := e.Time() // what is found in minutes that were walked before is told now
			if e.At < from {
				told = from.Time()
			}
			s.tell(&b, in, e, open[e.Incident], told)
		}
	}
	end := st.Through
	for _, r := range s.runs {
		tell(min(r.known, end)) // what becomes known now, was not before
		for m := r.from; m < r.to; m++ {
			if in.Ledger.Put(m, r.at(m)); m < st.Through {
				st = st.Amend(budget.SlotAt{At: m, Slot: r.at(m)})
			}
		}
		end = max(end, r.to)
	}
	tell(end)
	if quiet > 0 {
		fmt.Fprintf(&b, "(%s)\n", figures.Plural(quiet, "update"))
	}
	if b.Len() == 0 {
		return "nothing is said\n"
	}
	return b.String()
}

// tell writes one event: when and what, what it was decided on, what people read, and how the
// budget stands.
func (s *story) tell(b *strings.Builder, in alerting.Input, e alerting.Event, i alerting.Incident, told time.Time) {
	status := budget.StatusAt(in.Ledger, s.spec.Objective, s.spec.Window(), e.At+1)
	what := string(e.Severity)
	if e.Kind != alerting.Noticed {
		what += " " + string(e.Kind)
	}
	fmt.Fprintf(b, "%s  %s (%s)\n", e.Time().Format("Mon "+clock), what, e.Reason)
	fmt.Fprintf(b, "    %s\n", s.because(e))
	fmt.Fprintf(b, "    “%s”\n", says(in, e, i, status, told))
	fmt.Fprintf(b, "    SLI %s, %s of the budget left\n", figures.SLI(status.Sum.Bad, status.Sum.Total, s.spec.Objective), figures.Left(status.Sum.Bad, status.Allowed))
}

// because says what an event was decided on.
func (s *story) because(e alerting.Event) string {
	switch {
	case e.Rule == alerting.RuleTraffic:
		return "nobody since " + e.Since.Time().Format(clock)
	case e.Rule == alerting.RuleSpent:
		return figures.Basis(e.Level) + " of the budget is spent"
	case e.Rule == alerting.RuleNoData:
		return "no data since " + e.Since.Time().Format(clock)
	}
	over := func(d time.Duration, sum budget.Sum) string {
		burned := figures.Unknown // no events, no burn
		if rate, ok := budget.Burn(sum, s.spec.Objective); ok {
			burned = figures.Times(rate)
		}
		return burned + " over " + figures.Duration(d)
	}
	return fmt.Sprintf("%s of the budget in %s is a burn of %s: it was %s and %s", figures.Basis(e.Pair.Budget), figures.Duration(e.Pair.Long),
		figures.Times(e.Pair.Burn(s.spec.Window().Length())), over(e.Pair.Long, *e.Long), over(e.Pair.Short, *e.Short))
}

// says is the sentence that goes out about an event.
func says(in alerting.Input, e alerting.Event, i alerting.Incident, status budget.Status, told time.Time) string {
	return sentences.Facts{
		Spec: in.Spec, Event: e, Incident: i, Status: status, Over: !i.Open && told.After(e.Time()), Now: told,
		Outlook: alerting.Outlook(in, status, i.Burnt()...), Failing: incidents.Failing(in.Ledger, i, e.At+1),
	}.Summary()
}

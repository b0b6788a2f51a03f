package incidents

import (
	"cmp"
	"errors"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/ranking"
	"github.com/slowburn-sre/slowburn/slo"
)

// t0 is when the tests begin.
var t0 = time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC)

// minute is n minutes after that.
func minute(n int) budget.Minute { return budget.MinuteOf(t0) + budget.Minute(n) }

// world is a few measured budgets without events.
type world struct {
	set     *slo.Set
	budgets map[slo.ID]Budget
}

// newWorld measures SLOs up to an hour after t0.
func newWorld(ids ...slo.ID) *world {
	w := &world{budgets: map[slo.ID]Budget{}}
	var specs []*slo.Spec
	for _, id := range ids {
		objective, err := slo.ParseObjective("99")
		if err != nil {
			panic(err)
		}
		spec := &slo.Spec{
			Service: id.Service(), Name: id.Name(), Objective: objective,
			Windows: []slo.Window{{Rolling: 28 * slo.Day}}, SLI: slo.Indicator{Kind: slo.Events},
		}
		specs = append(specs, spec)
		w.budgets[id] = Budget{
			Input: alerting.Input{ID: id, Spec: spec, Ledger: &budget.Ledger{}}, State: alerting.State{Through: minute(60)}, Measured: true,
		}
	}
	w.set = slo.NewSet(specs, nil, nil)
	return w
}

// Set implements World.
func (w *world) Set() *slo.Set { return w.set }

// Budget implements World.
func (w *world) Budget(id slo.ID) (Budget, bool) {
	b, ok := w.budgets[id]
	return b, ok
}

// InService implements World.
func (w *world) InService(name string) []Budget {
	var all []Budget
	for id, b := range w.budgets {
		if id.Service() == name {
			all = append(all, b)
		}
	}
	slices.SortFunc(all, func(a, b Budget) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// Together implements World.
func (w *world) Together(a, b Budget) bool { return a.Spec.Slack.Channel == b.Spec.Slack.Channel }

// turn is what the evaluation of a budget came to.
func (w *world) turn(id slo.ID, events ...alerting.Event) Turn {
	return Turn{Budget: w.budgets[id], Events: events}
}

// event is one of the page of a budget.
func event(at int, id slo.ID, kind alerting.Kind) alerting.Event {
	return alerting.Event{
		At: minute(at), SLO: id, Incident: string(id) + "/page", Kind: kind, Rule: alerting.RulePage, Severity: alerting.Page, Reason: alerting.BurnHigh,
	}
}

// missing is the beginning of missing data of a budget.
func missing(at, since int, id slo.ID) alerting.Event {
	return alerting.Event{
		At: minute(at), SLO: id, Incident: string(id) + "/no_data", Kind: alerting.Opened, Rule: alerting.RuleNoData, Severity: alerting.Ticket,
		Reason: alerting.DataMissing, Since: minute(since),
	}
}

// burning is a book in which the page of every budget is open, one minute after the other.
func burning(w *world, ids ...slo.ID) Book {
	var turns []Turn
	for n, id := range ids {
		turns = append(turns, w.turn(id, event(n, id, alerting.Opened)))
	}
	b, _ := (Book{}).Tell(w, turns, nil, t0.Add(10*time.Minute))
	return b
}

// threads are the threads of the open incidents, by ID.
func threads(b Book) map[string]string {
	all := map[string]string{}
	for _, i := range b.All() {
		all[i.ID] = i.Thread()
	}
	return all
}

// TestJoins: burns of one service and channel share the thread of the first, in whatever order
// their budgets are evaluated. A burn that comes back joins the thread in which it was told before.
func TestJoins(t *testing.T) {
	w := newWorld("shop/a", "shop/b", "shop/c", "search/d")
	w.budgets["shop/c"].Spec.Slack.Channel = "#elsewhere"
	turns := []Turn{
		w.turn("search/d", event(2, "search/d", alerting.Opened)),
		w.turn("shop/a", event(2, "shop/a", alerting.Opened)),
		w.turn("shop/b", event(1, "shop/b", alerting.Opened)),
		w.turn("shop/c", event(3, "shop/c", alerting.Opened)),
	}
	want := map[string]string{
		"search/d/page": "search/d/page", "shop/a/page": "shop/b/page", "shop/b/page": "shop/b/page", "shop/c/page": "shop/c/page",
	}
	for range 2 {
		b, _ := (Book{}).Tell(w, turns, nil, t0)
		if d := gocmp.Diff(want, threads(b)); d != "" {
			t.Errorf("threads (-want +got):\n%s", d)
		}
		slices.Reverse(turns)
	}
	again := event(5, "search/d", alerting.Opened)
	again.Follows = "search/d/before"
	for past, want := range map[string]Past{
		"search/d/before": nil,
		"root":            {"search/d/before": {ID: "search/d/before", Group: "root"}},
	} {
		b, _ := (Book{}).Tell(w, []Turn{w.turn("search/d", again)}, want, t0)
		if got := threads(b)["search/d/page"]; got != past {
			t.Errorf("it is told in the thread of %s, want %s", got, past)
		}
	}
}

// TestMissingDataJoin: data that go missing for one cause are one story, whatever service they are
// of: in the same minutes, or of the same source.
func TestMissingDataJoin(t *testing.T) {
	job := func(w *world, id slo.ID, name string) {
		m, err := labels.NewMatcher(labels.MatchEqual, "job", name)
		if err != nil {
			t.Fatal(err)
		}
		w.budgets[id].Spec.SLI.Total = &slo.Query{Metric: "http_requests_total", Matchers: []*labels.Matcher{m}}
	}
	for _, c := range []struct {
		what string
		want string // the thread of the second, search/d, whose data are missing since minute 20
		when int    // since when those of the first, shop/a, are missing
		jobs [2]string
		to   string // the channel of the second
	}{
		{"from the same minute on, two services", "shop/a/no_data", 20, [2]string{"shop", "search"}, ""},
		{"two minutes later, as their scrapes are apart", "shop/a/no_data", 18, [2]string{"shop", "search"}, ""},
		{"another source, later", "search/d/no_data", 12, [2]string{"shop", "search"}, ""},
		{"the same source, later", "shop/a/no_data", 12, [2]string{"proxy", "proxy"}, ""},
		{"of sources that are not known, later", "search/d/no_data", 12, [2]string{"", ""}, ""},
		{"told elsewhere", "search/d/no_data", 20, [2]string{"shop", "search"}, "#search"},
	} {
		w := newWorld("shop/a", "shop/b", "search/d")
		w.budgets["search/d"].Spec.Slack.Channel = c.to
		for n, id := range []slo.ID{"shop/a", "search/d"} {
			if c.jobs[n] != "" {
				job(w, id, c.jobs[n])
			}
		}
		turns := []Turn{
			w.turn("search/d", missing(30, 20, "search/d")), w.turn("shop/a", missing(c.when+10, c.when, "shop/a")),
			w.turn("shop/b", event(1, "shop/b", alerting.Opened)), // a burn that is open has nothing to do with it
		}
		if c.when == 20 {
			turns[0], turns[1] = turns[1], turns[0]
		}
		b, all := (Book{}).Tell(w, turns, nil, t0)
		if got := threads(b)["search/d/no_data"]; got != c.want {
			t.Errorf("%s: told in the thread of %s, want %s", c.what, got, c.want)
		}
		if got := threads(b)["shop/b/page"]; got != "shop/b/page" {
			t.Errorf("%s: the burn is told in the thread of %s", c.what, got)
		}
		for _, o := range all {
			for _, n := range o.Notifications {
				if c.when < 20 && n.Incident.ID == "search/d/no_data" && (n.Root != nil) != (c.want != n.Incident.ID) {
					t.Errorf("%s: the root message shows %+v", c.what, n.Root)
				}
			}
		}
	}
}

// TestWhatIsTold: of an incident that is over before anybody could be told, its end is told and
// nobody is reminded.
func TestWhatIsTold(t *testing.T) {
	w := newWorld("shop/a")
	reminder := event(4, "shop/a", alerting.Updated)
	reminder.Reason = alerting.Unacknowledged
	for name, c := range map[string]struct {
		events []alerting.Event
		want   []alerting.Kind
		over   bool
	}{
		"opens":               {[]alerting.Event{event(1, "shop/a", alerting.Opened)}, []alerting.Kind{alerting.Opened}, false},
		"opens and ends":      {[]alerting.Event{event(1, "shop/a", alerting.Opened), event(9, "shop/a", alerting.Resolved)}, []alerting.Kind{alerting.Opened, alerting.Resolved}, true},
		"changes before":      {[]alerting.Event{event(1, "shop/a", alerting.Opened), event(2, "shop/a", alerting.Updated), event(9, "shop/a", alerting.Resolved)}, []alerting.Kind{alerting.Opened, alerting.Resolved}, true},
		"opens and reminds":   {[]alerting.Event{event(1, "shop/a", alerting.Opened), reminder}, []alerting.Kind{alerting.Opened}, false},
		"changes, stays open": {[]alerting.Event{event(1, "shop/a", alerting.Opened), event(2, "shop/a", alerting.Updated)}, []alerting.Kind{alerting.Opened, alerting.Updated}, false},
	} {
		b, out := (Book{}).Tell(w, []Turn{w.turn("shop/a", c.events...)}, nil, t0)
		var got []alerting.Kind
		for _, told := range out[0].Notifications {
			got = append(got, told.Event.Kind)
			if told.Over != c.over {
				t.Errorf("%s: over is %t", name, told.Over)
			}
		}
		if d := gocmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		ended := c.events[len(c.events)-1].Kind == alerting.Resolved
		if len(out[0].Incidents) != 1 || (len(b.All()) == 0) != ended {
			t.Errorf("%s: %d incidents changed, %d are open", name, len(out[0].Incidents), len(b.All()))
		}
	}
}

// TestTheLoudestIsTheFace: the root message of a thread shows the loudest incident, and names the
// others.
func TestTheLoudestIsTheFace(t *testing.T) {
	w := newWorld("shop/a", "shop/b")
	ticket := event(1, "shop/a", alerting.Opened)
	ticket.Severity, ticket.Rule = alerting.Ticket, alerting.RuleTicket
	b, out := (Book{}).Tell(w, []Turn{w.turn("shop/a", ticket), w.turn("shop/b", event(2, "shop/b", alerting.Opened))}, nil, t0)
	page := out[1].Notifications[0]
	if page.Root != nil || len(page.Others) != 1 || page.Others[0].ID != "shop/a/page" {
		t.Errorf("the page names %d others, and its root is %v", len(page.Others), page.Root)
	}
	open := b.Open(w, b.IDs(), t0)
	if len(open) != 2 || open[0].Root == nil || open[0].Root.Incident.ID != "shop/b/page" || len(open[0].Root.Others) != 1 {
		t.Fatalf("the ticket is not shown below the page")
	}
}

// TestRootsStandAsTheEndLeavesThem: when much is told at once, the root message of a thread shows
// what is true in the end, whatever the order of its budgets; who is called, and what is shown in
// the channel, goes by what was true then. What is shown is gathered once for all who share it.
func TestRootsStandAsTheEndLeavesThem(t *testing.T) {
	w := newWorld("shop/a", "shop/b", "shop/c", "shop/d")
	turns := []Turn{
		w.turn("shop/a", event(1, "shop/a", alerting.Opened), event(9, "shop/a", alerting.Resolved)),
		w.turn("shop/b", event(5, "shop/b", alerting.Opened)),
		w.turn("shop/c", event(6, "shop/c", alerting.Opened)),
		w.turn("shop/d", event(7, "shop/d", alerting.Opened)),
	}
	b, out := (Book{}).Tell(w, turns, nil, t0)
	type face struct {
		Root       string
		Others     int
		Paged, Led bool
	}
	var got []face
	for _, o := range out {
		for _, told := range o.Notifications {
			f := face{Others: len(told.Others), Paged: told.Paged, Led: told.Led}
			if told.Root != nil {
				f.Root, f.Others = told.Root.Incident.ID, len(told.Root.Others)
			}
			got = append(got, f)
		}
	}
	want := []face{
		{"shop/b/page", 2, false, false}, {"shop/b/page", 2, true, true}, // of a
		{"", 2, true, true}, {"shop/b/page", 2, true, true}, {"shop/b/page", 2, true, true},
	}
	if d := gocmp.Diff(want, got); d != "" {
		t.Errorf("roots (-want +got):\n%s", d)
	}
	if out[2].Notifications[0].Root != out[3].Notifications[0].Root {
		t.Error("the same root message is gathered twice")
	}
	ends := []Turn{w.turn("shop/b", event(20, "shop/b", alerting.Resolved)), w.turn("shop/c", event(21, "shop/c", alerting.Resolved)), w.turn("shop/d", event(22, "shop/d", alerting.Resolved))}
	_, out = b.Tell(w, ends, nil, t0)
	for n, led := range []bool{true, true, false} {
		if told := out[n].Notifications[0]; told.Led != led || told.Root != nil {
			t.Errorf("the end of %s: led %t, root %v", told.Incident.ID, told.Led, told.Root)
		}
	}
}

// TestActs does one act to a book with two incidents in one thread and a third elsewhere.
func TestActs(t *testing.T) {
	act := func(kind alerting.ActKind, incident string) alerting.Act {
		return alerting.Act{Key: "k1", Kind: kind, By: "ana", Via: "cli", Incident: incident}
	}
	with := func(a alerting.Act, change func(*alerting.Act)) alerting.Act {
		change(&a)
		return a
	}
	for name, c := range map[string]struct {
		act     alerting.Act
		problem ActProblem
		acts    []string // keys
		done    int
		threads map[string]string
	}{
		"acknowledge holds for the thread": {
			act: act(alerting.Acknowledge, "shop/a/page"), acts: []string{"k1", "k1@shop/b/page"}, done: 1,
			threads: map[string]string{"shop/a/page": "shop/a/page", "shop/b/page": "shop/a/page", "search/c/page": "search/c/page"},
		},
		"a note is one incident's": {
			act:  with(act(alerting.Remark, "shop/b/page"), func(a *alerting.Act) { a.Text = "on it" }),
			acts: []string{"k1"}, done: 1,
			threads: map[string]string{"shop/a/page": "shop/a/page", "shop/b/page": "shop/a/page", "search/c/page": "search/c/page"},
		},
		"a merge takes the thread along": {
			act:  with(act(alerting.Merge, "shop/a/page"), func(a *alerting.Act) { a.Other = "search/c/page" }),
			acts: []string{"k1"}, done: 1,
			threads: map[string]string{"shop/a/page": "search/c/page", "shop/b/page": "search/c/page", "search/c/page": "search/c/page"},
		},
		"a split": {
			act: act(alerting.Split, "shop/b/page"), acts: []string{"k1"}, done: 1,
			threads: map[string]string{"shop/a/page": "shop/a/page", "shop/b/page": "shop/b/page", "search/c/page": "search/c/page"},
		},
		"a merge into its own thread": {
			act: with(act(alerting.Merge, "shop/a/page"), func(a *alerting.Act) { a.Other = "shop/b/page" }), problem: ActConflict,
		},
		"a close of what a rule has opened": {act: act(alerting.Close, "shop/a/page"), problem: ActConflict},
		"nobody knows it":                   {act: act(alerting.Acknowledge, "shop/none"), problem: ActUnknown},
		"no words":                          {act: act(alerting.Remark, "shop/a/page"), problem: ActInvalid},
	} {
		w := newWorld("shop/a", "shop/b", "search/c")
		before := burning(w, "shop/a", "shop/b", "search/c")
		was := before.All()
		after, out, err := before.Act(w, c.act, nil, t0.Add(2*time.Hour))
		if d := gocmp.Diff(was, before.All()); d != "" {
			t.Errorf("%s: the book before has changed:\n%s", name, d)
		}
		var refused *ActError
		if errors.As(err, &refused); err != nil && refused == nil || c.problem != "" && (refused == nil || refused.Problem != c.problem) {
			t.Errorf("%s: %v", name, err)
		}
		if c.problem != "" {
			continue
		}
		var keys []string
		for _, a := range out.Acts {
			keys = append(keys, a.Key)
		}
		if d := gocmp.Diff(c.acts, keys); d != "" || len(out.Done) != c.done {
			t.Errorf("%s: %d are told; the acts are (-want +got):\n%s", name, len(out.Done), d)
		}
		echoes := Echoes(w, before, after, out.Acts[1:], map[string]*Notification{}, t0.Add(2*time.Hour))
		for n, a := range out.Acts[1:] {
			if e := echoes[n]; !e.Echo || e.Act.Key != a.Key || !e.Incident.Knows(a.Key) || e.Spec == nil || e.Root == nil {
				t.Errorf("%s: an echo is told as %+v", name, e)
			}
		}
		if d := gocmp.Diff(c.threads, threads(after)); d != "" {
			t.Errorf("%s: threads (-want +got):\n%s", name, d)
		}
		for _, i := range out.Incidents {
			if now, _ := after.Find(i.ID); gocmp.Diff(i, now) != "" {
				t.Errorf("%s: %s in the book is not what has changed", name, i.ID)
			}
		}
		if _, again, err := after.Act(w, c.act, nil, t0.Add(3*time.Hour)); err != nil || len(again.Acts) > 0 {
			t.Errorf("%s: told twice, it is done twice: %v %v", name, again.Acts, err)
		}
	}
}

// TestDeclared: a person opens an incident and ends it. The messages of both see it in its thread;
// the book has it in between.
func TestDeclared(t *testing.T) {
	w := newWorld("shop/a")
	b := burning(w, "shop/a")
	declare := alerting.Act{Key: "d1", Kind: alerting.Declare, By: "ana", Via: "cli", SLO: "shop/a", Text: "carts are empty", Level: alerting.Ticket}
	open, out, err := b.Act(w, declare, nil, t0.Add(2*time.Hour))
	if err != nil || len(out.Notifications) != 1 || out.Notifications[0].Event.Kind != alerting.Opened || len(out.Done) != 0 || len(open.declared()) != 1 {
		t.Fatalf("declared: %v %+v", err, out)
	}
	i := open.declared()[0]
	closing := alerting.Act{Key: "d2", Kind: alerting.Close, By: "ana", Via: "cli", Incident: i.ID}
	after, out, err := open.Act(w, closing, nil, t0.Add(3*time.Hour))
	if err != nil || len(out.Notifications) != 1 || out.Notifications[0].Event.Kind != alerting.Resolved || len(after.declared()) != 0 || after.Len() != 1 {
		t.Fatalf("closed: %v %+v", err, out)
	}
	if _, out, err := after.Act(w, declare, Past{i.ID: out.Incidents[0]}, t0.Add(4*time.Hour)); err != nil || len(out.Acts) > 0 {
		t.Errorf("declared again: %v %v", err, out.Acts)
	}
}

// TestSilenceOfAService: what opens within a silence of its service knows of it, and is told
// without a call.
func TestSilenceOfAService(t *testing.T) {
	w := newWorld("shop/a", "search/b")
	silence := alerting.Act{Key: "s1", Kind: alerting.Silence, By: "ana", Via: "cli", Service: "shop", Until: t0.Add(time.Hour)}
	b, _, err := (Book{}).Act(w, silence, nil, t0)
	if err != nil || len(b.ActsOn("shop/a")) != 1 || len(b.ActsOn("search/b")) != 0 {
		t.Fatalf("%v; acts on the SLO: %v", err, b.ActsOn("shop/a"))
	}
	b, out := b.Tell(w, []Turn{w.turn("shop/a", event(5, "shop/a", alerting.Opened)), w.turn("search/b", event(5, "search/b", alerting.Opened))}, nil, t0)
	if !out[0].Notifications[0].Silenced || !out[0].Incidents[0].Knows("s1") || out[1].Notifications[0].Silenced || len(out[1].Incidents[0].Acts) > 0 {
		t.Error("the silence is not of the service")
	}
	if got := b.Forget(t0.Add(2 * slo.Day)).Acts(); len(got) != 0 {
		t.Errorf("two days later it is still known: %v", got)
	}
}

// TestEvidenceStays: what was found out about an incident stays while it is open, in whatever
// thread, and in every book that had it. What becomes a page is looked into again.
func TestEvidenceStays(t *testing.T) {
	w := newWorld("shop/a", "search/c")
	open := event(1, "shop/a", alerting.Opened)
	open.Burn = &alerting.Burning{Onset: minute(0), Last: minute(1)}
	b, _ := burning(w, "search/c").Tell(w, []Turn{w.turn("shop/a", open)}, nil, t0)
	if ids := b.Unexplained(w, 10); len(ids) != 1 {
		t.Fatalf("to be looked into are %q", ids)
	}
	i, kind, ok := b.Unexplain(w, "shop/a/page")
	if !ok || i.ID != "shop/a/page" || kind != alerting.Opened {
		t.Fatalf("looked into is %q", i.ID)
	}
	known := b.WithEvidence(&ranking.Evidence{Incident: i.ID, Kind: kind})
	if _, _, ok := known.Unexplain(w, i.ID); ok || len(known.Unexplained(w, 10)) != 0 {
		t.Error("it is asked twice")
	}
	merge := alerting.Act{Key: "m1", Kind: alerting.Merge, By: "ana", Via: "cli", Incident: i.ID, Other: "search/c/page"}
	merged, _, err := known.Act(w, merge, nil, t0.Add(2*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	over, out := merged.Tell(w, []Turn{w.turn("shop/a", event(90, "shop/a", alerting.Resolved))}, nil, t0)
	if out[0].Notifications[0].Found == nil {
		t.Error("its end is told without what was found out")
	}
	for name, c := range map[string]struct {
		book Book
		want bool
	}{"before": {b, false}, "known": {known, true}, "merged": {merged, true}, "over": {over, false}} {
		if got := c.book.evidence[i.ID] != nil; got != c.want {
			t.Errorf("%s: evidence is %t", name, got)
		}
	}
	again := NewBook(known.All(), known.Acts(), map[string]*ranking.Evidence{i.ID: known.evidence[i.ID]})
	if d := gocmp.Diff(known, again, gocmp.AllowUnexported(Book{}), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("read back, the book is another:\n%s", d)
	}
}

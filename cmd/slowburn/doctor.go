package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/daemon"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

type doctorCmd struct{ printer }

// The states of a finding.
const (
	stateOK   = "ok"
	stateWarn = "warn"
	stateFail = "fail"
	stateOff  = "off"
)

// Run looks at everything that slowburn needs, changes nothing, and answers "no" if something does
// not work.
func (c *doctorCmd) Run(e *env) error {
	cfg, set, err := config.LoadAll(e.cli.ConfigFile)
	if err != nil {
		return refused(err)
	}
	d := doctor{env: e, cfg: cfg, set: set}
	d.ok("configuration", "%s and %s are good", filepath.Base(e.cli.ConfigFile), figures.Plural(len(set.Specs), "SLO"))
	for _, w := range cfg.Warnings {
		d.add(stateWarn, "configuration", w.Hint, "line %d: %s", w.Line, w.Message)
	}
	ctx, cancel := context.WithTimeout(e.ctx, doctorTimeout)
	defer cancel()
	d.prometheus(ctx)
	d.slack(ctx)
	d.receivers(ctx)
	d.store(ctx)
	if err := c.print(e, d.found, d.table); err != nil {
		return cannotFindOut(err)
	}
	if slices.ContainsFunc(d.found, func(f api.Finding) bool { return f.State == stateFail }) {
		return answerNo(nil)
	}
	return nil
}

const (
	// doctorTimeout bounds the whole look.
	doctorTimeout = 2 * time.Minute
	// scrapesTimeout bounds that at the samples of all SLOs, so that there is time for the rest.
	scrapesTimeout = time.Minute
)

// doctor collects findings.
type doctor struct {
	*env
	cfg   config.Config
	set   *slo.Set
	found []api.Finding
}

func (d *doctor) ok(part, format string, args ...any) {
	d.add(stateOK, part, "", format, args...)
}

func (d *doctor) add(state, part, todo, format string, args ...any) {
	d.found = append(d.found, api.Finding{State: state, Part: part, Finding: fmt.Sprintf(format, args...), Todo: todo})
}

// table prints the findings, and below each what to do about it.
func (d *doctor) table() error {
	t := newTable(d.out, "", "PART", "FINDING")
	for _, f := range d.found {
		t.row(f.State, f.Part, f.Finding)
		if f.Todo != "" {
			t.row("", "", "  → "+f.Todo)
		}
	}
	return t.flush()
}

// prometheus looks at the source of the data.
func (d *doctor) prometheus(ctx context.Context) {
	const part = "prometheus"
	client, err := daemon.NewClient(d.cfg.Prometheus)
	if err != nil {
		d.add(stateFail, part, "put the settings below prometheus: right", "%v", err)
		return
	}
	defer client.CloseIdle()
	if _, err := client.Probe(ctx, "vector(1)", d.now()); err != nil {
		d.add(stateFail, part, err.Hint, "queries do not work: %v", err)
		return
	}
	if info, failed := client.BuildInfo(ctx); failed != nil {
		d.add(stateWarn, part, "", "it answers queries and does not say what it is; some servers do not")
	} else {
		d.ok(part, "%s %s answers", cmp.Or(info.Application, "Prometheus"), info.Version)
	}
	d.sourceClock(ctx, client)
	d.scrapes(ctx, client)
	if _, failed := client.Exemplars(ctx, "up", d.now().Add(-time.Hour), d.now()); failed != nil {
		d.add(stateOff, part, "start Prometheus with --enable-feature=exemplar-storage", "no example traces in messages: exemplars are not kept")
	} else {
		d.ok(part, "exemplars can be read, for example traces in messages")
	}
}

// sourceClock compares the source's clock with ours. Decisions go by the source's, so only much is
// worth a word.
func (d *doctor) sourceClock(ctx context.Context, client *prom.Client) {
	skew, within, failed := client.ClockSkew(ctx, d.now)
	switch {
	case failed != nil:
		d.add(stateWarn, "clock", "", "the clock of Prometheus cannot be read: %v", failed)
	case skew.Abs() > within+time.Minute:
		d.add(stateWarn, "clock", "let this machine and Prometheus keep their time by NTP", "the clock of Prometheus is %s from ours; slowburn goes by that of Prometheus", figures.Duration(skew.Abs()))
	default:
		d.ok("clock", "ours and that of Prometheus agree")
	}
}

// scrapes looks at every SLO: how far apart its samples are, and how late they come. What is the
// same of several is said once.
func (d *doctor) scrapes(ctx context.Context, client *prom.Client) {
	specs := slices.DeleteFunc(slices.Clone(d.set.Specs), func(s *slo.Spec) bool { return len(s.Queries()) == 0 }) // journeys
	within, cancel := context.WithTimeout(ctx, scrapesTimeout)
	defer cancel()
	var all []api.Finding
	unseen := 0
	for n, pace := range client.Paces(within, specs, d.cfg.Prometheus.MaxLateness, d.now()) {
		if pace.Err != nil && within.Err() != nil {
			unseen++
			continue
		}
		all = append(all, d.looksAt(specs[n], pace)...)
	}
	var first []api.Finding
	same := map[string]int{}
	for _, f := range all {
		key := f.State + f.Todo + strings.ReplaceAll(f.Finding, f.Part, "")
		if same[key]++; same[key] == 1 {
			first = append(first, f)
		}
	}
	for _, f := range first {
		id := f.Part
		if more := same[f.State+f.Todo+strings.ReplaceAll(f.Finding, id, "")] - 1; more > 0 {
			f.Finding += " (and " + figures.Plural(more, "other SLO") + ")"
		}
		f.Part = "prometheus"
		d.found = append(d.found, f)
	}
	if unseen > 0 {
		d.add(stateWarn, "prometheus", "see how busy the server is, and ask again", "how the samples of %s come was not found out within %s", figures.Plural(unseen, "SLO"), figures.Duration(scrapesTimeout))
	}
}

// looksAt says how the samples of an SLO come. The part of each finding is the SLO. That they come
// in time is worth no word.
func (d *doctor) looksAt(spec *slo.Spec, pace prom.Pace) []api.Finding {
	id, interval := spec.ID(), pace.Every
	finding := func(state, todo, format string, args ...any) api.Finding {
		return api.Finding{State: state, Part: string(id), Todo: todo, Finding: fmt.Sprintf(format, args...)}
	}
	switch {
	case pace.Err != nil && interval == 0:
		return []api.Finding{finding(stateFail, pace.Err.Hint, "%s cannot be read: %v", id, pace.Err)}
	case interval == 0:
		return []api.Finding{finding(stateFail, "see what is wrong with 'slowburn check --prometheus.url'", "%s has no data", id)}
	}
	scraped := finding(stateOK, "", "%s is scraped every %s", id, figures.Duration(interval))
	if interval > time.Minute {
		scraped = finding(stateWarn, "scrape at least once a minute", "%s is scraped every %s, so alerts come up to %[2]s later", id, figures.Duration(interval))
	}
	most := cmp.Or(spec.MaxLateness, d.cfg.Prometheus.MaxLateness)
	said := sentences.Found(id, pace.Late, most)
	switch {
	case pace.Late == 0:
		return []api.Finding{scraped}
	case pace.Late > most:
		return []api.Finding{scraped, finding(stateWarn, "raise max_lateness of the SLO or of prometheus", "%s", said)}
	}
	return []api.Finding{scraped, finding(stateOK, "", "%s", said)}
}

// store looks at the ledger, also beside a running daemon.
func (d *doctor) store(ctx context.Context) {
	if d.cfg.Postgres.Given() {
		d.server(ctx)
	} else {
		d.file(ctx)
	}
}

// server looks at the PostgreSQL that is the store.
func (d *doctor) server(ctx context.Context) {
	const part = "store"
	db, err := daemon.OpenStore(ctx, d.cfg, store.Options{ReadOnly: true})
	switch {
	case errors.Is(err, store.ErrEmpty):
		d.add(stateWarn, part, "its tables are made when a daemon starts", "the database is empty")
		return
	case err != nil:
		d.add(stateFail, part, "", "%v", err)
		return
	}
	defer func() { _ = db.Close() }()
	about, err := db.About(ctx)
	if err != nil {
		d.add(stateFail, part, "", "%v", err)
		return
	}
	d.ok(part, "PostgreSQL %s answers, %s", about.Version, bytesOf(uint64(about.Bytes)))
	if about.Led {
		d.ok(part, "a daemon leads")
	} else {
		d.add(stateWarn, part, "start one; one that runs leads within seconds", "no daemon leads")
	}
	d.outbox(ctx, db)
}

// file looks at the file of the embedded store.
func (d *doctor) file(ctx context.Context) {
	const part = "store"
	path := d.cfg.StorePath
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		d.add(stateWarn, part, "it is made when the daemon starts", "%s is not there yet", config.Shown(path))
		return
	}
	if err != nil {
		d.add(stateFail, part, "let slowburn read it", "%v", err)
		return
	}
	db, err := store.Open(path, store.Options{ReadOnly: true, CheckFor: -1})
	if err != nil {
		d.add(stateFail, part, "", "%v", err)
		return
	}
	defer func() { _ = db.Close() }()
	d.ok(part, "%s can be opened, %s", config.Shown(path), bytesOf(uint64(info.Size())))
	if free, ok := daemon.FreeSpace(filepath.Dir(path)); ok {
		state, todo := stateOK, ""
		if free < leastFree {
			state, todo = stateWarn, "make room: pages still go out when the disk is full, and nothing is remembered"
		}
		d.add(state, part, todo, "%s are free on its disk", bytesOf(free))
	}
	d.outbox(ctx, db)
}

// leastFree is how many bytes should be free on the store's disk.
const leastFree = 500 << 20

// outbox looks for what could not be delivered.
func (d *doctor) outbox(ctx context.Context, db *store.DB) {
	all, err := db.Deliveries(ctx)
	if err != nil {
		d.add(stateFail, "store", "", "the outbox cannot be read: %v", err)
		return
	}
	dead, pending := 0, 0
	for _, c := range all {
		pending += c.Pending
		if c.Dead > 0 {
			dead += c.Dead
			d.add(stateWarn, "outbox", "the pages of slowburn show what they said", "%s to %s could not be delivered, at last: %s", figures.Plural(c.Dead, "message"), c.Channel, c.LastErr)
		} else if c.Retrying > 0 {
			d.add(stateWarn, "outbox", "it is tried again by itself", "%s to %s not delivered yet, at last: %s", figures.Plural(c.Retrying, "message"), c.Channel, c.LastErr)
		}
	}
	if dead == 0 {
		d.ok("outbox", "nothing was given up; %s waiting", figures.Count(pending))
	}
}

// bytesOf writes a size for people.
func bytesOf(n uint64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	v, unit := float64(n), 0
	for v >= 1024 && unit < len(units)-1 {
		v, unit = v/1024, unit+1
	}
	return figures.Value(v) + " " + units[unit]
}

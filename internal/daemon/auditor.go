package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/internal/trouble"
)

const (
	// auditEvery is how often the acts since the last look are checked.
	auditEvery = time.Minute
	// auditAll is how often the whole log is.
	auditAll = 6 * time.Hour
	// auditReports is how many kept reports are asked for the heads that they told.
	auditReports = 60
)

// auditor sees to it that the log of acts is what was written, and says so if it is not. Nothing
// else depends on it: slowburn goes on.
type auditor struct {
	db  *store.DB
	log *slog.Logger
	now func() time.Time

	standing atomic.Pointer[api.Audit] // nil before the first look
	until    store.Place               // up to which it was checked
	whole    time.Time                 // when all of it was checked last, by the wall's clock
	wrong    string                    // what the newest look at what is new has found
	unread   trouble.Spell
}

// run looks at the whole log at the start and every few hours, and at what is new every minute,
// until ctx ends.
func (a *auditor) run(ctx context.Context) error {
	ticker := time.NewTicker(auditEvery)
	defer ticker.Stop()
	for {
		err := a.look(ctx)
		if ctx.Err() != nil {
			return nil
		}
		a.unread.Tried(a.log, "cannot read the log of acts to verify it", err)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// look checks what was added since the last look, or everything if that is due or something is
// wrong.
func (a *auditor) look(ctx context.Context) error {
	if a.standing.Load() != nil && time.Since(a.whole) < auditAll {
		found, err := a.db.Verify(ctx, a.until)
		if err != nil {
			return err
		}
		before := a.wrong
		if a.wrong = fmt.Sprint(found.Faults); a.wrong == before {
			a.take(found, a.standing.Load())
			return nil
		}
	}
	found, err := a.db.Verify(ctx, store.Place{}, toldHeads(ctx, a.db)...)
	if err != nil {
		return err
	}
	a.whole = time.Now()
	before := a.standing.Load()
	next := auditOf(found)
	next.At = api.TimeOrNull(a.now())
	a.tell(next, before)
	a.take(found, next)
	return nil
}

// take remembers where a look came to. What the last look at everything has found stays.
func (a *auditor) take(found store.Audit, all *api.Audit) {
	a.until = found.Until
	if all.Whole && a.wrong == "" {
		a.wrong = fmt.Sprint([]store.LogFault(nil))
	}
	next := *all
	next.Acts, next.Head, next.Hash = found.Head.Seq, found.Head.String(), found.Head.Hash
	a.standing.Store(&next)
}

// tell logs how the log stands: every fault that was not known before.
func (a *auditor) tell(next, before *api.Audit) {
	known := map[api.Fault]bool{}
	if before != nil {
		for _, f := range before.Faults {
			known[f] = true
		}
	}
	for _, f := range next.Faults {
		if !known[f] {
			a.log.Error("the log of acts was changed by somebody else", "fault", f.Text, "store", a.db.Path())
		}
	}
	if next.Whole {
		a.log.Info("the log of acts is whole", "acts", next.Acts, "head", next.Head)
	}
}

// toldHeads returns the heads that kept reports have told. What cannot be read tells none.
func toldHeads(ctx context.Context, db *store.DB) []store.Place {
	var all []store.Place
	kept, _ := db.Reports(ctx, "", auditReports)
	for _, k := range kept {
		r, known, err := db.Report(ctx, k.Name, k.Period)
		if err != nil || !known {
			continue
		}
		var said struct{ Audit *api.ReportAudit }
		if json.Unmarshal(r.Data, &said) != nil || said.Audit == nil {
			continue
		}
		if p, err := store.ParsePlace(said.Audit.Head); err == nil {
			all = append(all, p)
		}
	}
	return all
}

// VerifyLog checks the whole log of acts of a store against heads that were told, and against those
// that its kept reports have told.
func VerifyLog(ctx context.Context, db *store.DB, told ...store.Place) (*api.Audit, error) {
	found, err := db.Verify(ctx, store.Place{}, append(told, toldHeads(ctx, db)...)...)
	return auditOf(found), err
}

// auditOf converts what a look at the log has found.
func auditOf(found store.Audit) *api.Audit {
	out := &api.Audit{
		Whole: found.Found == 0, Acts: found.Head.Seq, Head: found.Head.String(), Hash: found.Head.Hash,
		Began: api.TimeOrNull(found.Began), Found: found.Found, Faults: []api.Fault{},
	}
	if !found.Began.IsZero() {
		out.Before = found.First - 1
	}
	for _, f := range found.Faults {
		out.Faults = append(out.Faults, api.Fault{
			Kind: string(f.Kind), From: f.From, To: f.To, Key: f.Key, Text: sentences.LogFault(string(f.Kind), f.From, f.To, f.Key),
		})
	}
	return out
}

// reported returns the log as reports tell of it; nil before the first look.
func (a *auditor) reported() *report.Audit {
	s := a.standing.Load()
	if s == nil {
		return nil
	}
	out := &report.Audit{Acts: s.Acts, Head: s.Head}
	for _, f := range s.Faults {
		out.Faults = append(out.Faults, f.Text)
	}
	return out
}

package store

import (
	"context"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/slo"
)

// Store is what every store must do alike, whatever database is below it.
type Store interface {
	Load(context.Context) (Snapshot, error)
	Commit(context.Context, Tick) error
	Fold(context.Context, map[slo.ID]*budget.Ledger) error
	Forget(context.Context, ...slo.ID) error
	Due(context.Context, time.Time) ([]outbox.Owed, error)
	Begin(context.Context, []string, time.Time) error
	Settle(context.Context, string, outbox.Result) error
	Supersede(context.Context, ...string) error
	Root(context.Context, string, string) (outbox.Receipt, bool, error)
	Outbox(context.Context, OutboxFilter) ([]outbox.Owed, error)
	Depth(context.Context) (Depth, error)
	Deliveries(context.Context) ([]Delivery, error)
	Prune(context.Context, time.Time) error
	Incidents(context.Context, IncidentFilter) ([]alerting.Incident, error)
	Incident(context.Context, string) (alerting.Incident, bool, error)
	Reports(context.Context, string, int) ([]Report, error)
	Report(context.Context, string, string) (Report, bool, error)
	Close() error
}

func TestSQLite(t *testing.T) {
	testStore(t, func(t testing.TB) Store { return mustOpen(t, tempPath(t), Options{}) })
}

func testStore(t *testing.T, open func(testing.TB) Store) {
	t.Run("a tick is found again whole", func(t *testing.T) {
		db := open(t)
		tick := tickAt(0, "shop/pay", "shop/cart")
		must(t, db.Commit(context.Background(), tick))
		p := pictureOf(t, db)
		same(t, "state", p.States["shop/pay"], tick.Turns[0].State)
	})
}

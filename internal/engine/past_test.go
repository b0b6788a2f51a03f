package engine

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/store"
)

// cutOff is a store whose server never answers, and whose connection does not end.
type cutOff struct{ Store }

func (cutOff) Incident(ctx context.Context, _ string) (alerting.Incident, bool, error) {
	<-ctx.Done()
	return alerting.Incident{}, false, ctx.Err()
}

func (cutOff) Owes(ctx context.Context, _ string) (bool, error) {
	<-ctx.Done()
	return false, ctx.Err()
}

// The engine is locked while it reads what is over: nobody may wait for a server that is cut off,
// neither for one incident nor for several after one another.
func TestAStoreThatIsCutOffDoesNotHoldUpTheEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := pastOf(context.WithoutCancel(t.Context()), cutOff{}, incidents.Book{}, []string{"a/b/page/1", "a/b/page/2"})
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != pastPatience {
			t.Errorf("after %s: %v", took, err)
		}
	})
}

// So it is while it asks which messages of a tick that was refused the store has nevertheless: those of
// which that cannot be known are owed.
func TestAStoreThatIsCutOffDoesNotHoldUpWhatIsOwed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		b := backlog{store: cutOff{}, ticks: []store.Tick{{Owed: []outbox.Entry{{Key: "1"}, {Key: "2"}}}}}
		all := b.unsent(context.WithoutCancel(t.Context()))
		if took := time.Since(began); len(all) != 2 || took != pastPatience {
			t.Errorf("after %s: %+v", took, all)
		}
	})
}

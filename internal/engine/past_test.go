package engine

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/incidents"
)

// cutOff is a store whose server never answers, and whose connection does not end.
type cutOff struct{ Store }

func (cutOff) Incident(ctx context.Context, _ string) (alerting.Incident, bool, error) {
	<-ctx.Done()
	return alerting.Incident{}, false, ctx.Err()
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

package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/store"
)

// Do takes what a person did: it is written down before anything comes of it. An act whose key is known
// changes nothing. The act is dated now, unless it has a time of its own that has passed.
func (e *Engine) Do(ctx context.Context, a alerting.Act, now time.Time) error {
	if a.Key == "" || a.Kind == "" || a.By == "" {
		return errors.New("an act needs a key, a kind and somebody who does it")
	}
	if a.At.IsZero() || a.At.After(now) {
		a.At = now
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.Store.Commit(ctx, store.Tick{Acts: []alerting.Act{a}}); err != nil {
		return fmt.Errorf("write down the %s of %s: %w", a.Kind, a.By, err)
	}
	return nil
}

package prom

import (
	"context"
	"strings"
	"testing"
	"time"
)

// A fault of the program in one bundle is that bundle's failure. People read what it is; the stack
// is for the log.
func TestAPanicInOneBundleIsItsOwn(t *testing.T) {
	broken := task{name: "broken", work: func(context.Context, time.Time) outcomeOf {
		var nothing []int
		return outcomeOf{more: nothing[0] > 0}
	}}
	out := broken.do(t.Context(), time.Time{})
	if out.err == nil || out.err.Kind != Unusable || len(out.err.Stack) == 0 {
		t.Fatalf("got %+v", out.err)
	}
	if text := out.err.Error(); !strings.Contains(text, "slowburn has failed to read it") || strings.Contains(text, "goroutine") {
		t.Errorf("it says %q", text)
	}
}

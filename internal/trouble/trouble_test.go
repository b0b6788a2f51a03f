package trouble

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// TestTroubleIsLoggedWhenItBeginsOnceAMinuteAndWhenItIsOver: of four minutes in which something is
// tried each second, and of two short spells.
func TestTroubleIsLoggedWhenItBeginsOnceAMinuteAndWhenItIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				a.Value = slog.StringValue(a.Value.Time().UTC().Format("15:04:05"))
			}
			if source, ok := a.Value.Any().(*slog.Source); ok {
				a.Value = slog.StringValue(filepath.Base(source.File))
			}
			return a
		}, AddSource: true}))
		var s Spell
		s.Tried(log, "cannot read", nil)
		s.Tried(log, "cannot read", Known("said elsewhere"))
		for range 240 {
			s.Tried(log, "cannot read", errors.New("no answer"))
			s.Tried(log, "cannot read", fmt.Errorf("read: %w", Known("said elsewhere")))
			time.Sleep(time.Second)
		}
		for range 2 {
			s.Tried(log, "cannot read", nil)
		}
		s.Tried(log, "cannot read", errors.New("again"))
		want := `time=00:00:00 level=ERROR source=trouble_test.go msg="cannot read" err="no answer"
time=00:01:00 level=ERROR source=trouble_test.go msg="cannot read" err="no answer" since=2000-01-01T00:00:00.000Z tries=60
time=00:02:00 level=ERROR source=trouble_test.go msg="cannot read" err="no answer" since=2000-01-01T00:00:00.000Z tries=60
time=00:03:00 level=ERROR source=trouble_test.go msg="cannot read" err="no answer" since=2000-01-01T00:00:00.000Z tries=60
time=00:04:00 level=INFO source=trouble_test.go msg="over: cannot read" since=2000-01-01T00:00:00.000Z
time=00:04:00 level=ERROR source=trouble_test.go msg="cannot read" err=again
`
		if got := out.String(); got != want {
			t.Errorf("the log reads\n%s\nand should\n%s", got, want)
		}
	})
}

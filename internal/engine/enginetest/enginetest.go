// Package enginetest is what the tests of the engine, and of those that measure it, have in common.
package enginetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
)

// Mute is a composer that composes nothing.
type Mute struct{}

// Event composes nothing.
func (Mute) Event(incidents.Notification, outbox.Shown) []outbox.Entry { return nil }

// Together says that everything is told in one place.
func (Mute) Together(alerting.Input, alerting.Input) bool { return true }

// Act composes nothing.
func (Mute) Act(incidents.Done) []outbox.Entry { return nil }

// TellsEach reports that nothing is told.
func (Mute) TellsEach(alerting.Act) bool { return false }

// Report composes nothing.
func (Mute) Report(report.Report, string, time.Time) []outbox.Entry { return nil }

// Evidence composes nothing.
func (Mute) Evidence(incidents.Notification) []outbox.Entry { return nil }

// Notice composes nothing.
func (Mute) Notice(engine.Notice) []outbox.Entry { return nil }

// Permit composes nothing.
func (Mute) Permit(incidents.Permit) []outbox.Entry { return nil }

// Load reads SLO files as the daemon does.
func Load(t testing.TB, texts ...string) *slo.Set {
	t.Helper()
	var files []file.File
	for i, text := range texts {
		files = append(files, file.File{Name: fmt.Sprintf("slos-%d.yaml", i), Data: []byte(text)})
	}
	set, err := file.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

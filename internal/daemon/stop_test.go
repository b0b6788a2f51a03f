package daemon

import (
	"context"
	"net"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/notify/notifytest"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/store"
)

// TestAStopWritesDownWhatWasRefused: a message is decided and sent while the disk is full. There is
// space again when the daemon is stopped: the next one finds the message, as sent.
func TestAStopWritesDownWhatWasRefused(t *testing.T) {
	path, full := filepath.Join(t.TempDir(), "slowburn.db"), false
	a := openStoryIn(t, "", path, func(string) error {
		if full {
			return syscall.ENOSPC
		}
		return nil
	})
	if err := a.lead(t.Context()); err != nil {
		t.Fatal(err)
	}
	receivers, _, _ := twoReceivers(t, time.Now)
	a.Pump.SetReceivers(receivers)
	now := notifytest.Story("", false)[0].Event.Time()
	reminder := outbox.Entry{
		Key: "reminder", Receiver: "webhook", Lane: outbox.LaneTicket, Channel: "webhook", Thread: "reminder", Op: outbox.Post,
		Body: []byte("{}"), Created: now,
	}

	full = true
	incident := notifytest.Story("", false)[0].Incident.ID
	if err := a.Engine.OweBeside(t.Context(), now, []string{incident}, func(incidents.Notification) []outbox.Entry {
		return []outbox.Entry{reminder}
	}); err == nil {
		t.Fatal("the disk is not full")
	}
	if _, err := a.Pump.Pass(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	full = false
	var err error
	if a.Listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := a.Run(stopped); err != nil {
		t.Fatal(err)
	}

	next, err := store.Open(path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = next.Close() }()
	all, err := next.Outbox(t.Context(), store.OutboxFilter{Receiver: "webhook"})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 || all[0].Key != reminder.Key || all[0].State != outbox.Sent {
		t.Errorf("the next process finds %+v", all)
	}
}

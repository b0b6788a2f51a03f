package store

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
)

// TestTheLockFollowsLinks: a store is locked by whatever name it is opened.
func TestTheLockFollowsLinks(t *testing.T) {
	path := tempPath(t)
	elsewhere := t.TempDir()
	link, folder, early := filepath.Join(elsewhere, "link.db"), filepath.Join(elsewhere, "folder"), filepath.Join(elsewhere, "early.db")
	must(t, os.Symlink(path, link))
	must(t, os.Symlink(filepath.Dir(path), folder))
	must(t, os.Symlink(link, early))
	first, err := Open(early, Options{}) // through two links to a file that is not there yet
	must(t, err)
	defer first.Close()
	fill(t, first, 0, 1)
	names := []string{path, link, filepath.Join(folder, filepath.Base(path)), early}
	if runtime.GOOS == "linux" {
		hard := filepath.Join(filepath.Dir(path), "hard.db")
		must(t, os.Link(path, hard))
		names = append(names, hard)
	}
	for _, name := range names {
		if second, err := Open(name, Options{}); !errors.Is(err, ErrLocked) {
			t.Errorf("%s: %v", name, err)
			if err == nil {
				_ = second.Close()
			}
		}
	}
	reader, err := Open(link, Options{ReadOnly: true}) // as doctor does beside the daemon
	must(t, err)
	must(t, reader.Close())
	fill(t, first, 1, 1)
}

// TestWhatWasLostIsSaid: ticks that were written and are gone are noticed at the next start, and
// nothing else is taken for lost.
func TestWhatWasLostIsSaid(t *testing.T) {
	path := tempPath(t)
	db := mustOpen(t, path, Options{})
	fill(t, db, 0, 3)
	before := got(db.Load(background))(t)
	copyOf := func(suffixes ...string) string {
		to := filepath.Join(t.TempDir(), "slowburn.db")
		for _, suffix := range suffixes {
			must(t, os.WriteFile(to+suffix, got(os.ReadFile(path+suffix))(t), 0o600))
		}
		return to
	}
	for name, c := range map[string]struct {
		path string
		lost bool
	}{
		"killed":                    {copyOf("", "-wal", ".lock"), false},
		"the log is gone":           {copyOf("", ".lock"), true},
		"the log and the word, too": {copyOf(""), false}, // nobody can know
	} {
		again := mustOpen(t, c.path, Options{})
		snap := got(again.Load(background))(t)
		if snap.Lost.IsZero() == c.lost || c.lost && !snap.Lost.Equal(before.LastTick) {
			t.Errorf("%s: lost %s of %s, the newest tick is of %s", name, snap.Lost, before.LastTick, snap.LastTick)
		}
	}
	cut := copyOf("", "-wal", ".lock")
	wal := got(os.ReadFile(cut + "-wal"))(t)
	must(t, os.WriteFile(cut+"-wal", wal[:len(wal)*2/3], 0o600))
	if snap := got(mustOpen(t, cut, Options{}).Load(background))(t); !snap.Lost.Equal(before.LastTick) {
		t.Errorf("a log that was cut: lost %s, the newest tick is of %s", snap.Lost, snap.LastTick)
	}
	must(t, db.Close())
	if snap := got(mustOpen(t, path, Options{}).Load(background))(t); !snap.Lost.IsZero() || !snap.LastTick.Equal(before.LastTick) {
		t.Errorf("closed in good order: lost %s", snap.Lost)
	}
}

// TestOneUnreadableIncidentHidesNoOther: it is listed by what stands beside its record, by name.
func TestOneUnreadableIncidentHidesNoOther(t *testing.T) {
	db := mustOpen(t, tempPath(t), Options{})
	fill(t, db, 0, 20)
	whole := got(db.Incidents(background, IncidentFilter{}))(t)
	if len(whole) < 2 {
		t.Fatal("there is nothing to hide")
	}
	bad := whole[0]
	if _, err := db.w.ExecContext(background, `update incidents set data = 'x' where id = $1`, bad.ID); err != nil {
		t.Fatal(err)
	}
	all := got(db.Incidents(background, IncidentFilter{}))(t)
	if len(all) != len(whole) {
		t.Fatalf("%d of %d incidents", len(all), len(whole))
	}
	for n, i := range all {
		if i.Damaged != (i.ID == bad.ID) || i.ID != whole[n].ID || i.SLO != whole[n].SLO || i.Open != whole[n].Open || !i.Detected.Equal(whole[n].Detected) {
			t.Errorf("%+v", i)
		}
	}
	one, ok, err := db.Incident(background, bad.ID)
	if err != nil || !ok || !one.Damaged {
		t.Errorf("%+v, %t, %v", one, ok, err)
	}
	if _, err := db.Load(background); err != nil {
		t.Errorf("the daemon does not start: %v", err)
	}
	if i := damaged(`shop/pay{a="b/c"}/page/17`, `shop/pay{a="b/c"}`, true, at(1), time.Time{}); i.Rule != alerting.RulePage || i.Severity != alerting.Page || i.Duration() != 0 {
		t.Errorf("%+v", i)
	}
}

package store

import (
	"os"
	"sync"
	"testing"
	"time"
)

// TestTheLogIsTidiedBehindTheCommit: a storm writes more into the write-ahead log than it is to
// hold. While that is copied into the file, or cannot be, others commit. Once it was, the log
// begins anew. Nobody copies it twice at a time, and a close waits.
func TestTheLogIsTidiedBehindTheCommit(t *testing.T) {
	path := tempPath(t)
	reached, goOn := make(chan struct{}, 100), make(chan struct{})
	db := mustOpen(t, path, Options{Fault: func(op string) error {
		if op == "checkpoint" {
			reached <- struct{}{}
			<-goOn
		}
		return nil
	}})
	release := sync.OnceFunc(func() { close(goOn) })
	t.Cleanup(release) // before it is closed
	size := func(suffix string) int64 { return got(os.Stat(path + suffix))(t).Size() }
	before := size("")
	must(t, db.Commit(background, stormAt(4_000, 1)))
	select {
	case <-reached:
	case <-time.After(20 * time.Second):
		t.Fatal("nobody tidies the log")
	}
	fill(t, db, 100, 3)
	if size("") != before || size("-wal") < 2*tidyAbove || len(reached) > 0 {
		t.Fatalf("the log of %d bytes was copied into the file, of %d bytes and now %d, within a commit; %d more are at it", size("-wal"), before, size(""), len(reached))
	}
	release()
	for deadline := time.Now().Add(20 * time.Second); size("-wal") > tidyAbove; {
		if time.Now().After(deadline) {
			t.Fatalf("the log still has %d bytes", size("-wal"))
		}
		db.backend.(*file).running.Wait()
		must(t, db.Commit(background, Tick{Facts: map[string]string{"a": "b"}}))
	}
	if size("") < 2*tidyAbove {
		t.Errorf("the file has %d bytes, with %d before the storm", size(""), before)
	}
	open := len(got(db.Incidents(background, IncidentFilter{Open: true, Limit: 10_000}))(t))
	must(t, db.Close())
	if again := len(got(mustOpen(t, path, Options{}).Incidents(background, IncidentFilter{Open: true, Limit: 10_000}))(t)); again != open || open < 4_000 {
		t.Errorf("%d incidents are open, and %d after a restart", open, again)
	}
}

// TestTheLogIsBounded: if nobody could copy it behind the commits, one of them would.
func TestTheLogIsBounded(t *testing.T) {
	db := mustOpen(t, tempPath(t), Options{})
	var pages, size int64
	must(t, db.w.QueryRow("pragma wal_autocheckpoint").Scan(&pages))
	must(t, db.w.QueryRow("pragma page_size").Scan(&size))
	if pages*size != mostLogged {
		t.Errorf("a commit copies a log of %d pages of %d bytes", pages, size)
	}
}

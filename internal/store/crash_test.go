package store

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/store/pgtest"
	"github.com/slowburn-sre/slowburn/slo"
)

// The tests of this file run this test program again as a child: to be killed, or to hold the store
// open. childMode and childPath say what it does.
const (
	childMode = "STORE_TEST_CHILD"
	childPath = "STORE_TEST_PATH"
)

func TestMain(m *testing.M) {
	mode, path := os.Getenv(childMode), os.Getenv(childPath)
	if mode == "" {
		// Enough for a run of all tests; the flag on the command line goes before.
		_ = flag.Set("rapid.checks", "50")
		code := m.Run()
		pgtest.Stop()
		os.Exit(code)
	}
	if err := runChild(mode, path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func child(t testing.TB, mode, path string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childMode+"="+mode, childPath+"="+path)
	cmd.Stderr = os.Stderr
	return cmd
}

func runChild(mode, path string) error {
	if n, ok := strings.CutPrefix(mode, "die at "); ok {
		return dieAt(path, n)
	}
	if mode == "member" {
		return runMember(path)
	}
	if mode == "pager" {
		return runPager(path)
	}
	db, err := Open(path, Options{})
	if err != nil {
		return err
	}
	fmt.Println("open")
	if mode == "commit" {
		return commitOn(db)
	}
	_, err = bufio.NewReader(os.Stdin).ReadString('\n') // hold it until the parent is done
	return err
}

// commitOn goes on where the store was left, folds now and then, and says when a tick is kept.
func commitOn(db *DB) error {
	snap, err := db.Load(background)
	if err != nil {
		return err
	}
	for n := int(max(snap.Accounts["shop/pay"].State.Through-minute(0), 0)); ; n++ {
		if err := db.Commit(background, tickAt(n, "shop/pay", "shop/cart")); err != nil {
			return err
		}
		fmt.Println(n)
		if n%7 == 6 {
			if err := db.Fold(background, nil); err != nil {
				return err
			}
		}
	}
}

// dieAt runs the script and kills its own process at the n-th step.
func dieAt(path, n string) error {
	left, err := strconv.Atoi(n)
	if err != nil {
		return err
	}
	db, err := Open(path, Options{Fault: func(string) error {
		if left--; left < 0 {
			self, _ := os.FindProcess(os.Getpid())
			_ = self.Kill()
			select {}
		}
		return nil
	}})
	if err != nil {
		return err
	}
	for _, step := range script {
		fmt.Println("begun") // the parent counts how far it came
		if err := step(db); err != nil {
			return err
		}
	}
	return nil
}

// script is a life of a store in which everything happens once. Each step may be repeated.
var script = []func(Store) error{
	func(db Store) error { return db.Commit(background, tickAt(0, "shop/pay", "shop/cart")) },
	func(db Store) error {
		_, err := db.Begin(background, []outbox.Claim{{Key: entryAt("shop/pay", 0).Key}}, at(1))
		return err
	},
	func(db Store) error {
		return db.Settle(background, entryAt("shop/pay", 0).Key, outbox.Result{State: outbox.Sent, At: at(1)})
	},
	func(db Store) error {
		tick := tickAt(1, "shop/pay", "shop/new", "shop/cart")
		tick.Reports = []Report{{Name: "weekly", Period: "2026-W47", To: at(1)}}
		return db.Commit(background, tick)
	},
	func(db Store) error { return db.Fold(background, nil) },
	func(db Store) error { return db.Commit(background, tickAt(2, "shop/pay", "shop/new")) },
	func(db Store) error { return db.Forget(background, "shop/cart") },
	func(db Store) error { return db.Commit(background, tickAt(3, "shop/pay", "shop/cart")) },
	func(db Store) error { return db.Prune(background, at(100)) },
	func(db Store) error { return db.DropDays(background, at(-5000)) },
	func(db Store) error { return db.Fold(background, nil) },
}

// pictures are the store before the script's first step and after each.
func pictures(t *testing.T) []picture {
	t.Helper()
	db := mustOpen(t, tempPath(t), Options{})
	all := []picture{pictureOf(t, db)}
	for _, step := range script {
		must(t, step(db))
		all = append(all, pictureOf(t, db))
	}
	return all
}

var errFault = errors.New("injected")

// Law 5 at the level of the store: whatever fails, the store is as it was before or as it is after.
func TestFailingAtAnyStepLeavesTheStoreBeforeOrAfter(t *testing.T) {
	want := pictures(t)
	for n := 0; ; n++ {
		if done := failAt(t, n, want); done {
			if n < 60 {
				t.Errorf("only %d steps were tried", n)
			}
			return
		}
	}
}

func TestAFailedMigrationIsDoneAgain(t *testing.T) {
	path := tempPath(t)
	if _, err := Open(path, Options{Fault: func(string) error { return errFault }}); !errors.Is(err, errFault) {
		t.Fatalf("got %v", err)
	}
	fill(t, mustOpen(t, path, Options{}), 0, 1)
}

// The engine goes on after a commit that failed, and commits the tick again. What the store
// remembers of the failed one must not get into its way.
func TestAFailedCommitIsDoneAgainWithoutARestart(t *testing.T) {
	for n := range 9 { // begin, six kinds of content, commit, done
		left := n
		path := place(t, emptyStore())
		db := mustOpen(t, path, Options{Fault: func(string) error {
			if left--; left == -1 {
				return errFault
			}
			return nil
		}})
		tick := tickAt(0, "shop/pay", "shop/cart")
		if err := db.Commit(background, tick); !errors.Is(err, errFault) {
			t.Fatalf("step %d: %v", n, err)
		}
		must(t, db.Commit(background, tick))
		must(t, db.Close())
		p := pictureOf(t, mustOpen(t, path, Options{}))
		for _, turn := range tick.Turns {
			same(t, "state", p.States[turn.SLO], turn.State)
			same(t, "slots", len(p.Ledgers[turn.SLO]), 2) // the minute and the sum of its hour
		}
	}
}

// failAt fails the n-th step, and reports whether the script ended before.
func failAt(t *testing.T, n int, want []picture) bool {
	path, left, where := place(t, emptyStore()), n, ""
	fault := func(op string) error {
		if left--; left == -1 {
			where = op
			return fmt.Errorf("%w: %w", errFault, syscall.ENOSPC)
		}
		return nil
	}
	db := mustOpen(t, path, Options{Fault: fault})
	for i, step := range script {
		before := left
		if err := step(db); err == nil {
			continue
		} else if !isDiskFull(err) || before < 0 {
			t.Fatalf("%s: %v", where, err)
		}
		db.Close()
		db = mustOpen(t, path, Options{Fault: fault})
		expectEither(t, where, pictureOf(t, db), want[i], want[i+1])
		must(t, step(db)) // what failed can be done again
		same(t, where+", once more", pictureOf(t, db), want[i+1])
	}
	same(t, where+", to the end", pictureOf(t, db), want[len(want)-1])
	must(t, db.Close())
	return left >= 0
}

func expectEither(t *testing.T, where string, got, before, after picture) {
	t.Helper()
	done := strings.HasSuffix(where, ".done")
	if done {
		same(t, where, got, after)
	} else {
		same(t, where, got, before)
	}
}

func TestBeingKilledAtAnyStepLeavesTheStoreBeforeOrAfter(t *testing.T) {
	want := pictures(t)
	stride := 5
	if testing.Short() {
		stride = 11
	}
	for n := 0; ; n += stride {
		path := tempPath(t)
		out, err := child(t, fmt.Sprint("die at ", n), path).Output()
		step := strings.Count(string(out), "begun")
		got := pictureOf(t, mustOpen(t, path, Options{}))
		if err == nil {
			same(t, "to the end", got, want[len(want)-1])
			return
		}
		if !isOneOf(got, want[max(step-1, 0):step+1]) {
			t.Fatalf("killed at %d, in step %d: the store is neither before nor after", n, step)
		}
	}
}

func isOneOf(got picture, want []picture) bool {
	for _, w := range want {
		if diff(got, w) == "" {
			return true
		}
	}
	return false
}

// A process that is killed at a moment nobody chose has kept every tick that it acknowledged.
func TestAKilledProcessKeepsEveryAcknowledgedTick(t *testing.T) {
	path := tempPath(t)
	rng := rand.New(rand.NewPCG(1, 2))
	acked := -1
	for range 10 {
		acked = killAfter(t, path, acked+1+rng.IntN(20))
		db := mustOpen(t, path, Options{})
		snap := got(db.Load(background))(t)
		for i, id := range []slo.ID{"shop/pay", "shop/cart"} {
			expectTicks(t, id, snap.Accounts[id], i, acked)
		}
		if _, ok := got2(db.Incident(background, incidentAt("shop/pay", acked, true).ID))(t); !ok {
			t.Fatalf("the incident of tick %d is lost", acked)
		}
		must(t, db.Close())
	}
}

// expectTicks fails unless the account has every tick up to the last acknowledged one, and no more
// than one that was not.
func expectTicks(t *testing.T, id slo.ID, a Account, turn, acked int) {
	t.Helper()
	if n := int(a.State.Through - minute(acked+1)); n != 0 && n != 1 {
		t.Fatalf("%s is %d ticks away from what was acknowledged", id, n)
	}
	for n := range int(a.State.Through - minute(0)) {
		want := tickAt(n, "shop/pay", "shop/cart").Turns[turn].Slots[0].Slot
		if s := a.Ledger.At(minute(n)); s != want {
			t.Fatalf("%s has %+v at minute %d of %d", id, s, n, acked)
		}
	}
}

// killAfter lets a child commit until it has acknowledged n ticks, kills it in the midst of
// whatever it does then, and returns the last tick it acknowledged.
func killAfter(t *testing.T, path string, n int) int {
	t.Helper()
	cmd := child(t, "commit", path)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	acked := -1
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if k, err := strconv.Atoi(lines.Text()); err == nil {
			acked = k
		}
		if n >= 0 && acked >= n { // it may go on one tick after what was acknowledged
			must(t, cmd.Process.Kill())
			n = -1 // read on to what it said before it died
		}
	}
	if err := cmd.Wait(); err == nil || acked < 0 {
		t.Fatalf("the child ended by itself, after %d", acked)
	}
	return acked
}

func TestASecondProcessIsRefusedAndToldWhoHasTheStore(t *testing.T) {
	path := tempPath(t)
	cmd := child(t, "hold", path)
	out, err := cmd.StdoutPipe()
	must(t, err)
	_, err = cmd.StdinPipe()
	must(t, err)
	must(t, cmd.Start())
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "open\n" {
		t.Fatalf("the child said %q, %v", line, err)
	}

	db, err := Open(path, Options{})
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), fmt.Sprint("process ", cmd.Process.Pid)) {
		t.Errorf("got %v, %v", db, err)
	}
	reader := mustOpen(t, path, Options{ReadOnly: true})
	if _, err := reader.Incidents(background, IncidentFilter{}); err != nil {
		t.Errorf("reading beside it: %v", err)
	}
	if err := reader.Commit(background, tickAt(0, "shop/pay")); err == nil {
		t.Error("a reader wrote")
	}
	must(t, reader.Close())

	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	mustOpen(t, path, Options{}) // the lock went with the process
}

func TestTheSameProcessCannotOpenAStoreTwice(t *testing.T) {
	path := tempPath(t)
	db := mustOpen(t, path, Options{})
	if _, err := Open(path, Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("got %v", err)
	}
	must(t, db.Close())
	mustOpen(t, path, Options{})
}

func TestAFullDiskIsNamedAndPassesByItself(t *testing.T) {
	db := mustOpen(t, tempPath(t), Options{})
	fill(t, db, 0, 5)
	before := pictureOf(t, db)
	limitPages(t, db, "1") // SQLite raises it to the present size
	tick := tickAt(5, "shop/pay", "shop/cart")
	tick.Marks["big"] = make([]byte, 1<<20)
	err := db.Commit(background, tick)
	if !isDiskFull(err) || !strings.Contains(err.Error(), "free some space") {
		t.Fatalf("got %v", err)
	}
	same(t, "on the full disk", pictureOf(t, db), before)
	limitPages(t, db, "1000000")
	must(t, db.Commit(background, tick))
	same(t, "mark", len(pictureOf(t, db).Marks["big"]), 1<<20)
}

func limitPages(t *testing.T, db *DB, n string) {
	t.Helper()
	_, err := db.w.Exec("pragma max_page_count = " + n)
	must(t, err)
}

func TestAFileThatWasTakenAwayIsNoticed(t *testing.T) {
	path := tempPath(t)
	db := mustOpen(t, path, Options{})
	must(t, os.RemoveAll(filepath.Dir(path)))
	if err := db.Commit(background, tickAt(0, "shop/pay")); !errors.Is(err, ErrGone) {
		t.Errorf("got %v", err)
	}
	db.Close()
	fill(t, mustOpen(t, path, Options{}), 0, 1)
}

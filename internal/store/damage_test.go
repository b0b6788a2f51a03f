package store

import (
	"bytes"
	"compress/gzip"
	"database/sql"
	"errors"
	"flag"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/slowburn-sre/slowburn/alerting"
)

// sample is a small store, closed, and what it holds. The golden files hold the same: do not change
// it.
func sample(t testing.TB) ([]byte, picture) {
	t.Helper()
	path := tempPath(t)
	db := mustOpen(t, path, Options{})
	fill(t, db, 0, 20)
	must(t, db.Fold(background, nil))
	fill(t, db, 20, 20)
	p := pictureOf(t, db)
	must(t, db.Close())
	return got(os.ReadFile(path))(t), p
}

// place writes a file as a store would find it, and returns its path.
func place(t testing.TB, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "slowburn.db")
	must(t, os.WriteFile(path, content, 0o600))
	return path
}

// tryAll opens a store and reads everything in it.
func tryAll(path string) error {
	db, err := Open(path, Options{})
	if err != nil {
		return err
	}
	defer db.Close()
	for _, read := range []func() error{
		func() error { _, err := db.Load(background); return err },
		func() error { _, err := db.Outbox(background, OutboxFilter{}); return err },
		func() error { _, err := db.Incidents(background, IncidentFilter{}); return err },
		func() error { _, err := db.Reports(background, "", 0); return err },
	} {
		if err := read(); err != nil {
			return err
		}
	}
	return nil
}

// expectRefused fails unless the file is refused with a hint, and left as it was.
func expectRefused(t *testing.T, sentence string, content []byte, want error) {
	t.Helper()
	path := place(t, content)
	err := tryAll(path)
	var e *Error
	if !errors.Is(err, want) || !errors.As(err, &e) || !strings.Contains(e.Hint, "nothing was changed") {
		t.Errorf("%s: got %v", sentence, err)
	}
	if !bytes.Equal(got(os.ReadFile(path))(t), content) {
		t.Errorf("%s: the file was changed", sentence)
	}
}

func TestDamagedFilesAreRefusedAndLeftAlone(t *testing.T) {
	whole, _ := sample(t)
	junk := make([]byte, 8192)
	for i := range junk {
		junk[i] = byte(i * 31)
	}
	expectRefused(t, "junk", junk, ErrCorrupt)
	expectRefused(t, "a text", []byte("hello\n"), ErrCorrupt)
	expectRefused(t, "a header and junk", append(bytes.Clone(whole[:100]), junk...), ErrCorrupt)
	for _, n := range []int{1, 15, 16, 50, 99, 100, 101, 512, 4095, 4096, 4097, len(whole) / 2, len(whole) - 4096, len(whole) - 1} {
		expectRefused(t, "cut off", whole[:n], ErrCorrupt)
	}
}

func TestAnEmptyFileIsANewStore(t *testing.T) {
	path := place(t, nil)
	db := mustOpen(t, path, Options{})
	fill(t, db, 0, 1)
}

// A flipped bit is noticed, or it changes nothing that is read.
func TestFlippedBitsAreNoticed(t *testing.T) {
	whole, want := sample(t)
	rng := rand.New(rand.NewPCG(3, 4))
	noticed := 0
	const tries = 60
	for range tries {
		content := bytes.Clone(whole)
		at, bit := rng.IntN(len(content)), byte(1)<<rng.IntN(8)
		for content[at] == 0 { // most of a small store is unused space
			at = (at + 1) % len(content)
		}
		content[at] ^= bit
		path := place(t, content)
		err := tryAll(path)
		if err != nil {
			noticed++
			var e *Error
			if !errors.As(err, &e) || e.Hint == "" {
				t.Errorf("bit %d of byte %d: an error without advice: %v", bit, at, err)
			}
			continue
		}
		db := mustOpen(t, path, Options{})
		if all, err := db.Incidents(background, IncidentFilter{}); err == nil && slices.ContainsFunc(all, func(i alerting.Incident) bool { return i.Damaged }) {
			noticed++
			continue
		}
		got := pictureOf(t, db)
		if d := diff(protected(got), protected(want)); d != "" {
			t.Errorf("bit %d of byte %d went unnoticed (-want +got):\n%s", bit, at, d)
		}
	}
	t.Logf("%d of %d flips were noticed; the others hit what is not read", noticed, tries)
}

// protected is what checksums cover: all but what happened to an entry, when the last tick was, and
// the texts of reports.
func protected(p picture) picture {
	p.Outbox, p.Reports, p.Last = nil, nil, at(0)
	return p
}

// A write-ahead log that was cut off or damaged keeps whole ticks up to the damage.
func TestADamagedLogKeepsTheTicksBeforeTheDamage(t *testing.T) {
	path := tempPath(t)
	db := mustOpen(t, path, Options{})
	history := []picture{pictureOf(t, db)}
	for n := range 8 {
		fill(t, db, n, 1)
		history = append(history, pictureOf(t, db))
	}
	file, wal := got(os.ReadFile(path))(t), got(os.ReadFile(path+"-wal"))(t)
	rng := rand.New(rand.NewPCG(5, 6))
	last := -1
	for range 20 {
		n := rng.IntN(len(wal))
		damaged := bytes.Clone(wal[:n])
		if n%2 == 0 {
			damaged = bytes.Clone(wal)
			damaged[n] ^= 1 << rng.IntN(8)
		}
		copied := place(t, file)
		must(t, os.WriteFile(copied+"-wal", damaged, 0o600))
		db, err := Open(copied, Options{})
		if err != nil {
			t.Fatalf("cut at %d: %v", n, err)
		}
		if !isOneOf(pictureOf(t, db), history) {
			t.Fatalf("damaged at %d of %d: not a whole number of ticks", n, len(wal))
		}
		must(t, db.Close())
		last = max(last, n)
	}
}

func TestALogWithoutItsDatabaseIsNotThrownAway(t *testing.T) {
	for _, sentence := range []string{"the database is missing", "the database is empty"} {
		path := place(t, nil)
		if sentence == "the database is missing" {
			must(t, os.Remove(path))
		}
		must(t, os.WriteFile(path+"-wal", []byte("something"), 0o600))
		if _, err := Open(path, Options{}); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: got %v", sentence, err)
		}
		same(t, sentence, string(got(os.ReadFile(path+"-wal"))(t)), "something")
	}
}

// makeSQLite makes a file with another program's hands.
func makeSQLite(t *testing.T, content []byte, statements string) []byte {
	t.Helper()
	path := place(t, content)
	db, err := sql.Open("sqlite", path)
	must(t, err)
	_, err = db.Exec(statements)
	must(t, err)
	must(t, db.Close())
	return got(os.ReadFile(path))(t)
}

func TestFilesOfOthersAreRefusedAndLeftAlone(t *testing.T) {
	whole, _ := sample(t)
	expectRefused(t, "a newer schema", makeSQLite(t, whole, "pragma user_version = 99"), ErrNewer)
	expectRefused(t, "another program's database", makeSQLite(t, nil, "create table a (b)"), ErrForeign)
	expectRefused(t, "another program's, with a log", makeSQLite(t, nil, "pragma journal_mode = wal; create table a (b)"), ErrForeign)
	expectRefused(t, "a named program's", makeSQLite(t, nil, "pragma application_id = 7; create table a (b)"), ErrForeign)
}

func TestPathsThatCannotWorkHaveAHint(t *testing.T) {
	dir := t.TempDir()
	file := place(t, []byte("x"))
	for _, test := range []struct{ sentence, path, hint string }{
		{"a directory", dir, "name a file in it"},
		{"below a file", filepath.Join(file, "slowburn.db"), "a part of the path is a file"},
	} {
		_, err := Open(test.path, Options{})
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(e.Hint, test.hint) || e.Op != "open" || e.Path != test.path {
			t.Errorf("%s: got %v", test.sentence, err)
		}
	}
	if _, err := Open(filepath.Join(dir, "missing.db"), Options{ReadOnly: true}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reading what is not there: %v", err)
	}
}

func TestOddPathsWork(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b", "50% ü?mode=ro#x", "slow&burn.db")
	db := mustOpen(t, path, Options{})
	fill(t, db, 0, 1)
	info := got(os.Stat(path))(t)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %s", info.Mode())
	}
}

var update = flag.Bool("update", false, "write the golden file of the newest schema")

// Every schema that was ever released can be read. A golden file is written once, with -update, and
// then kept for ever.
func TestEveryReleasedSchemaCanBeRead(t *testing.T) {
	whole, want := sample(t)
	const golden = "testdata/v1.db.gz"
	if *update {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		got(w.Write(whole))(t)
		must(t, w.Close())
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile(golden, b.Bytes(), 0o644))
	}
	r := got(gzip.NewReader(bytes.NewReader(got(os.ReadFile(golden))(t))))(t)
	path := place(t, got(io.ReadAll(r))(t))
	db := mustOpen(t, path, Options{})
	same(t, golden, pictureOf(t, db), want)
	fill(t, db, 40, 1)
}

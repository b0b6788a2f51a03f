package store

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/store/pgtest"
)

// noted is an act of a test.
func noted(n int) alerting.Act {
	return alerting.Act{
		Key: fmt.Sprint("note/", n), At: at(n), Received: at(n), Kind: alerting.Remark, By: "Ada", Via: "api", Incident: "shop/pay/page/0", Text: fmt.Sprint("note ", n),
	}
}

// tell stores acts one by one, each in a transaction of its own.
func tell(t testing.TB, db Store, from, to int) {
	t.Helper()
	for n := from; n <= to; n++ {
		must(t, db.Commit(background, Tick{Acts: []alerting.Act{noted(n)}}))
	}
}

// faults returns what is wrong with a log, in short.
func faults(a Audit) string {
	var all []string
	for _, f := range a.Faults {
		all = append(all, fmt.Sprintf("%s %d-%d", f.Kind, f.From, f.To))
	}
	return strings.Join(all, ", ")
}

// change writes past the store, as whoever has the database may.
func change(t testing.TB, db Store, statement string) {
	t.Helper()
	got(db.(*DB).w.ExecContext(background, statement))(t)
}

func testChain(t *testing.T, db Store) {
	same(t, "an empty log", faults(got(db.Verify(background, Place{}))(t)), "")
	tell(t, db, 1, 3)
	must(t, db.Commit(background, Tick{Acts: []alerting.Act{noted(4), noted(2), noted(5)}})) // one of them once more
	whole := got(db.Verify(background, Place{}))(t)
	if faults(whole) != "" || whole.Acts != 5 || whole.Head.Seq != 5 || whole.First != 1 || !whole.Began.IsZero() || whole.Until != whole.Head {
		t.Fatalf("a whole log: %+v", whole)
	}
	tell(t, db, 6, 7)
	since := got(db.Verify(background, whole.Until, whole.Head, Place{3, got(hashOf(db, 3))(t)[:leastHash]}))(t)
	if faults(since) != "" || since.Acts != 2 || since.Head.Seq != 7 {
		t.Errorf("what came since: %+v", since)
	}
	same(t, "a head that was never told", faults(got(db.Verify(background, Place{}, Place{6, strings.Repeat("0", 16)}))(t)), "told 6-6")
	same(t, "a head beyond the end", faults(got(db.Verify(background, Place{}, Place{8, whole.Head.Hash}))(t)), "told 8-8")

	text := got(textOf(db, 4))(t)
	edited := strings.Replace(text, "Ada", "Bob", 1)
	quoted := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	resealed := fmt.Sprintf(`data = %s, sum = %d`, quoted(edited), textSum(edited))
	before, hash7 := got(hashOf(db, 3))(t), got(hashOf(db, 7))(t)
	last := strings.Replace(got(textOf(db, 7))(t), "Ada", "Bob", 1)
	for _, c := range []struct{ what, do, undo, want string }{
		{"a row is edited", `update acts set data = ` + quoted(edited) + ` where seq = 4`, `update acts set data = ` + quoted(text) + ` where seq = 4`, "altered 4-4"},
		{"with its checksum", `update acts set ` + resealed + ` where seq = 4`, "", "altered 4-4"},
		{
			"and its hash", `update acts set ` + resealed + `, hash = '` + sealAct(before, 4, edited) + `' where seq = 4`,
			fmt.Sprintf(`update acts set data = %s, sum = %d, hash = '%s' where seq = 4`, quoted(text), textSum(text), sealAct(before, 4, text)), "altered 5-5",
		},
		{
			"the last row, with checksum and hash",
			fmt.Sprintf(`update acts set data = %s, sum = %d, hash = '%s' where seq = 7`, quoted(last), textSum(last), sealAct(got(hashOf(db, 6))(t), 7, last)),
			fmt.Sprintf(`update acts set data = %s, sum = %d, hash = '%s' where seq = 7`, quoted(got(textOf(db, 7))(t)), textSum(got(textOf(db, 7))(t)), hash7), "head 7-7",
		},
		{"a column by which it is found", `update acts set kind = 'work' where seq = 2`, `update acts set kind = 'remark' where seq = 2`, "misfiled 2-2"},
		{"its time", `update acts set at = at + 1 where seq = 2`, `update acts set at = at - 1 where seq = 2`, "misfiled 2-2"},
		{"rows change places", `update acts set seq = case seq when 2 then 103 else 102 end where seq in (2, 3)`, `update acts set seq = case seq when 103 then 2 else 3 end where seq > 100`, "missing 2-3, head 7-103, missing 8-101, altered 103-103"},
	} {
		change(t, db, c.do)
		if got := faults(got(db.Verify(background, Place{}))(t)); got != c.want && !strings.HasPrefix(c.what, "rows change") || got == "" {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
		if c.undo != "" {
			change(t, db, c.undo)
			same(t, "after "+c.what, faults(got(db.Verify(background, Place{}))(t)), "")
		}
	}
	change(t, db, `delete from acts where seq in (3, 4)`)
	same(t, "rows are deleted", faults(got(db.Verify(background, Place{}))(t)), "missing 3-4")
	change(t, db, `delete from acts where seq = 7`)
	same(t, "the last one, too", faults(got(db.Verify(background, Place{}))(t)), "missing 3-4, missing 7-7")
	tell(t, db, 8, 9) // it goes on
	same(t, "and after others", faults(got(db.Verify(background, Place{}))(t)), "missing 3-4, missing 7-7")
	change(t, db, `delete from chain`)
	tell(t, db, 10, 10)
	if got := faults(got(db.Verify(background, Place{}, since.Head))(t)); !strings.Contains(got, "told 7-7") {
		t.Errorf("what was told is missing: %q", got)
	}
}

func hashOf(db Store, seq int64) (hash string, err error) {
	err = db.(*DB).w.QueryRowContext(background, sqlHash, seq).Scan(&hash)
	return hash, err
}

func textOf(db Store, seq int64) (text string, err error) {
	err = db.(*DB).w.QueryRowContext(background, `select data from acts where seq = $1`, seq).Scan(&text)
	return text, err
}

// What was stored by any version must have the same hash for ever: these lines are never changed.
func TestTheEncodingOfAnActStaysAsItIs(t *testing.T) {
	full := alerting.Act{
		Key: "change/shop/deploy/v2/1", At: at(1), Kind: alerting.Changed, By: "Ädä <&>", Via: "api", Who: "token ci", Received: at(3), Said: at(2),
		Incident: "i", SLO: "shop/pay", Service: "shop", Text: "a \"note\"\nof two lines\u2028", Since: at(4), Until: at(5).In(time.FixedZone("", 3600)), Other: "o",
		Level: alerting.Page, Facts: map[string]string{"b": "2", "a": "1"},
		Change: &alerting.Change{
			Kind: "deploy", Title: "v2", Version: "2", Link: "https://x", Start: at(1), End: at(2), Failed: true, Commit: at(0), Spend: 500,
		},
	}
	db := mustOpen(t, tempPath(t), Options{})
	must(t, db.Commit(background, Tick{Acts: []alerting.Act{{Key: "k", At: at(0), Kind: alerting.Remark, By: "Ada", Via: "cli"}, full}}))
	var out strings.Builder
	for seq := range int64(2) {
		fmt.Fprintf(&out, "%s\n%s\n", got(textOf(db, seq+1))(t), got(hashOf(db, seq+1))(t))
	}
	const golden = "testdata/acts.txt"
	if *update {
		must(t, os.WriteFile(golden, []byte(out.String()), 0o644))
	}
	same(t, golden, out.String(), string(got(os.ReadFile(golden))(t)))
}

// A store from before has its chain from the migration on, and its acts are sealed as they are
// found.
func TestTheChainBeginsAtTheMigration(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) (before *sql.DB, after func() *DB){
		"SQLite": func(t *testing.T) (*sql.DB, func() *DB) {
			path := filepath.Join(t.TempDir(), "old.db")
			old := got(sql.Open("sqlite", dsn(path, "_pragma=journal_mode(wal)")))(t)
			for v := 1; v < chainVersion; v++ {
				must(t, migrateTo(background, old, v))
			}
			return old, func() *DB { must(t, old.Close()); return mustOpen(t, path, Options{}) }
		},
		"PostgreSQL": func(t *testing.T) (*sql.DB, func() *DB) {
			address := pgtest.Database(t)
			cfg := got(parseAddress(address))(t)
			old := (&server{cfg: cfg, times: usualTimes}).pool(1, `select 1`)
			t.Cleanup(func() { old.Close() })
			got(old.Exec(sqlMeta))(t)
			for v := 1; v < chainVersion; v++ {
				got(old.Exec(forServer.Replace(got(migration(v))(t))))(t)
			}
			got(old.Exec(sqlSetVersion, chainVersion-1, 4))(t)
			return old, func() *DB { return mustLead(t, address) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			old, migrated := open(t)
			for _, seq := range []int{1, 2, 4, 5} { // the key of the third was known already
				text, sum, err := jsonText(noted(seq))
				must(t, err)
				a := noted(seq)
				got(old.ExecContext(context.Background(), `insert into acts (seq, key, at, kind, incident, slo, service, data, sum)
					values ($1, $2, $3, $4, $5, '', '', $6, $7)`, seq, a.Key, nanos(a.At), string(a.Kind), a.Incident, text, sum))(t)
			}
			got(old.Exec(sqlSet, 6, "act"))(t)
			db := migrated()
			tell(t, db, 7, 8)
			a := got(db.Verify(background, Place{}))(t)
			if faults(a) != "" || a.Acts != 6 || a.First != 7 || a.Began.IsZero() {
				t.Errorf("%+v", a)
			}
			change(t, db, `delete from acts where seq = 2`)
			same(t, "one from before is deleted", faults(got(db.Verify(background, Place{}))(t)), "altered 4-4")
			change(t, db, `delete from acts where seq = 7`)
			same(t, "the first one after", faults(got(db.Verify(background, Place{}))(t)), "altered 4-4, missing 7-7")
		})
	}
}

// A row that cannot be read keeps nobody from starting, and is shown as far as it can be.
func TestADamagedActHidesNoOther(t *testing.T) {
	path := tempPath(t)
	db := mustOpen(t, path, Options{})
	silence := alerting.Act{Key: "s", At: at(1), Kind: alerting.Silence, By: "Ada", Via: "api", Service: "shop", Until: at(100)}
	other := silence
	other.Key, other.At = "t", at(2)
	must(t, db.Commit(background, Tick{Acts: []alerting.Act{silence, other}}))
	change(t, db, `update acts set data = '{' where key = 's'`)
	same(t, "a restart has the other", got(db.Load(background))(t).Acts, []alerting.Act{other})
	same(t, "so do lists", got(db.Acts(background, ActFilter{}))(t), []alerting.Act{other})
	damaged := alerting.Act{Key: "s", At: at(1), Kind: alerting.Silence, Service: "shop", Damaged: true}
	same(t, "the log has both", got(db.Acts(background, ActFilter{Damaged: true}))(t), []alerting.Act{other, damaged})
	same(t, "it is found", faults(got(db.Verify(background, Place{}))(t)), "altered 1-1")
}

func TestHeadsAreReadAsTheyAreTold(t *testing.T) {
	p := Place{1234, "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}
	read := got(ParsePlace(p.String()))(t)
	if p.String() != "1234:9f86d081884c7d65" || read.Seq != 1234 || !strings.HasPrefix(p.Hash, read.Hash) || p.Number() != 0x9f86d081884c || (Place{}).String() != "" {
		t.Errorf("%s, %+v, %x", p, read, p.Number())
	}
	for _, wrong := range []string{"", "1234", "x:9f86d081884c7d65", "0:9f86d081884c7d65", "1:9f86d081884", "1:9f86d081884x7d65", "1:9f86d081884cx"} {
		if _, err := ParsePlace(wrong); err == nil {
			t.Errorf("%q is a head", wrong)
		}
	}
}

package store

import (
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/slowburn-sre/slowburn/internal/store/pgtest"
)

// openAt opens the store in a database.
func openAt(t testing.TB, address string, opts Options, times times) *DB {
	t.Helper()
	db, err := openPostgres(background, address, opts, times)
	must(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

// mustLead opens the store in a database and leads it.
func mustLead(t testing.TB, address string) *DB {
	t.Helper()
	db := openAt(t, address, Options{}, usualTimes)
	got(db.Lead(background, nil))(t)
	return db
}

// Whatever is wrong with a server or its address, the error says what to do.
func TestWhatIsWrongWithAServerIsAnswered(t *testing.T) {
	server := pgtest.Shared(t)
	on := func(statements string) func(*testing.T) string {
		return func(t *testing.T) string {
			address := server.Make(t)
			run(t, address, statements)
			return address
		}
	}
	as := func(role, options string) func(*testing.T) string {
		return func(t *testing.T) string {
			address := on(fmt.Sprintf(`create role %s %s; grant all on schema public to %[1]s`, role, options))(t)
			return strings.Replace(address, "user=slowburn", "user="+role, 1)
		}
	}
	for _, c := range []struct {
		name    string
		address func(*testing.T) string
		want    string
	}{
		{"no server", func(*testing.T) string { return "host=/nowhere/at/all user=slowburn dbname=slowburn" }, hintServerGone},
		{"no database", func(*testing.T) string { return server.Address("nothing") }, hintNoDatabase},
		{"a user who may not log in", as("nologin", "nologin"), hintLogin},
		{"a user who may make nothing", as("poor", "login"), hintRights},
		{"a user who only reads", as("reader", "superuser login; alter role reader set default_transaction_read_only = on"), hintReadOnly},
		{"two hosts that only read", func(t *testing.T) string {
			a := as("reads", "superuser login; alter role reads set default_transaction_read_only = on")(t)
			return strings.Replace(a, "host="+server.Dir, "host="+server.Dir+",127.0.0.1", 1)
		}, hintReadOnly},
		{"no connection left", as("crowd", "superuser login connection limit 0; alter role crowd nosuperuser"), hintConnections},
		{"tables of others", on(`create table theirs (a int)`), hintTables},
		{"a table of ours that is theirs", on(`create table meta (a int)`), hintTables},
		{"a newer schema", on(`create table meta (one bigint, version bigint, least bigint); insert into meta values (1, 1000, 1000)`), hintNewer},
		{"an encoding without every letter", func(t *testing.T) string {
			server.Exec(t, "postgres", `create database latin template template0 encoding 'LATIN1'`)
			return server.Address("latin")
		}, hintEncoding},
		{"a pooler", func(t *testing.T) string {
			return server.Through(pooler(t, server.Port), "postgres")
		}, hintPooled},
		{"plain text beyond this machine", func(*testing.T) string { return "postgres://slowburn@db.example.com/slowburn" }, hintUnprotected},
		{"no address", func(*testing.T) string { return "what is that" }, hintAddress},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := OpenPostgres(background, c.address(t), Options{})
			if err == nil || !strings.HasSuffix(err.Error(), "("+c.want+")") {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	if err := wrap("open", "postgres:", suitableServer(130012, "UTF8")); !strings.Contains(err.Error(), "it is version 13, and 14 is needed ("+hintOldServer) {
		t.Error(err)
	}
}

// pooler stands between client and server, and gives the session another number, as one must that
// shares sessions between clients.
func pooler(t *testing.T, server int) (port int) {
	t.Helper()
	l := got(net.Listen("tcp", "127.0.0.1:0"))(t)
	var all sync.WaitGroup
	all.Go(func() {
		client, err := l.Accept()
		if err != nil {
			return
		}
		defer client.Close()
		s, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", server))
		if err != nil {
			return
		}
		defer s.Close()
		all.Go(func() { _, _ = io.Copy(s, client); s.Close() })
		for {
			head := make([]byte, 5)
			if _, err := io.ReadFull(s, head); err != nil {
				return
			}
			body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
			if _, err := io.ReadFull(s, body); err != nil {
				return
			}
			if head[0] == 'K' {
				body[3]++ // of the process
			}
			_, _ = client.Write(append(head, body...))
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return l.Addr().(*net.TCPAddr).Port
}

// The errors that come in the midst of the work.
func TestWhatAServerRefusesIsAnswered(t *testing.T) {
	address := pgtest.Database(t)
	db := mustLead(t, address)
	for code, want := range map[string]string{
		"53100": hintServerFull, "25006": hintReadOnly, "57014": hintBusy, "55P03": hintBusy, "XX001": hintDamaged, "57P01": hintServerGone,
	} {
		run(t, address, fmt.Sprintf(`create or replace function refuse() returns trigger language plpgsql as
			$$ begin raise exception 'refused' using errcode = '%s'; end $$;
			create or replace trigger refuse before insert on journal execute function refuse()`, code))
		err := db.Commit(background, tickAt(0, "shop/pay"))
		if err == nil || !strings.HasSuffix(err.Error(), "("+want+")") {
			t.Errorf("%s: %v, want %q", code, err, want)
		}
		if full := isDiskFull(err); full != (code == "53100") {
			t.Errorf("%s: the disk is full: %v", code, full)
		}
	}
	run(t, address, `drop trigger refuse on journal`)
	must(t, db.Commit(background, tickAt(0, "shop/pay")))
}

// A transaction that the server has undone because of another one is done again.
func TestADeadlockIsTriedAgain(t *testing.T) {
	for _, code := range []string{"40P01", "40001"} {
		address := pgtest.Database(t)
		db := mustLead(t, address)
		run(t, address, fmt.Sprintf(`create sequence tries; create function meet() returns trigger language plpgsql as $$ begin
			if nextval('tries') < 4 then raise exception 'deadlock detected' using errcode = '%s'; end if; return new; end $$;
			create trigger meet before insert on journal for each row execute function meet()`, code))
		tick := tickAt(0, "shop/pay", "shop/cart")
		must(t, db.Commit(background, tick))
		fill(t, db, 1, 2)
		p := pictureOf(t, db)
		same(t, "slots", len(p.Ledgers["shop/cart"]), 4)
		claimed(t, db, at(1), "b", "a")
	}
}

func TestManyProcessesMayMigrateAtOnce(t *testing.T) {
	address := pgtest.Database(t)
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			db, err := OpenPostgres(background, address, Options{})
			if err != nil {
				t.Error(err)
				return
			}
			db.Close()
		})
	}
	all.Wait()
	fill(t, mustLead(t, address), 0, 1)
}

func TestAFailedMigrationOfAServerIsDoneAgain(t *testing.T) {
	address := pgtest.Database(t)
	for n := range schemaVersion {
		left := n
		_, err := OpenPostgres(background, address, Options{Fault: func(string) error {
			if left--; left < 0 {
				return errFault
			}
			return nil
		}})
		if !errors.Is(err, errFault) {
			t.Fatal(err)
		}
		if _, err := OpenPostgres(background, address, Options{ReadOnly: true}); !errors.Is(err, ErrEmpty) {
			t.Errorf("after step %d: %v", n, err)
		}
	}
	fill(t, mustLead(t, address), 0, 1)
}

// While an upgrade goes from one process to the next, the old ones work on the new schema.
func TestANewerSchemaIsTakenIfItSaysSo(t *testing.T) {
	address := pgtest.Database(t)
	openAt(t, address, Options{}, quick).Close()
	run(t, address, `alter table outbox add column news text not null default ''; update meta set version = 1000`)
	fill(t, mustLead(t, address), 0, 1)
	got(openAt(t, address, Options{ReadOnly: true}, quick).Load(background))(t)
}

// Texts are ordered by their bytes, as on SQLite, whatever the database does with others.
func TestTextsAreOrderedByTheirBytes(t *testing.T) {
	address := pgtest.Database(t)
	openAt(t, address, Options{}, quick)
	c := got(pgx.Connect(background, address))(t)
	defer c.Close(background)
	var texts, ordered int
	must(t, c.QueryRow(background, `select count(*), count(*) filter (where collation_name = 'C') from information_schema.columns
		where table_schema = current_schema() and data_type = 'text'`).Scan(&texts, &ordered))
	if texts < 30 || ordered != texts {
		t.Errorf("%d of %d texts are ordered by their bytes", ordered, texts)
	}
}

func TestAReaderWritesNothing(t *testing.T) {
	address := pgtest.Database(t)
	db := mustLead(t, address)
	fill(t, db, 0, 2)
	reader := openAt(t, address, Options{ReadOnly: true}, quick)
	same(t, "store", pictureOf(t, reader), pictureOf(t, db))
	isPassive(t, reader, ErrStandby)
	if err := reader.Ask(background, Request{Key: "1"}); codeOf(err) != "25006" {
		t.Errorf("asked: %v", err)
	}
	about := got(reader.About(background))(t)
	if !about.Led || about.Bytes == 0 || about.Version == "" {
		t.Errorf("%+v", about)
	}
	must(t, db.Close())
	if about := got(reader.About(background))(t); about.Led {
		t.Error("nobody leads")
	}
}

// Whatever a session does, the server ends it: a statement that takes too long, one that waits for
// a lock, and a transaction in which nothing is said.
func TestEverySessionIsBounded(t *testing.T) {
	address := pgtest.Database(t)
	db := openAt(t, address, Options{}, usualTimes)
	lock := got(db.backend.(*server).session(background))(t)
	defer hangUp(lock)
	bounds := func(row interface{ Scan(...any) error }) (all [4]string) {
		t.Helper()
		must(t, row.Scan(&all[0], &all[1], &all[2], &all[3]))
		return all
	}
	const ask = `select current_setting('statement_timeout'), current_setting('lock_timeout'),
		current_setting('idle_in_transaction_session_timeout'), current_setting('idle_session_timeout')`
	for name, c := range map[string]struct {
		of   *sql.DB
		want string
	}{"writing": {db.w, "10min"}, "sending": {db.pump, "10min"}, "reading": {db.r, "30s"}, "following": {db.view, "10min"}} {
		same(t, name, bounds(c.of.QueryRowContext(background, ask)), [4]string{c.want, "2s", "5s", "0"})
	}
	same(t, "leading", bounds(lock.QueryRow(background, ask)), [4]string{"2s", "2s", "5s", "10s"})
}

// The environment of libpq is that of other programs.
func TestTheEnvironmentFillsInNothing(t *testing.T) {
	for name, value := range map[string]string{
		"PGHOST": "db.example.com", "PGPORT": "1", "PGUSER": "eve", "PGPASSWORD": "canary", "PGDATABASE": "theirs", "PGSSLMODE": "disable",
		"PGOPTIONS": "-c x=y", "PGSERVICE": "nowhere", "PGTARGETSESSIONATTRS": "standby", "PGAPPNAME": "other", "PGCONNECT_TIMEOUT": "77",
	} {
		t.Setenv(name, value)
	}
	cfg := got(parseAddress("host=127.0.0.1 user=slowburn dbname=slowburn"))(t)
	same(t, "what it connects to", []any{cfg.Host, cfg.Port, cfg.User, cfg.Password, cfg.Database, cfg.ConnectTimeout, cfg.RuntimeParams},
		[]any{"127.0.0.1", uint16(5432), "slowburn", "", "slowburn", connectLimit, map[string]string{"application_name": "slowburn", "client_encoding": "UTF8"}})
}

func TestNothingCrossesANetworkUnprotected(t *testing.T) {
	for address, ok := range map[string]bool{
		"postgres://a@db/x?sslmode=verify-full":                       true,
		"postgres://a@db,other/x?sslmode=verify-full":                 true,
		"postgres://a@127.0.0.1/x":                                    true,
		"postgres://a@[::1]/x?sslmode=disable":                        true,
		"postgres://a@localhost/x":                                    true,
		"postgres:///x?host=/run/postgresql":                          true,
		"host=/run/postgresql,/run/other dbname=x":                    true,
		"postgres://a@db/x":                                           false,
		"postgres://a@db/x?sslmode=require":                           false,
		"postgres://a@db/x?sslmode=verify-ca":                         false,
		"postgres://a@db/x?sslmode=prefer":                            false,
		"postgres://a@db/x?sslmode=disable":                           false,
		"host=127.0.0.1,db dbname=x":                                  false,
		"host=localhost.example.com dbname=x":                         false,
		"host=db dbname=x sslmode=verify-full sslmode=disable user=a": false,
	} {
		if err := CheckAddress(address); (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestNoPasswordIsInAnError(t *testing.T) {
	for _, address := range []string{
		"postgres://slowburn:canary@127.0.0.1:1/x",
		"postgres://slowburn:canary@db.example.com/x",
		"postgres://slowburn:canary@127.0.0.1:x/x",
		"postgres://slowburn:can ary@127.0.0.1/x?sslmode=nonsense",
		"postgres://slowburn:canary",
		"host=/nowhere user=slowburn password=canary dbname=x",
		"host=/nowhere password=canary port=nonsense",
		"host=/nowhere password='canary",
		"host=/nowhere passwort canary",
	} {
		_, err := OpenPostgres(background, address, Options{})
		if err == nil || strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "can ary") {
			t.Errorf("%s: %v", address, err)
		}
	}
	db := &connections{path: shownAddress(got(parseAddress("postgres://slowburn:canary@db/x?sslmode=verify-full"))(t))}
	same(t, "path", db.Path(), "postgres://db:5432/x")
}

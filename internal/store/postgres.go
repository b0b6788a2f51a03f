package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// server is a database of PostgreSQL as a backend. Every process that may lead has it open.
type server struct {
	cfg   *pgx.ConnConfig
	times times
	check string // the statement of the fence
	reach reach

	newest atomic.Int64 // when the newest tick was that was seen in the database
}

// times are the patience of both sides. Ours must end before the server's: a beat and its answer
// fit into the lease, and the lease into idle.
type times struct {
	beat  time.Duration // how often the lock's session says something
	lease time.Duration // for how long after an answered beat nobody else can lead
	idle  time.Duration // after this the server ends a lock's session that says nothing
	inTx  time.Duration // and one that says nothing in the midst of a transaction
	poll  time.Duration // how often a standby asks for the lock
	wait  time.Duration // for how long at most a statement waits for a lock
}

var usualTimes = times{
	beat: 2 * time.Second, lease: 6 * time.Second, idle: 10 * time.Second,
	inTx: 5 * time.Second, poll: time.Second, wait: 2 * time.Second,
}

// The limits of a statement: of one that shows something, and of those that may read or write
// everything.
const (
	statementLimit = 30 * time.Second
	longLimit      = 10 * time.Minute
	connectLimit   = 5 * time.Second
)

// oldestServer is the first version that ends sessions that say nothing.
const oldestServer = 140000

// readers is how many reads go on side by side.
const readers = 4

// OpenPostgres opens the store in a database of PostgreSQL, and makes its tables if it is empty.
// The address is a URL or a list of keys and values, as libpq has them; what it leaves out is not
// taken from the environment. Any number of processes may have the same database open: all of them
// read, and the one that leads writes (see [DB.Lead]). Errors are of type *Error.
func OpenPostgres(ctx context.Context, address string, opts Options) (*DB, error) {
	return openPostgres(ctx, address, opts, usualTimes)
}

func openPostgres(ctx context.Context, address string, opts Options, t times) (*DB, error) {
	cfg, err := parseAddress(address)
	if err != nil {
		return nil, wrap("open", "PostgreSQL", err)
	}
	s := &server{cfg: cfg, times: t, check: sqlFence}
	db := newDB(shownAddress(cfg), s, opts)
	db.reach = &s.reach
	writing := s.settings(longLimit)
	if opts.ReadOnly {
		writing += `; set default_transaction_read_only = on`
	}
	db.w, db.pump = s.pool(1, writing), s.pool(1, writing)
	asked := stdlib.OptionShouldPing(func(context.Context, stdlib.ShouldPingParams) bool { return true })
	db.r, db.view = s.pool(readers, s.settings(statementLimit), asked), s.pool(1, s.settings(longLimit), asked)
	db.views = &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
	if err := db.openServer(ctx, opts); err != nil {
		db.Close()
		return nil, wrap("open", db.path, err)
	}
	return db, nil
}

func (db *DB) openServer(ctx context.Context, opts Options) error {
	ctx, cancel := context.WithTimeout(ctx, 2*longLimit) // a migration may have much to do
	defer cancel()
	if err := suits(ctx, db.w); err != nil {
		return err
	}
	if opts.ReadOnly {
		version, err := versionOnServer(ctx, db.w)
		switch {
		case err != nil:
			return err
		case version == 0:
			return ErrEmpty
		case version < schemaVersion:
			return wrongVersion(version)
		}
		return nil
	}
	return migrateServer(ctx, db.w, db.fault)
}

// CheckAddress reports what is wrong with the address of a database, as an *Error. It connects to
// nothing.
func CheckAddress(address string) error {
	_, err := parseAddress(address)
	return wrap("open", "PostgreSQL", err)
}

// HoldsPassword reports whether an address must not be shown.
func HoldsPassword(address string) bool {
	if u, err := url.Parse(address); err == nil && u.User != nil {
		if _, set := u.User.Password(); set {
			return true
		}
	}
	return strings.Contains(strings.ToLower(address), "password")
}

// parseAddress reads the address of a database. It refuses one by which what slowburn knows would
// cross a network unprotected.
func parseAddress(address string) (*pgx.ConnConfig, error) {
	withoutEnvironment()
	cfg, err := pgx.ParseConfig(address)
	if err != nil {
		reason, files := strings.CutPrefix(reasonOf(err), "failed to configure TLS ")
		if files {
			return nil, fmt.Errorf("%w: %s", errFiles, reason)
		}
		return nil, fmt.Errorf("%w: %s", errAddress, reason)
	}
	hosts := append([]*pgconn.FallbackConfig{{Host: cfg.Host, Port: cfg.Port, TLSConfig: cfg.TLSConfig}}, cfg.Fallbacks...)
	several := false
	for _, h := range hosts {
		several = several || h.Host != cfg.Host || h.Port != cfg.Port
		if !isNear(h.Host) && (h.TLSConfig == nil || h.TLSConfig.InsecureSkipVerify) {
			return nil, fmt.Errorf("%w: %s", errUnprotected, h.Host)
		}
	}
	if several && cfg.ValidateConnect == nil {
		cfg.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = connectLimit
	}
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "slowburn"
	}
	cfg.RuntimeParams["client_encoding"] = "UTF8"
	dialer := &net.Dialer{
		Timeout:         cfg.ConnectTimeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3},
	}
	cfg.DialFunc = dialer.DialContext
	return cfg, nil
}

// reasonOf leaves out what the error says of the address, which may hold a password.
func reasonOf(err error) string {
	var parse *pgconn.ParseConfigError
	if !errors.As(err, &parse) {
		return "it cannot be read"
	}
	_, reason, _ := strings.Cut(strings.ReplaceAll(err.Error(), parse.ConnString, "…"), "`: ")
	if reason == "" {
		reason = "it cannot be read"
	}
	return reason
}

// withoutEnvironment removes the variables of libpq from the environment of this process: pgx would
// fill in from them what an address leaves out, and a variable that is set for another program
// would send the ledger to its database.
func withoutEnvironment() {
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "PG") {
			os.Unsetenv(name)
		}
	}
}

// isNear reports whether a host is reached without a network: by a socket, or on this machine.
func isNear(host string) bool {
	ip := net.ParseIP(host)
	return strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") || host == "localhost" || ip != nil && ip.IsLoopback()
}

// shownAddress returns how logs and pages call the database: without the password.
func shownAddress(cfg *pgx.ConnConfig) string {
	if strings.HasPrefix(cfg.Host, "/") {
		return fmt.Sprintf("postgres:%s:%d/%s", cfg.Host, cfg.Port, cfg.Database)
	}
	return fmt.Sprintf("postgres://%s/%s", net.JoinHostPort(cfg.Host, strconv.Itoa(int(cfg.Port))), cfg.Database)
}

// pool makes a pool of connections; it connects when one is needed.
func (s *server) pool(size int, set string, options ...stdlib.OptionOpenDB) *sql.DB {
	db := stdlib.OpenDB(*s.cfg, append(options, stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, set)
		return err
	}))...)
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return db
}

// settings returns what a session is told after it is connected. (In the first packet poolers would
// refuse them.) The server, too, must notice that we are gone.
func (s *server) settings(statement time.Duration) string {
	ms := time.Duration.Milliseconds
	return fmt.Sprintf(`set default_transaction_isolation = 'read committed'; set statement_timeout = %d; set lock_timeout = %d;
		set idle_in_transaction_session_timeout = %d; set tcp_keepalives_idle = 5; set tcp_keepalives_interval = 2;
		set tcp_keepalives_count = 3; set tcp_user_timeout = %d`, ms(statement), ms(s.times.wait), ms(s.times.inTx), ms(s.times.idle))
}

// suits refuses a server that is too old, one that cannot keep every text, and a pooler.
func suits(ctx context.Context, db *sql.DB) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(c any) error { return suitable(ctx, c.(*stdlib.Conn).Conn()) })
}

func suitable(ctx context.Context, c *pgx.Conn) error {
	var pid uint32
	var version int
	var encoding string
	err := c.QueryRow(ctx, `select pg_backend_pid(), current_setting('server_version_num')::int, current_setting('server_encoding')`,
		pgx.QueryExecModeSimpleProtocol).Scan(&pid, &version, &encoding)
	switch {
	case err != nil:
		return err
	case pid != c.PgConn().PID():
		return errPooled
	}
	return suitableServer(version, encoding)
}

func suitableServer(version int, encoding string) error {
	switch {
	case version < oldestServer:
		return fmt.Errorf("%w: it is version %d, and %d is needed", errOldServer, version/10000, oldestServer/10000)
	case encoding != "UTF8":
		return fmt.Errorf("%w: its encoding is %s", errEncoding, encoding)
	}
	return nil
}

// present looks at the term only: a server that is gone says so.
func (s *server) present(t *Term) error {
	switch {
	case t == nil:
		return ErrStandby
	case t.isOver():
		return ErrDeposed
	}
	return nil
}

func (s *server) fence(ctx context.Context, tx txn, t *Term) error {
	var same int
	if err := tx.QueryRowContext(ctx, s.check, t.Number, t.Holder, t.timeline).Scan(&same); err != nil {
		return err
	}
	if same != 1 {
		return ErrDeposed
	}
	return nil
}

func (s *server) prepared() map[string]*sql.Stmt { return nil }

// again reports whether the server has undone a transaction because of another one.
func (s *server) again(err error) bool {
	code := codeOf(err)
	return code == "40P01" || code == "40001"
}

// noteTick remembers the newest tick that this process has seen in the database. A failover to a
// server that lagged loses it.
func (s *server) noteTick(at time.Time) {
	if !at.IsZero() {
		s.newest.Store(nanos(at))
	}
}

func (s *server) lost() time.Time { return timeOf(s.newest.Load()) }

func (*server) wrote(*connections) {}

func (*server) rest() {}

func (s *server) close() error { return nil }

// About is what can be said of a server.
type About struct {
	Version string
	Bytes   int64 // of the whole database
	Led     bool  // by any process
}

// About asks the server of a PostgreSQL about itself.
func (db *DB) About(ctx context.Context) (a About, err error) {
	const about = `select current_setting('server_version'), pg_database_size(current_database()),
		exists (select 1 from pg_locks where locktype = 'advisory' and granted
			and database = (select oid from pg_database where datname = current_database()) and classid = cast($1 as bigint)
			and objid::bigint = hashtext(current_schema())::bigint & 4294967295)`
	err = db.each(ctx, "about", func(rows *sql.Rows) error { return rows.Scan(&a.Version, &a.Bytes, &a.Led) }, about, leadsLock)
	a.Version, _, _ = strings.Cut(a.Version, " ")
	return a, err
}

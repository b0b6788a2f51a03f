package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"strings"
)

// The schema is the sum of the numbered files in migrations. A file that was released is never
// changed; a change of the schema is one more file.
//
//go:embed migrations/*.sql
var migrations embed.FS

// schemaVersion is the number of the newest migration.
const schemaVersion = 7

// applicationID marks a SQLite file as ours, in its header: "slow".
const applicationID = 0x736c6f77

// migrate brings the schema to schemaVersion, one transaction per migration. It refuses a file from
// the future and one that is not ours before it writes anything.
func migrate(ctx context.Context, db *sql.DB, fault func(string) error) error {
	version, err := identify(ctx, db)
	if err != nil {
		return err
	}
	for v := version + 1; v <= schemaVersion; v++ {
		if err := fault("open.migrate"); err != nil {
			return err
		}
		if err := migrateTo(ctx, db, v); err != nil {
			return fmt.Errorf("migration %04d: %w", v, err)
		}
	}
	return nil
}

// identify reads the version of the schema: 0 for an empty file.
func identify(ctx context.Context, db *sql.DB) (int, error) {
	var app, version, tables int
	row := db.QueryRowContext(ctx, `select (select application_id from pragma_application_id),
		(select user_version from pragma_user_version), (select count(*) from sqlite_schema)`)
	if err := row.Scan(&app, &version, &tables); err != nil {
		return 0, err
	}
	switch {
	case tables == 0 && app == 0:
		return 0, nil
	case app != applicationID:
		return 0, ErrForeign
	case version > schemaVersion:
		return 0, newer(version)
	}
	return version, nil
}

func newer(version int) error {
	return fmt.Errorf("%w: its schema is version %d, this program knows %d", ErrNewer, version, schemaVersion)
}

// wrongVersion returns what a reader says that may not migrate.
func wrongVersion(version int) error {
	if version > schemaVersion {
		return newer(version)
	}
	return fmt.Errorf("its schema is version %d, this program needs %d: start the daemon once", version, schemaVersion)
}

func migration(version int) (string, error) {
	script, err := migrations.ReadFile(fmt.Sprintf("migrations/%04d.sql", version))
	return string(script), err
}

func migrateTo(ctx context.Context, db *sql.DB, version int) error {
	script, err := migration(version)
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	mark := fmt.Sprintf("\n;pragma user_version = %d; pragma application_id = %d;", version, applicationID)
	if _, err := tx.ExecContext(ctx, script+mark); err != nil {
		return err
	}
	if version == chainVersion {
		if err := sealAll(ctx, tx); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// forServer writes a migration as PostgreSQL has it. Texts are ordered by their bytes, as on
// SQLite.
var forServer = strings.NewReplacer(" text ", ` text collate "C" `, " blob", " bytea")

// Several processes may start at once, so one migrates and the others wait. The lock is that of the
// schema: two stores may be in one database.
const (
	sqlPatient   = `set local lock_timeout = 0`
	sqlMigrating = `select pg_advisory_xact_lock($1, hashtext(current_schema()))`
	migratesLock = applicationID + 1

	sqlTables = `select to_regclass('meta') is not null, (select count(*) from pg_tables where schemaname = current_schema())`
	sqlMeta   = `create table meta (one bigint primary key, version bigint not null, least bigint not null);
		insert into meta (one, version, least) values (1, 0, 0)`
	sqlSetVersion = `update meta set version = $1, least = $2 where one = 1`
	sqlVersion    = `select version, least from meta where one = 1`
)

// leastVersion is the oldest version of this program's schema that can go on with the newest, while
// an upgrade goes from one process to the next. A migration that only adds leaves it as it is.
//
// Since version 7 whoever writes an act seals it.
const leastVersion = 7

// chainVersion is the migration that begins the chain of acts.
const chainVersion = 7

// migrateServer brings the schema of a PostgreSQL to schemaVersion, in one transaction. A schema
// that is newer is taken as it is, if it says that this program can work with it. A leader whose
// program cannot work with the new one is deposed in the same transaction: nothing of it gets lost,
// and nothing is written by it in the old way.
func migrateServer(ctx context.Context, db *sql.DB, fault func(string) error) error {
	if version, err := versionOnServer(ctx, db); err != nil || version >= schemaVersion {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, sqlPatient); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, sqlMigrating, migratesLock); err != nil {
		return err
	}
	version, err := versionOnServer(ctx, tx)
	if err != nil {
		return err
	}
	if version == 0 {
		if _, err := tx.ExecContext(ctx, sqlMeta); err != nil {
			return err
		}
	}
	for v := version + 1; v <= schemaVersion; v++ {
		if err := fault("open.migrate"); err != nil {
			return err
		}
		script, err := migration(v)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, forServer.Replace(script)); err != nil {
			return fmt.Errorf("migration %04d: %w", v, err)
		}
		if v == chainVersion {
			if err := sealAll(ctx, tx); err != nil {
				return fmt.Errorf("migration %04d: %w", v, err)
			}
		}
	}
	if _, err := tx.ExecContext(ctx, sqlSetVersion, schemaVersion, leastVersion); err != nil {
		return err
	}
	if version < leastVersion { // whoever leads now, with an older program, must not write any more
		if _, err := tx.ExecContext(ctx, sqlUnseat); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// versionOnServer reads the version of the schema: 0 for an empty one. It refuses tables of another
// program, and a schema that this program cannot work with.
func versionOnServer(ctx context.Context, q querier) (int, error) {
	var ours bool
	var tables, version, least int
	if err := each(ctx, q, func(rows *sql.Rows) error { return rows.Scan(&ours, &tables) }, sqlTables); err != nil {
		return 0, err
	}
	if !ours {
		if tables > 0 {
			return 0, errForeignTables
		}
		return 0, nil
	}
	if err := each(ctx, q, func(rows *sql.Rows) error { return rows.Scan(&version, &least) }, sqlVersion); err != nil {
		if codeOf(err) == "42703" { // there is no such column
			err = errForeignTables
		}
		return 0, err
	}
	if least > schemaVersion {
		return 0, newer(version)
	}
	return version, nil
}

package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
)

// The schema is the sum of the numbered files in migrations. A file that was released is never
// changed; a change of the schema is one more file.
//
//go:embed migrations/*.sql
var migrations embed.FS

// schemaVersion is the number of the newest migration.
const schemaVersion = 3

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

func migrateTo(ctx context.Context, db *sql.DB, version int) error {
	script, err := migrations.ReadFile(fmt.Sprintf("migrations/%04d.sql", version))
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	mark := fmt.Sprintf("\n;pragma user_version = %d; pragma application_id = %d;", version, applicationID)
	if _, err := tx.ExecContext(ctx, string(script)+mark); err != nil {
		return err
	}
	return tx.Commit()
}

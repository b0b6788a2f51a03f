package store

import (
	"testing"
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

package store

import (
	"database/sql"
	"regexp"
	"strings"
	"testing"

	"github.com/slowburn-sre/slowburn/internal/store/pgtest"
)

// everyPass are the statements of a pass of the pump, and of a scrape.
var everyPass = map[string]string{
	"what is new":              sqlPending,
	"what an entry says":       sqlBody,
	"begin":                    sqlBegin,
	"settle":                   sqlSettle,
	"is it owed":               sqlHasEntry,
	"its root":                 sqlRoot,
	"counts":                   sqlDepth,
	"the oldest":               sqlOldest,
	"the next channel":         sqlNextWay,
	"how a channel does":       sqlWay,
	"the newest incidents":     sqlIncidents,
	"what memory has of those": sqlOpenIncidents,
}

var placeholder = regexp.MustCompile(`\$\d+`)

// filled returns a statement with a number or a text in the place of each parameter.
func filled(statement string) string {
	statement = strings.NewReplacer("seq > $1", "seq > 7", "cast($3 as bigint)", "1", "cast($4 as bigint)", "0", "cast($5 as bigint)", "0",
		"resolved > $4", "resolved > 0", "detected < $5", "detected < 0", "limit $6", "limit 100",
		"begun = $1 where", "begun = 1 where", "begun = $3", "begun = 0", "attempts = $4", "attempts = 0", "begun = $7", "begun = 0", "attempts = $8", "attempts = 0",
		"next_try = $2", "next_try = 0", "settled = $4", "settled = 0").Replace(statement)
	return placeholder.ReplaceAllString(statement, "''")
}

// TestNoPassReadsEverything: what the pump asks at every pass, and a scrape at every scrape, is
// found by an index, on both databases. The counts by state read an index only, and nothing that
// entries say.
func TestNoPassReadsEverything(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		db := mustOpen(t, tempPath(t), Options{})
		for name, statement := range everyPass {
			for _, line := range planOf(t, db.r, "explain query plan "+filled(statement), 4) {
				if strings.HasPrefix(line, "SCAN outbox") && !strings.Contains(line, "INDEX") || strings.HasPrefix(line, "SCAN incidents") && !strings.Contains(line, "INDEX") {
					t.Errorf("%s: %s", name, line)
				}
			}
		}
		for name, statement := range map[string]string{"counts": sqlDepth, "the oldest": sqlOldest, "the next channel": sqlNextWay} {
			if plan := strings.Join(planOf(t, db.r, "explain query plan "+filled(statement), 4), "\n"); !strings.Contains(plan, "COVERING INDEX") {
				t.Errorf("%s reads entries: %s", name, plan)
			}
		}
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		db := mustLead(t, pgtest.Database(t))
		db.r.SetMaxOpenConns(1) // for the setting
		if _, err := db.r.ExecContext(background, "set enable_seqscan = off"); err != nil {
			t.Fatal(err)
		}
		for name, statement := range everyPass {
			for _, line := range planOf(t, db.r, "explain "+filled(statement), 1) {
				if strings.Contains(line, "Seq Scan on outbox") || strings.Contains(line, "Seq Scan on incidents") {
					t.Errorf("%s: %s", name, line)
				}
			}
		}
	})
}

// planOf returns the last column of the plan of a statement.
func planOf(t *testing.T, db *sql.DB, statement string, columns int) (plan []string) {
	t.Helper()
	must(t, each(background, db, func(rows *sql.Rows) error {
		into := make([]any, columns)
		for i := range into {
			into[i] = new(string)
		}
		err := rows.Scan(into...)
		plan = append(plan, *into[columns-1].(*string))
		return err
	}, statement))
	return plan
}

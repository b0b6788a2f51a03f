package store

import (
	"fmt"
	"math/bits"
	"regexp"
	"strconv"
	"strings"
)

// inserts writes rows by a statement that inserts one. A server is given many of them at once: to
// wait for its answer takes longer than to write a row.
type inserts struct {
	tx     txn
	query  string
	unique int // how many of the first columns no two rows of one statement may share
	most   int // rows in one statement
	rows   [][]any
}

// mostRows is how many rows a server is given at once, at most.
const mostRows = 64

// insert begins to write rows by a statement. The first of their columns are what the statement's
// conflict is about.
func (t txn) insert(query string, unique int) *inserts {
	w := &inserts{tx: t, query: query, unique: unique, most: mostRows}
	if t.prepared != nil { // there is no way to a server, and to number many parameters takes long
		w.most = 1
	}
	return w
}

// add writes a row, now or later.
func (w *inserts) add(row ...any) error {
	w.rows = append(w.rows, kept(row))
	if len(w.rows) < w.most {
		return nil
	}
	return w.flush()
}

// flush writes what was added so far.
func (w *inserts) flush() error {
	for len(w.rows) > 0 {
		n := together(w.rows, w.unique)
		args := make([]any, 0, n*len(w.rows[0]))
		for _, row := range w.rows[:n] {
			args = append(args, row...)
		}
		if _, err := w.tx.ExecContext(w.tx.ctx, rowsOf(w.query, n), args...); err != nil {
			return err
		}
		w.rows = w.rows[n:]
	}
	return nil
}

// together returns how many of the first rows one statement can write: a power of two, so that
// there are few statements to be prepared, and none twice, which PostgreSQL refuses.
func together(rows [][]any, unique int) int {
	if len(rows) == 1 {
		return 1
	}
	seen := map[[2]any]bool{}
	for _, row := range rows {
		var id [2]any
		copy(id[:], row[:unique])
		if seen[id] {
			break
		}
		seen[id] = true
	}
	return 1 << (bits.Len(uint(len(seen))) - 1)
}

var (
	tuple     = regexp.MustCompile(`values (\([^)]*\))`)
	parameter = regexp.MustCompile(`\$\d+`)
)

// rowsOf makes a statement that inserts n rows of one that inserts one.
func rowsOf(query string, n int) string {
	if n == 1 {
		return query
	}
	at := tuple.FindStringSubmatchIndex(query)
	row := query[at[2]:at[3]]
	columns := len(parameter.FindAllString(row, -1))
	all := make([]string, n)
	for i := range all {
		all[i] = parameter.ReplaceAllStringFunc(row, func(p string) string {
			number, _ := strconv.Atoi(p[1:])
			return fmt.Sprintf("$%d", i*columns+number)
		})
	}
	return query[:at[2]] + strings.Join(all, ", ") + query[at[3]:]
}

package store

import (
	"fmt"
	"slices"
	"testing"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/outbox"
)

// TestManyRowsAreFewStatements: a server is asked a sixty-fourth as often as there are rows, by
// statements of few lengths. No row comes before its own key in one statement.
func TestManyRowsAreFewStatements(t *testing.T) {
	var rows [][]any
	for n := range 1_000 {
		rows = append(rows, []any{n / 2 * 2, n % 2})
	}
	count := func(unique int) (statements int, lengths map[int]bool) {
		lengths = map[int]bool{}
		for rest := rows; len(rest) > 0; statements++ {
			n := together(rest[:min(len(rest), mostRows)], unique)
			seen := map[string]bool{}
			for _, row := range rest[:n] {
				if id := fmt.Sprint(row[:unique]); seen[id] {
					t.Fatalf("%s comes twice in one statement", id)
				} else {
					seen[id] = true
				}
			}
			lengths[n], rest = true, rest[n:]
		}
		return statements, lengths
	}
	if n, lengths := count(2); n > 1_000/mostRows+7 || len(lengths) > 7 {
		t.Errorf("%d statements of the lengths %v", n, lengths)
	}
	count(1) // each key comes twice there, one after the other
}

// TestAStatementOfManyRows is one as it is written for one row.
func TestAStatementOfManyRows(t *testing.T) {
	one := "insert into t (a, b, c)\n\tvalues ($1, 'x', $2) on conflict (a) do update set b = excluded.b"
	if got := rowsOf(one, 1); got != one {
		t.Error(got)
	}
	want := "insert into t (a, b, c)\n\tvalues ($1, 'x', $2), ($3, 'x', $4), ($5, 'x', $6) on conflict (a) do update set b = excluded.b"
	if got := rowsOf(one, 3); got != want {
		t.Error(got)
	}
}

// testStorm commits many incidents and messages at once, encoded before and not, and some of them
// twice: what was opened and has ended in one tick stands as it ended, and of a message the first
// stands.
func testStorm(t *testing.T, db Store) {
	const n = 150
	tick := stormAt(n, 1)
	for i := range tick.Turns {
		if i%2 == 0 {
			tick.Turns[i] = tick.Turns[i].Encoded()
		}
	}
	again := tick.Turns[n-1]
	ended := incidentAt(again.SLO, 5, false)
	second := again.Entries[0]
	second.Body = []byte(`{"text":"another"}`)
	tick.Incidents, tick.Owed = append(tick.Incidents, ended), append(tick.Owed, second)
	tick.Turns[n-1].Incidents = append(tick.Turns[n-1].Incidents, ended)
	tick.Turns[0].Entries[0].Tried = true // as a full disk leaves it
	must(t, db.Commit(background, tick))
	if i, ok, err := db.Incident(background, ended.ID); err != nil || !ok || i.Open {
		t.Errorf("what has ended is %+v, %t, %v", i, ok, err)
	}
	open := got(db.Incidents(background, IncidentFilter{Open: true, Limit: 2 * n}))(t)
	owed := got(db.Outbox(background, OutboxFilter{Limit: 2 * n}))(t)
	if len(open) != n-1 || len(owed) != n+n/4 {
		t.Fatalf("%d are open, and %d messages are owed", len(open), len(owed))
	}
	for k, o := range owed {
		if o.Key == second.Key && string(o.Body) == string(second.Body) {
			t.Error("the first message of a key has gone")
		}
		if k > 0 && o.Seq >= owed[k-1].Seq {
			t.Errorf("%s is out of order", o.Key)
		}
		if tried := o.Key == tick.Turns[0].Entries[0].Key; tried != !o.Begun.IsZero() || tried != o.Tried {
			t.Errorf("%s may have been sent: %t, begun %s", o.Key, o.Tried, o.Begun)
		}
	}
}

// TestWhatIsEncodedBeforeIsWhatACommitWrites: the same bytes, whatever is in them.
func TestWhatIsEncodedBeforeIsWhatACommitWrites(t *testing.T) {
	odd := entry(`a,"body":null,b`, outbox.Post)
	odd.Body = []byte(`{"text":"x","body":null,"more":[]}`)
	empty, broken, binary := entry("empty", outbox.Post), entry("broken", outbox.Post), entry("binary\x00", outbox.Post)
	empty.Body, broken.Body = nil, []byte("{")
	for _, e := range []outbox.Entry{odd, entry("usual", outbox.Reply), empty, broken, binary} {
		turn := Turn{SLO: "shop/pay", Incidents: []alerting.Incident{incidentAt("shop/pay", 1, true)}, Entries: []outbox.Entry{e}}
		encoded := turn.Encoded()
		encoded.Entries = slices.Clone(encoded.Entries)
		for range 2 {
			want, wantSum, wantErr := jsonText(encoded.Entries[0])
			got, sum, err := encoded.textOfEntry(0)
			if got != want || sum != wantSum || (err != nil) != (wantErr != nil) {
				t.Errorf("%q is written as %s, %v, want %s, %v", e.Key, got, err, want, wantErr)
			}
			encoded.Entries[0].Tried = true // as a full disk leaves it
		}
		want, wantSum, _ := jsonText(turn.Incidents[0])
		if got, sum, err := encoded.textOfIncident(0); got != want || sum != wantSum || err != nil {
			t.Errorf("the incident is written as %s, %v, want %s", got, err, want)
		}
	}
}

package store

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/store/pgtest"
	"github.com/slowburn-sre/slowburn/slo"
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

// manyActs is an acknowledgement of n incidents, which are told in one thread.
func manyActs(n int) Tick {
	tick := Tick{Owed: []outbox.Entry{entry("act/ack/edit", outbox.Edit), entry("act/ack/reply", outbox.Reply)}}
	for i := range n {
		a := alerting.Act{Key: fmt.Sprint("ack@", i), Kind: alerting.Acknowledge, By: "Ada", At: at(1), Received: at(1), Incident: fmt.Sprint("shop/pay", i)}
		of := incidentAt(slo.ID(fmt.Sprint("shop/pay", i)), 1, true)
		tick.Acts, tick.Incidents = append(tick.Acts, a), append(tick.Incidents, of.Take(a))
	}
	return tick
}

// testManyActs commits thousands of acts at once, encoded before and not, some of which are there
// already or come twice: each is there once, in one chain.
func testManyActs(t *testing.T, db Store) {
	tick := manyActs(150)
	first := tick
	first.Acts = slices.Clone(tick.Acts[40:42])
	must(t, db.Commit(background, first))
	tick.Acts = append(tick.Acts, tick.Acts[3])
	must(t, db.Commit(background, tick.Encoded()))
	must(t, db.Commit(background, tick))
	all := got(db.Acts(background, ActFilter{}))(t)
	audit := got(db.Verify(background, Place{}))(t)
	if len(all) != 150 || len(audit.Faults) > 0 || audit.Until.Seq != 150 {
		t.Errorf("%d acts are there, and the chain is %+v", len(all), audit)
	}
	for _, order := range [][]alerting.Act{{tick.Acts[0], {Key: "new", Kind: alerting.Remark}}, {{Key: "new", Kind: alerting.Remark}, {Key: "new", Kind: alerting.Undo}}} {
		order[len(order)-2].Text = "another"
		var taken *TakenError
		if err := db.Commit(background, Tick{Acts: order}); !errors.As(err, &taken) || taken.Act.Key != order[len(order)-2].Key {
			t.Errorf("an act under the key of another is committed: %v", err)
		}
	}
	if n := len(got(db.Acts(background, ActFilter{}))(t)); n != 150 {
		t.Errorf("what was refused has left %d acts", n)
	}
}

// TestManyActsAreFewStatements: a server is asked a sixty-fourth as often as there are acts on a
// thread, whether their keys are free and to write them.
func TestManyActsAreFewStatements(t *testing.T) {
	const n = 1024
	db := mustLead(t, pgtest.Database(t))
	must(t, db.Commit(background, manyActs(n).Encoded()))
	var executed int
	must(t, db.w.QueryRow(`select sum(generic_plans + custom_plans) from pg_prepared_statements where statement like '%act%' or statement like '%incidents%'`).Scan(&executed))
	if most := 4 * n / mostRows; executed > most || executed < n/mostRows {
		t.Errorf("%d acts on as many incidents are %d statements, want %d at most", n, executed, most)
	}
}

// TestATickIsEncodedAsACommitWritesIt: the same for what belongs to no budget's turn.
func TestATickIsEncodedAsACommitWritesIt(t *testing.T) {
	tick := manyActs(3)
	encoded := tick.Encoded()
	if len(encoded.actTexts) != 3 || len(encoded.texts) != 5 {
		t.Fatalf("%d acts, and %d incidents and messages are encoded", len(encoded.actTexts), len(encoded.texts))
	}
	same := func(of string, a, b text, err error) {
		if a.json != b.json || a.sum != b.sum || err != nil {
			t.Errorf("%s is %s, want %s (%v)", of, b.json, a.json, err)
		}
	}
	for n := range tick.Acts {
		want, err := tick.textOfAct(n)
		got, _ := encoded.textOfAct(n)
		same("an act", want, got, err)
	}
	plain, own := tick.own(), encoded.own()
	for n := range tick.Incidents {
		want, wantSum, err := plain.textOfIncident(n)
		got, sum, _ := own.textOfIncident(n)
		same("an incident", text{json: want, sum: wantSum}, text{json: got, sum: sum}, err)
	}
	for n := range tick.Owed {
		want, wantSum, err := plain.textOfEntry(n)
		got, sum, _ := own.textOfEntry(n)
		same("a message", text{json: want, sum: wantSum}, text{json: got, sum: sum}, err)
	}
}

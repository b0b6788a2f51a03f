package store

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/outbox"
)

// FuzzStored feeds what a damaged or edited database may hold to everything that reads a row: with
// sums that are right, so that what they guard is reached. It is an error, or a value; a turn that
// was read is written as the same turn again.
func FuzzStored(f *testing.F) {
	f.Add(packTick([]packed{{num: 3, through: 100, slots: []budget.SlotAt{{At: 99, Slot: budget.Count(1000, 2000)}}, state: []byte(`{"open":{}}`)}, {num: 9, through: 100, hours: []budget.HourAt{{Hour: 1}}}}))
	f.Add([]byte(`{"key":"k","kind":"override","at":"2026-11-22T10:00:00Z","facts":{"a":"b"},"change":{"start":"9999-12-31T00:00:00Z"}}`))
	f.Add([]byte(`{"key":"x","op":"post","body":{},"receipt":{"ts":"1.1"},"claims":[null]}`))
	f.Add([]byte{tickVersion, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, record := range [][]byte{data, seal(append([]byte(nil), data...))} {
			var turns []packed
			err := unpackTick(record, func(p *packed) error {
				var s alerting.State
				_ = p.restore(&s)
				p.replay(&budget.Ledger{})
				kept := *p
				kept.slots = append([]budget.SlotAt(nil), p.slots...)
				turns = append(turns, kept)
				return nil
			})
			if err != nil && err.Error() == "" {
				t.Fatal("an error without words")
			}
		}
		text, sum := string(data), int64(checksum(data))
		var act alerting.Act
		if err := unpackJSON(text, sum, &act); err == nil {
			again, _, err := jsonText(act)
			if err != nil {
				t.Skip() // a year that JSON cannot write
			}
			var same alerting.Act
			if err := json.Unmarshal([]byte(again), &same); err != nil {
				t.Fatalf("%q is stored as %q: %v", text, again, err)
			}
			if twice, _, _ := jsonText(same); twice != again {
				t.Fatalf("the encoding of an act changes: %q, %q", again, twice)
			}
		}
		if unpackJSON(text, sum+1, &act) == nil {
			t.Fatal("a wrong sum is believed")
		}
		var incident alerting.Incident
		_ = unpackJSON(text, sum, &incident)
		var receipt outbox.Receipt
		_ = unpackReceipt(text, &receipt)
	})
}

// FuzzChain edits one act of a chain: whatever is changed, and sealed anew or not, the head tells.
func FuzzChain(f *testing.F) {
	f.Add(`{"key":"a"}`, `{"key":"b"}`, int64(1))
	f.Add("a\n2\nb", "", int64(-1))
	f.Fuzz(func(t *testing.T, one, other string, seq int64) {
		if one != other && sealAct("x", seq, one) == sealAct("x", seq, other) || sealAct("x", seq, one) == sealAct("x", seq+1, one) || sealAct(one, seq, "") == sealAct(other, seq, "") && one != other {
			t.Fatalf("%q and %q have the same seal at %d", one, other, seq)
		}
		if p, err := ParsePlace(one); err == nil {
			again, err := ParsePlace(p.String())
			if err != nil || again.Seq != p.Seq || !strings.HasPrefix(p.Hash, again.Hash) {
				t.Fatalf("%q is %v, and then %v (%v)", one, p, again, err)
			}
			p.Number()
		}
	})
}

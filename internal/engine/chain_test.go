package engine_test

import (
	"encoding/binary"
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/slo"
)

// FuzzChain feeds samples of any values, gaps and stale markers through the whole chain: reading,
// ledger, decisions, status and figures. Nothing panics, and no figure leaves its bounds.
func FuzzChain(f *testing.F) {
	encode := func(values ...float64) []byte {
		var b []byte
		for n, v := range values {
			b = append(b, byte(n%4), byte(15*(n%3)))
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
		}
		return b
	}
	f.Add(encode(1, 2, 3, 1e300, 5, 6, 7, 8, 9, 10))
	f.Add(encode(100, 1<<63, 101, 5, 18446744073709551615, math.Inf(1), math.NaN(), -7))
	f.Add(encode(10, 0, 20, 1, 0, 2, 10, 3, 20, 4))
	spec := promise("shop")
	f.Fuzz(func(t *testing.T, data []byte) {
		db := promfake.New(promfake.Options{})
		ms, end := t0.UnixMilli(), t0
		for ; len(data) >= 10 && end.Sub(t0) < time.Hour; data = data[10:] {
			series := labels.FromStrings("__name__", "requests_total", "job", "shop", "instance", "1", "code", []string{"200", "500", "404", "500"}[data[0]%4])
			ms += int64(data[1]) * 1000
			end = time.UnixMilli(ms)
			if data[0]&0x80 != 0 {
				_ = db.MarkStale(series, ms)
				continue
			}
			_ = db.Append(series, ms, math.Float64frombits(binary.LittleEndian.Uint64(data[2:10])))
		}
		srv, err := promfake.Start(db.Handler())
		if err != nil {
			t.Fatal(err)
		}
		defer srv.Close()
		client, err := prom.NewClient(prom.ClientOptions{URL: srv.URL, Timeout: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer client.CloseIdle()
		reader := prom.New(client, prom.Options{})
		defer reader.Close()
		l, st := &budget.Ledger{}, alerting.State{}
		for at := t0.Add(3 * time.Minute); at.Before(end.Add(20 * time.Minute)); at = at.Add(7 * time.Minute) {
			b := reader.Read(t.Context(), []*slo.Spec{spec}, at)
			reader.Commit(b)
			for _, s := range b.Readings[spec.ID()].Slots {
				if l.Empty() {
					st.Through = s.At
				}
				l.Put(s.At, s.Slot)
			}
			for _, late := range b.Readings[spec.ID()].Late {
				l.Amend(late.At, late.Bad, late.Total)
			}
			if l.Empty() {
				continue
			}
			var events []alerting.Event
			st, events = alerting.Advance(alerting.Input{ID: spec.ID(), Spec: spec, Ledger: l}, st, max(st.Through, l.End()))
			s := budget.StatusAt(l, spec.Objective, spec.Window(), l.End())
			if s.Sum.Bad < 0 || s.Sum.Total < s.Sum.Bad || s.Allowed < 0 || s.Spent < 0 || math.IsNaN(s.Spent) {
				t.Fatalf("the status is %+v", s)
			}
			for _, e := range events {
				if e.Budget.Bad < 0 || e.Budget.Total < e.Budget.Bad || e.Burn != nil && (e.Burn.Bad < 0 || e.Burn.Total < e.Burn.Bad) {
					t.Fatalf("an event is %+v", e)
				}
			}
			for _, text := range []string{figures.SLI(s.Sum.Bad, s.Sum.Total, spec.Objective), figures.Left(s.Sum.Bad, s.Allowed), figures.Cost(s.Sum.Bad, s.Allowed), figures.Events(s.Sum.Total)} {
				if text == "" {
					t.Fatal("a figure is empty")
				}
			}
		}
	})
}

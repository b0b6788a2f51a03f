package engine_test

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
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

// FuzzChain feeds samples of any values, orders, gaps and stale markers through the whole chain:
// reading, ledger, decisions, status and figures. Nothing panics, no figure leaves its bounds, and
// the budget never holds more than the samples can show.
func FuzzChain(f *testing.F) {
	encode := func(values ...float64) []byte {
		b := []byte{7}
		for n, v := range values {
			b = append(b, byte(n%4), byte(15*(n%3)))
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
		}
		return b
	}
	f.Add(encode(1, 2, 3, 1e300, 5, 6, 7, 8, 9, 10))
	f.Add(encode(100, 1<<63, 101, 5, 18446744073709551615, math.Inf(1), math.NaN(), -7))
	f.Add(encode(10, 0, 20, 1, 0, 2, 10, 3, 20, 4))
	f.Add(append(encode(10, 0, 20, 1, 0, 2, 10, 3, 20, 4), 0x60, 15, 0, 0, 0, 0, 0, 0, 0x59, 0x40, 0x90, 60, 0, 0, 0, 0, 0, 0, 0x59, 0x40))
	rising := []byte{0} // one counter, ten events a minute
	for n := range 20 {
		rising = append(rising, 0, 60)
		rising = binary.LittleEndian.AppendUint64(rising, math.Float64bits(float64(1000+10*n)))
	}
	f.Add(rising)
	spec := promise("shop")
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 {
			return
		}
		step := time.Duration(1+data[0]%10) * time.Minute
		samples := thrown(data[1:])
		end := t0
		for _, s := range samples {
			end = later(end, time.UnixMilli(s.ms))
		}
		db := promfake.New(promfake.Options{})
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
		var kept []sample
		for at := t0.Add(3 * time.Minute); at.Before(end.Add(40 * time.Minute)); at = at.Add(step) {
			for len(samples) > 0 && samples[0].arrives <= at.UnixMilli() {
				if s := samples[0]; s.store(db) == nil {
					kept = append(kept, s)
				}
				samples = samples[1:]
			}
			b := reader.Read(t.Context(), []*slo.Spec{spec}, at)
			reader.Commit(b)
			for _, s := range b.Readings[spec.ID()].Slots {
				if l.Empty() {
					st.Through = s.At
				}
				l.Put(s.At, s.Slot)
			}
			for _, late := range b.Readings[spec.ID()].Late {
				l.AmendShown(late.Since, late.At, late.Bad, late.Total)
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
			if bad, total := most(kept); float64(s.Sum.Bad) > bad*budget.Unit*1.000001+1 || float64(s.Sum.Total) > total*budget.Unit*1.000001+1 {
				t.Fatalf("the ledger holds %d of %d thousandths; the samples show at most %g of %g events", s.Sum.Bad, s.Sum.Total, bad, total)
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

// sample is one value of one counter, or its stale marker, and when the server gets to know it.
type sample struct {
	target, code string
	ms, arrives  int64 // since 1970
	value        float64
	stale        bool
}

// thrown makes an hour of samples at most out of bytes, ten for each, in the order in which they
// arrive: up to half an hour late.
func thrown(data []byte) []sample {
	var out []sample
	ms, begin := t0.UnixMilli(), t0.UnixMilli()
	for ; len(data) >= 10 && ms-begin < time.Hour.Milliseconds(); data = data[10:] {
		ms += int64(data[1]) * 1000
		s := sample{
			target: []string{"1", "2"}[data[0]>>4&1], code: []string{"200", "500", "404", "503"}[data[0]&3],
			ms: ms, arrives: ms + []int64{0, 20, 300, 1800}[data[0]>>5&3]*1000,
			stale: data[0]&0x80 != 0, value: math.Float64frombits(binary.LittleEndian.Uint64(data[2:10])),
		}
		out = append(out, s)
	}
	slices.SortStableFunc(out, func(a, b sample) int { return cmp.Compare(a.arrives, b.arrives) })
	return out
}

// store writes the sample as Prometheus would: what is older than the newest of its series is
// refused.
func (s sample) store(db *promfake.DB) error {
	series := labels.FromStrings("__name__", "requests_total", "job", "shop", "instance", s.target, "code", s.code)
	if s.stale {
		return db.MarkStale(series, s.ms)
	}
	return db.Append(series, s.ms, s.value)
}

// most returns how many events samples can show at most, bad ones and all: a value counts whole
// when it is the first of its series, when any counter of its target may have begun anew since the
// one before, or after five minutes without one; otherwise the difference counts.
func most(samples []sample) (bad, total float64) {
	samples = slices.Clone(samples)
	slices.SortStableFunc(samples, func(a, b sample) int { return cmp.Compare(a.ms, b.ms) })
	last := map[[2]string]sample{}
	anew := map[string]int64{} // newest possible beginning of a target's process, by target
	for _, s := range samples {
		before, known := last[[2]string{s.target, s.code}]
		if s.stale || !(s.value >= 0) || math.IsInf(s.value, 1) || known && s.value < before.value {
			anew[s.target] = s.ms
		}
		last[[2]string{s.target, s.code}] = s
	}
	clear(last)
	for _, s := range samples {
		if s.stale || !(s.value >= 0) || math.IsInf(s.value, 1) {
			continue
		}
		key := [2]string{s.target, s.code}
		before, known := last[key]
		grown := s.value
		if at, fell := anew[s.target]; known && s.ms-before.ms <= 5*60*1000 && s.value >= before.value && !(fell && at >= before.ms) {
			grown -= before.value
		}
		last[key] = s
		total += grown
		if s.code[0] == '5' {
			bad += grown
		}
	}
	return bad, total
}

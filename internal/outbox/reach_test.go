package outbox

import (
	"errors"
	"testing"
	"time"
)

// TestReach: when a channel is called down, since when and why.
func TestReach(t *testing.T) {
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	a, b := place{"slack", "#a"}, place{"slack", "#b"}
	archived, reset := &Failure{Class: Misconfigured, Reason: "is_archived"}, &Failure{Class: Retry, Reason: "reset"}
	revoked := &Failure{Class: Misconfigured, Reason: "token_revoked"}
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	for name, c := range map[string]struct {
		do    func(*Reach)
		down  bool
		since time.Time
	}{
		"nothing was sent":        {func(*Reach) {}, false, time.Time{}},
		"what was taken":          {func(r *Reach) { r.delivered(a, Receipt{TS: "1"}, nil, at(1)) }, false, at(1)},
		"what a person must mend": {func(r *Reach) { r.delivered(a, Receipt{}, archived, at(10)) }, true, at(10)},
		"a hiccup":                {func(r *Reach) { r.delivered(a, Receipt{}, reset, at(9)) }, false, time.Time{}},
		"hiccups for minutes": {func(r *Reach) {
			r.delivered(a, Receipt{}, reset, at(3))
			r.delivered(a, Receipt{}, &Failure{Class: Ambiguous, Reason: "timeout"}, at(9))
		}, true, at(3)},
		"taken in between": {func(r *Reach) {
			r.delivered(a, Receipt{}, reset, at(3))
			r.delivered(a, Receipt{TS: "1"}, nil, at(5))
			r.delivered(a, Receipt{}, reset, at(9))
		}, false, at(5)},
		"the message is at fault": {func(r *Reach) {
			r.delivered(a, Receipt{}, &Failure{Class: Permanent, Reason: "invalid_charset"}, at(5))
		}, false, time.Time{}},
		"the message is needless": {func(r *Reach) { r.delivered(a, Receipt{}, ErrNeedless, at(5)) }, false, time.Time{}},
		"an error of no class":    {func(r *Reach) { r.delivered(a, Receipt{}, errors.New("odd"), at(5)) }, true, at(5)},
		"another channel took it": {func(r *Reach) { r.delivered(a, Receipt{TS: "1", Refused: archived.Error()}, nil, at(5)) }, true, at(5)},
		"another channel is down": {func(r *Reach) { r.delivered(b, Receipt{}, archived, at(5)) }, false, time.Time{}},
		"the whole receiver says no": {func(r *Reach) {
			r.delivered(a, Receipt{TS: "1"}, nil, at(1))
			r.Asked("slack", "", revoked, at(4))
		}, true, at(4)},
		"it says yes again, which mends what it was refused for": {func(r *Reach) {
			r.delivered(a, Receipt{}, revoked, at(3))
			r.Asked("slack", "", revoked, at(4))
			r.Asked("slack", "", nil, at(6))
		}, false, at(6)},
		"it says yes, which says nothing of an archived channel": {func(r *Reach) {
			r.delivered(a, Receipt{}, archived, at(3))
			r.Asked("slack", "", nil, at(6))
		}, true, at(3)},
		"the channel says yes": {func(r *Reach) {
			r.delivered(a, Receipt{}, archived, at(3))
			r.Asked("slack", "#a", nil, at(6))
		}, false, at(6)},
		"the channel says yes each minute, and messages are lost": {func(r *Reach) {
			for m := range 7 {
				r.delivered(a, Receipt{}, &Failure{Class: Ambiguous, Reason: "connection lost"}, at(3+m))
				r.Asked("slack", "#a", nil, at(3+m))
			}
		}, true, at(3)},
		"the channel says yes, and still refuses what no question shows": {func(r *Reach) {
			for m := range 37 {
				r.delivered(a, Receipt{}, &Failure{Class: Misconfigured, Reason: "restricted_action"}, at(m-27))
				r.Asked("slack", "#a", nil, at(m-27))
			}
		}, true, at(-27)},
		"the channel says yes long after the last try": {func(r *Reach) {
			r.delivered(a, Receipt{}, reset, at(-9))
			r.Asked("slack", "#a", nil, at(2))
		}, false, at(2)},
		"archived again, long after it was put right": {func(r *Reach) {
			r.delivered(a, Receipt{}, archived, at(-60))
			r.Asked("slack", "#a", nil, at(-59))
			r.delivered(a, Receipt{}, archived, at(9))
		}, true, at(9)},
		"what was lost on its way is taken at last": {func(r *Reach) {
			r.delivered(a, Receipt{}, reset, at(3))
			r.Asked("slack", "#a", nil, at(4))
			r.delivered(a, Receipt{TS: "1"}, nil, at(6))
		}, false, at(6)},
		"nobody answers for minutes": {func(r *Reach) {
			r.Probed("slack", reset, at(5))
			r.Probed("slack", reset, at(9))
		}, true, at(5)},
		"nobody has answered once": {func(r *Reach) { r.Probed("slack", reset, at(9)) }, false, time.Time{}},
		"somebody answers again, which says nothing of what is refused": {func(r *Reach) {
			r.delivered(a, Receipt{}, archived, at(3))
			r.Probed("slack", reset, at(4))
			r.Probed("slack", nil, at(6))
		}, true, at(3)},
		"a process before knew it": {func(r *Reach) { r.Recall("slack", "#a", archived.Error(), at(-60), at(9)) }, true, at(-60)},
	} {
		t.Run(name, func(t *testing.T) {
			var r Reach
			c.do(&r)
			if got := r.Of("slack", "#a", at(10)); got.Down != c.down || !got.Since.Equal(c.since) || got.Down != (got.Reason != "") {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestProbesEnd: whoever was gone and answers is up since then; one that takes nothing is down
// still, whoever answers there, also where the receiver has no channels.
func TestProbesEnd(t *testing.T) {
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var r Reach
	gone := &Failure{Class: Retry, Reason: "cannot connect"}
	r.Probed("pagerduty", gone, noon)
	r.Probed("pagerduty", nil, noon.Add(5*time.Minute))
	if got := r.Of("pagerduty", "", noon.Add(6*time.Minute)); got.Down || !got.Since.Equal(noon.Add(5*time.Minute)) {
		t.Errorf("%+v", got)
	}
	for m := range 5 { // one that can be asked, and loses messages
		r.delivered(place{"alertmanager", ""}, Receipt{}, gone, noon.Add(time.Duration(m)*time.Minute))
		r.Asked("alertmanager", "", nil, noon.Add(time.Duration(m)*time.Minute))
	}
	if got := r.Of("alertmanager", "", noon.Add(5*time.Minute)); !got.Down || !got.Since.Equal(noon) {
		t.Errorf("%+v", got)
	}
	r.delivered(place{"pagerduty", ""}, Receipt{}, &Failure{Class: Misconfigured, Reason: "http 403"}, noon.Add(7*time.Minute))
	r.Probed("pagerduty", nil, noon.Add(8*time.Minute))
	if got := r.Of("pagerduty", "", noon.Add(9*time.Minute)); !got.Down || got.Reason != "misconfigured: http 403" {
		t.Errorf("%+v", got)
	}
}

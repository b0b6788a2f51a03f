package web

import (
	"errors"
	"testing"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/slo"
)

// TestAlertsArePlayedToInTurn: what is not known is found out in a turn, and nowhere else. What is
// known is told without one, also to whoever asks for another group of the SLO with about the same
// traffic.
func TestAlertsArePlayedToInTurn(t *testing.T) {
	one, other := new(slo.Spec), new(slo.Spec)
	inTurn, turns, played, full := false, 0, 0, errors.New("no turn")
	c := powerCache{play: func(*slo.Spec, float64) alerting.Power {
		if played++; !inTurn {
			t.Error("alerts are played to out of turn")
		}
		return alerting.Power{}
	}}
	give := func(play func() (alerting.Power, error)) (alerting.Power, error) {
		inTurn = true
		turns++
		defer func() { inTurn = false }()
		return play()
	}
	refuse := func(func() (alerting.Power, error)) (alerting.Power, error) { return alerting.Power{}, full }
	for _, ask := range []struct {
		what   string
		spec   *slo.Spec
		rate   float64
		turn   func(func() (alerting.Power, error)) (alerting.Power, error)
		want   error
		played int // so far
	}{
		{"what nobody has asked for", one, 100, give, nil, 1},
		{"another without a turn", other, 100, refuse, full, 1},
		{"what is known, without a turn", one, 100, refuse, nil, 1},
		{"another group of about the same traffic, without a turn", one, 105, refuse, nil, 1},
		{"the same at ten times the traffic, without a turn", one, 1000, refuse, full, 1},
		{"the same at ten times the traffic", one, 1000, give, nil, 2},
		{"the first again", one, 100, give, nil, 2},
	} {
		if _, err := c.of(ask.spec, ask.rate, ask.turn); !errors.Is(err, ask.want) || played != ask.played {
			t.Errorf("%s: %v, played %d times", ask.what, err, played)
		}
	}
	_, err := c.of(other, 100, func(play func() (alerting.Power, error)) (alerting.Power, error) {
		_, _ = c.of(other, 100, give) // somebody else was first
		return give(play)
	})
	if err != nil || played != 3 || turns != 4 {
		t.Errorf("what somebody else has asked for meanwhile: %v, played %d times in %d turns", err, played, turns)
	}
}

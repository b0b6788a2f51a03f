package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// pairProbes try to do alone what takes two people.
func pairProbes() (all []probe) {
	type attempt struct {
		name, token string
		act         map[string]any // KEY stands for that of what waits
		want        []int
	}
	decide := func(kind string, more map[string]any) map[string]any {
		return merged(map[string]any{"kind": kind, "other": "KEY", "by": "Ben"}, more)
	}
	refused := []int{http.StatusBadRequest, http.StatusConflict, http.StatusForbidden, http.StatusNotFound}
	for n, a := range []attempt{
		{"nobody approves alone, under another name", headToken, decide("approve", nil), refused},
		{"nobody approves alone by saying who they are", headToken, decide("approve", map[string]any{"who": "token deputy"}), refused},
		{"nobody approves by the token of the machine", "local", decide("approve", nil), refused},
		{"nobody approves who may not override", oncallToken, decide("approve", nil), refused},
		{"nobody approves for another service", shopToken, decide("approve", map[string]any{"service": "shop"}), refused},
		{"nobody takes an ask for an approval", headToken, map[string]any{"kind": "ask", "asks": "override", "service": "bank", "text": "x", "until": day(1), "by": "Ben"}, refused},
		{"nobody says that it was approved", headToken, map[string]any{"kind": "override", "service": "bank", "text": "x", "until": day(2), "by": "Ada", "approvedBy": "Ben", "key": "PRE@KEY"}, []int{http.StatusOK}},
		{"nobody overrides by an act on an incident", headToken, map[string]any{"kind": "override", "service": "bank", "incident": "bank/availability/page/1", "text": "x", "until": day(2), "by": "Ada"}, refused},
		{"an approval under the key of what waits is refused", deputyToken, decide("approve", map[string]any{"key": "KEY"}), refused},
		{"what waits is not taken back under another kind", oncallToken, map[string]any{"kind": "undo", "other": "KEY", "by": "Ben", "service": "bank"}, refused},
	} {
		all = append(all, probe{door: "four eyes", name: a.name, try: func(ctx context.Context, c *camp) error {
			own, key, err := waits(ctx, c, fmt.Sprintf("attempt %d", n))
			if err != nil {
				return err
			}
			act := map[string]any{}
			for name, value := range a.act {
				if text, ok := value.(string); ok {
					value = strings.ReplaceAll(text, "KEY", key)
				}
				act[name] = value
			}
			token := a.token
			if token == "local" {
				if token, err = readToken(own.dir + "/data/slowburn.db.token"); err != nil {
					return err
				}
			}
			got, err := own.do(ctx, token, "/api/v1/acts", act)
			if err == nil {
				err = oneOf(got, a.want...)
			}
			if err != nil {
				return err
			}
			return passesNothing(ctx, own)
		}})
	}
	return append(all,
		probe{door: "four eyes", name: "a press in Slack approves nothing", try: func(ctx context.Context, c *camp) error {
			own, key, err := waits(ctx, c, "pressed")
			if err != nil {
				return err
			}
			for _, action := range []string{"slowburn_approve", "slowburn_ack", "approve"} {
				if _, err := (note{body: press(action, key, "", nil)}).send(ctx, own); err != nil {
					return err
				}
			}
			return passesNothing(ctx, own)
		}},
		probe{door: "four eyes", name: "an approval works once, and not again", try: approvedOnce},
	)
}

// waits asks for an override as the head, and returns its key.
func waits(ctx context.Context, c *camp, key string) (*castle, string, error) {
	own, err := c.castle(ctx, "pair")
	if err != nil {
		return nil, "", err
	}
	a, err := own.do(ctx, headToken, "/api/v1/acts", map[string]any{"kind": "override", "service": "bank", "text": "x", "until": day(2), "by": "Ada", "key": key})
	if err == nil {
		err = oneOf(a, http.StatusOK)
	}
	if err == nil && !strings.Contains(a.body, `"kind":"ask"`) {
		err = errors.New("it does not wait: " + a.body)
	}
	return own, key, err
}

// passesNothing wants that no permit is in force.
func passesNothing(ctx context.Context, own *castle) error {
	a, err := own.get(ctx, "/api/v1/gate/bank")
	if err != nil {
		return err
	}
	var answer struct {
		Data struct{ Permit *json.RawMessage }
	}
	if err := json.Unmarshal([]byte(a.body), &answer); err != nil {
		return err
	}
	if answer.Data.Permit != nil {
		return errors.New("it is in force: " + string(*answer.Data.Permit))
	}
	return nil
}

// approvedOnce approves by somebody else, tries to do so again, takes what was done back, and tries
// to have it done by the old approval.
func approvedOnce(ctx context.Context, c *camp) error {
	own, key, err := waits(ctx, c, "once")
	if err != nil {
		return err
	}
	for _, step := range []struct {
		token string
		act   map[string]any
		want  int
	}{
		{deputyToken, map[string]any{"kind": "approve", "other": key, "by": "Ben", "key": "yes"}, http.StatusOK},
		{deputyToken, map[string]any{"kind": "approve", "other": key, "by": "Ben", "key": "yes again"}, http.StatusConflict},
		{headToken, map[string]any{"kind": "undo", "other": "yes@" + key, "service": "bank", "by": "Ada"}, http.StatusOK},
		{deputyToken, map[string]any{"kind": "approve", "other": key, "by": "Ben", "key": "yes"}, http.StatusOK}, // what is written down
	} {
		a, err := own.do(ctx, step.token, "/api/v1/acts", step.act)
		if err == nil {
			err = oneOf(a, step.want)
		}
		if err != nil {
			return fmt.Errorf("%v: %w", step.act, err)
		}
	}
	return passesNothing(ctx, own)
}

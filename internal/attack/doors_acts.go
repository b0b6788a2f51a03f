package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// keyProbes try to write down one thing and have another done, or at another time.
func keyProbes() (all []probe) {
	for kind, value := range map[string]map[string]any{
		"an override": {"kind": "override", "slo": "bank/availability", "text": "x"}, "an exemption": {"kind": "exempt", "service": "bank", "text": "x"}, "a silence": {"kind": "silence", "service": "bank", "until": day(1)}, "a declared incident": {"kind": "declare", "slo": "bank/availability", "level": "ticket", "text": "x"},
	} {
		all = append(all, probe{door: "keys", name: kind + " under the key of another act has no effect", try: takenKey(kind, value)})
	}
	return append(all,
		probe{door: "keys", name: "a change that is told again as failed is refused", try: toldAgain},
		probe{door: "keys", name: "the same act twice is one", try: twice},
		probe{door: "keys", name: "an override is not dated back", try: dated(map[string]any{"kind": "override", "slo": "bank/availability", "text": "x", "at": "2020-01-01T00:00:00Z"}, 400)},
		probe{door: "keys", name: "a silence is not dated back", try: dated(map[string]any{"kind": "silence", "service": "bank", "until": day(1), "at": "1970-01-01T00:00:00Z"}, 400)},
		probe{door: "keys", name: "an exemption is not dated back", try: dated(map[string]any{"kind": "exempt", "service": "bank", "text": "x", "at": day(-2)}, 400)},
		probe{door: "keys", name: "an exemption without an end ends within 30 days", try: exemptionEnds},
		probe{door: "keys", name: "an exemption to the year 9999 is refused", try: dated(map[string]any{"kind": "exempt", "service": "bank", "text": "x", "until": "9999-12-31T00:00:00Z"}, 400)},
		probe{door: "keys", name: "what is told late shows both times", try: toldLate},
		probe{door: "keys", name: "who says who they are is not believed", try: forgedWho},
	)
}

// write posts an act to the bank as its head.
func write(ctx context.Context, c *camp, value map[string]any) (*castle, answer, error) {
	own, err := c.castle(ctx, "bank")
	if err != nil {
		return nil, answer{}, err
	}
	if value["by"] == nil {
		value["by"] = "Ada"
	}
	a, err := own.do(ctx, headToken, "/api/v1/acts", value)
	return own, a, err
}

func takenKey(kind string, value map[string]any) func(context.Context, *camp) error {
	return func(ctx context.Context, c *camp) error {
		key := "taken by " + kind
		own, a, err := write(ctx, c, map[string]any{"key": key, "kind": "work", "facts": map[string]string{"minutes": "1", "kind": "toil"}})
		if err == nil {
			err = oneOf(a, 200)
		}
		if err != nil {
			return err
		}
		value["key"] = key
		if _, a, err = write(ctx, c, value); err != nil {
			return err
		}
		if err := oneOf(a, http.StatusConflict); err != nil {
			return err
		}
		a, err = own.get(ctx, "/api/v1/gate/bank")
		if err == nil && strings.Contains(a.body, key) {
			err = errors.New("the gate counts it: " + a.body)
		}
		return err
	}
}

func toldAgain(ctx context.Context, c *camp) error {
	own, err := c.castle(ctx, "bank")
	if err != nil {
		return err
	}
	change := map[string]any{"service": "shop", "by": "ci", "version": "told-again", "start": day(0)}
	for _, failed := range []bool{false, true} {
		change["failed"] = failed
		a, err := own.do(ctx, headToken, "/api/v1/changes", change)
		if err != nil {
			return err
		}
		if want := map[bool]int{false: 200, true: 409}[failed]; a.status != want {
			return oneOf(a, want)
		}
	}
	return nil
}

func twice(ctx context.Context, c *camp) error {
	value := map[string]any{"key": "the same twice", "kind": "work", "facts": map[string]string{"minutes": "1", "kind": "toil"}, "at": day(0)}
	for range 2 {
		_, a, err := write(ctx, c, value)
		if err != nil {
			return err
		}
		if err := oneOf(a, 200); err != nil {
			return err
		}
	}
	own, err := c.castle(ctx, "bank")
	if err != nil {
		return err
	}
	a, err := own.get(ctx, "/api/v1/acts?kind=work")
	if n := strings.Count(a.body, "the same twice"); err == nil && n != 1 {
		err = fmt.Errorf("it is in the log %d times", n)
	}
	return err
}

func dated(value map[string]any, want int) func(context.Context, *camp) error {
	return func(ctx context.Context, c *camp) error {
		_, a, err := write(ctx, c, value)
		if err != nil {
			return err
		}
		return oneOf(a, want)
	}
}

// actOf reads an act out of an answer.
func actOf(a answer) (act struct {
	Key, Who, By, Via   string
	At, Received, Until time.Time
}, err error,
) {
	var whole struct{ Data json.RawMessage }
	if err := oneOf(a, 200); err != nil {
		return act, err
	}
	if err = json.Unmarshal([]byte(a.body), &whole); err == nil {
		err = json.Unmarshal(whole.Data, &act)
	}
	return act, err
}

func exemptionEnds(ctx context.Context, c *camp) error {
	_, a, err := write(ctx, c, map[string]any{"key": "exempt without end", "kind": "exempt", "service": "bank", "text": "x"})
	if err != nil {
		return err
	}
	if a.status == http.StatusBadRequest {
		return nil
	}
	act, err := actOf(a)
	if err != nil {
		return err
	}
	if act.Until.IsZero() || act.Until.After(time.Now().AddDate(0, 0, 31)) {
		return fmt.Errorf("it ends at %v", act.Until)
	}
	_, _, err = write(ctx, c, map[string]any{"kind": "undo", "other": act.Key, "key": "no exemption"})
	return err
}

func toldLate(ctx context.Context, c *camp) error {
	_, a, err := write(ctx, c, map[string]any{"key": "told late", "kind": "work", "at": "2020-01-01T00:00:00Z", "received": "2020-01-01T00:00:00Z", "facts": map[string]string{"minutes": "1", "kind": "toil"}})
	if err != nil || a.status == http.StatusBadRequest {
		return err
	}
	act, err := actOf(a)
	if err == nil && time.Since(act.Received) > time.Hour {
		err = fmt.Errorf("it was received at %v", act.Received)
	}
	return err
}

func forgedWho(ctx context.Context, c *camp) error {
	_, a, err := write(ctx, c, map[string]any{"key": "forged", "kind": "work", "by": "slowburn", "who": "U0BOSS", "via": "slack", "facts": map[string]string{"minutes": "1", "kind": "toil"}})
	if err != nil {
		return err
	}
	act, err := actOf(a)
	if err == nil && (act.Who != "token head" || act.Via == "slack") {
		err = fmt.Errorf("it was written down as who %q via %q", act.Who, act.Via)
	}
	return err
}

// rightProbes use a token for more than its right.
func rightProbes() (all []probe) {
	type request struct {
		name, token, path string
		value             map[string]any
	}
	for _, r := range []request{
		{"a pipeline's token overrides no gate", ciToken, "/api/v1/acts", map[string]any{"kind": "override", "slo": "shop/availability", "text": "x"}},
		{"a pipeline's token exempts nothing", ciToken, "/api/v1/acts", map[string]any{"kind": "exempt", "service": "shop", "text": "x"}},
		{"a pipeline's token silences nothing", ciToken, "/api/v1/acts", map[string]any{"kind": "silence", "service": "shop", "until": day(1)}},
		{"a pipeline's token changes no other service", ciToken, "/api/v1/changes", map[string]any{"service": "bank", "version": "1"}},
		{"a pipeline's token begins no drill", ciToken, "/api/v1/drills", nil},
		{"on-call's token classifies nothing", oncallToken, "/api/v1/acts", map[string]any{"kind": "classify", "incident": "shop/availability/page/1", "facts": map[string]string{"major": "no"}}},
		{"on-call's token overrides no gate", oncallToken, "/api/v1/acts", map[string]any{"kind": "override", "slo": "shop/availability", "text": "x"}},
		{"a token to read writes nothing", readerToken, "/api/v1/acts", map[string]any{"kind": "work", "facts": map[string]string{"minutes": "1", "kind": "toil"}}},
		{"a token to read reloads nothing", readerToken, "/-/reload", nil},
	} {
		all = append(all, probe{door: "rights", name: r.name, try: func(ctx context.Context, c *camp) error {
			own, err := c.castle(ctx, "bank")
			if err != nil {
				return err
			}
			value := merged(r.value, map[string]any{"by": "Anna Vorstand (CISO)"})
			a, err := own.do(ctx, r.token, r.path, value)
			if err != nil {
				return err
			}
			return oneOf(a, http.StatusForbidden)
		}})
	}
	return append(all,
		probe{door: "rights", name: "nobody takes back what takes more than their right", try: undoOthers},
		probe{door: "rights", name: "nobody takes back a change of another service under the name of their own", try: undoElsewhere},
	)
}

// undoElsewhere takes a change of the bank back by a token for the shop, which says that it is
// about the shop.
func undoElsewhere(ctx context.Context, c *camp) error {
	own, err := c.castle(ctx, "bank")
	if err != nil {
		return err
	}
	const key = "a change of the bank"
	a, err := own.do(ctx, headToken, "/api/v1/changes", map[string]any{"key": key, "service": "bank", "version": "1", "by": "Ada"})
	if err == nil {
		err = oneOf(a, 200)
	}
	if err == nil {
		a, err = own.do(ctx, ciToken, "/api/v1/acts", map[string]any{"kind": "undo", "other": key, "service": "shop", "by": "Ben"})
	}
	if err != nil {
		return err
	}
	return oneOf(a, http.StatusForbidden)
}

func undoOthers(ctx context.Context, c *camp) error {
	own, a, err := write(ctx, c, map[string]any{"key": "of the head", "kind": "override", "slo": "bank/availability", "text": "x", "until": day(1)})
	if err == nil {
		err = oneOf(a, 200, 400) // 400: there is nothing to override
	}
	if err != nil || a.status == 400 {
		return err
	}
	a, err = own.do(ctx, oncallToken, "/api/v1/acts", map[string]any{"kind": "undo", "other": "of the head", "by": "Ben"})
	if err != nil {
		return err
	}
	if err := oneOf(a, http.StatusForbidden); err != nil {
		return err
	}
	_, _, err = write(ctx, c, map[string]any{"kind": "undo", "other": "of the head", "key": "of the head no more"})
	return err
}

// onlyOurs wants files to be readable by their user alone.
func onlyOurs(own *castle, names ...string) error {
	for _, name := range names {
		info, err := os.Stat(filepath.Join(own.dir, name))
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			return fmt.Errorf("%s is %v", name, info.Mode())
		}
	}
	return nil
}

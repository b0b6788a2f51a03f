package main

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/prometheus/common/model"

	"github.com/slowburn-sre/slowburn/slo"
)

var timeType = reflect.TypeFor[time.Time]()

// timesHelp explains what the flags that take a time understand.
const timesHelp = "20m (ago), yesterday, \"2026-11-22 08:30\" (UTC) or 2026-11-22T08:30:00Z"

// readTime reads a time as people type it, for every flag that takes one: how long ago it was,
// "20m" or "2d" (with a plus sign: how long until then), a day or a minute in UTC as slowburn
// prints them, "now", "today" and "yesterday", seconds since 1970, or what Prometheus understands.
func readTime(text string, now time.Time) (time.Time, error) {
	now = now.UTC()
	text = strings.ToLower(strings.Join(strings.Fields(text), " "))
	if text == "now" {
		return now, nil
	}
	if t, ok := relative(text, now); ok {
		return t, nil
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && seconds >= 1e9 && seconds < 1e11 {
		return time.UnixMilli(int64(seconds * 1000)).UTC(), nil
	}
	today := now.Truncate(slo.Day)
	days := strings.NewReplacer("today", today.Format(time.DateOnly), "yesterday", today.AddDate(0, 0, -1).Format(time.DateOnly), " utc", "z").Replace(text)
	if t, ok := absolute(days); ok {
		return t, nil
	}
	if t, err := time.Parse("15:04", text); err == nil {
		return today.Add(t.Sub(t.Truncate(slo.Day))), nil
	}
	return time.Time{}, fmt.Errorf("%q is no time: write one such as %s", text, timesHelp)
}

// relative reads how long before or after now a time is.
func relative(text string, now time.Time) (time.Time, bool) {
	direction := time.Duration(-1)
	for _, later := range []string{"+", "in "} {
		if rest, found := strings.CutPrefix(text, later); found {
			text, direction = rest, 1
		}
	}
	text = strings.TrimPrefix(strings.TrimSuffix(text, " ago"), "-")
	if strings.Trim(text, "0123456789.") == "" {
		return now, false // without a unit it is no duration
	}
	d, err := readDuration(text)
	return now.Add(direction * d), err == nil
}

// absolute reads a day, a minute or a second, in UTC where no zone is written.
func absolute(text string) (time.Time, bool) {
	text = strings.ToUpper(text)
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		for _, divider := range []string{"T", " "} {
			if t, err := time.Parse(strings.Replace(layout, "T", divider, 1), text); err == nil {
				return t, true
			}
		}
	}
	return time.Time{}, false
}

// readDuration reads a duration, for every flag that takes one: as Go writes it, "1h30m" or "1.5h",
// or as Prometheus does, "30d" or "2w".
func readDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		var long model.Duration
		long, err = model.ParseDuration(text)
		d = time.Duration(long)
	}
	if err != nil {
		return 0, fmt.Errorf("%q is no duration: write one such as 20m, 1h30m, 7d or 4w", text)
	}
	if d < 0 {
		return 0, fmt.Errorf("%q is negative: write one such as 20m", text)
	}
	return d, nil
}

// readers let every flag and argument that takes a time or a duration be read in the same way.
func readers(now func() time.Time) kong.Option {
	durations := decode(func(text string, target reflect.Value) error {
		d, err := readDuration(text)
		target.SetInt(int64(d))
		return err
	})
	times := decode(func(text string, target reflect.Value) error {
		t, err := readTime(text, now())
		target.Set(reflect.ValueOf(t))
		return err
	})
	return kong.OptionFunc(func(k *kong.Kong) error {
		return errors.Join(kong.TypeMapper(timeType, times).Apply(k),
			kong.TypeMapper(reflect.TypeFor[time.Duration](), durations).Apply(k),
			kong.TypeMapper(reflect.TypeFor[model.Duration](), durations).Apply(k))
	})
}

// decode makes a reader of values of one word out of one of text.
func decode(read func(string, reflect.Value) error) kong.MapperFunc {
	return func(ctx *kong.DecodeContext, target reflect.Value) error {
		var text string
		if err := ctx.Scan.PopValueInto(ctx.Value.Name, &text); err != nil {
			return err
		}
		return read(text, target)
	}
}

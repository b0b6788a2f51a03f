package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/slowburn-sre/slowburn/slo"
)

// table prints aligned columns under a heading.
type table struct{ w *tabwriter.Writer }

func newTable(out io.Writer, head ...string) table {
	t := table{tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)}
	t.row(head...)
	return t
}

func (t table) row(cells ...string) { fmt.Fprintln(t.w, strings.Join(cells, "\t")) }

func (t table) flush() error { return t.w.Flush() }

// unknown is shown where nothing is known: not zero.
const unknown = "–"

// number writes a value that may be unknown.
func number(v *float64, format string) string {
	if v == nil {
		return unknown
	}
	return fmt.Sprintf(format, *v)
}

// percentOf writes a ratio that may be unknown as a percentage.
func percentOf(v *float64) string {
	if v == nil {
		return unknown
	}
	return fmt.Sprintf("%.1f %%", *v*100)
}

// lasting writes seconds as Prometheus writes a duration.
func lasting(seconds float64) string {
	return slo.ShortDuration(time.Duration(seconds * float64(time.Second)).Round(time.Second))
}

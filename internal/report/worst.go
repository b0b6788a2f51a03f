package report

import (
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/markdown"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
)

// worstLengths are the lengths of the windows whose worst is shown.
var worstLengths = []time.Duration{5 * time.Minute, time.Hour, 6 * time.Hour, slo.Day, 7 * slo.Day}

// Worst is the worst window of one length.
type Worst struct {
	Length time.Duration
	From   time.Time
	Bad    int64
	Total  int64
	Whole  bool // the whole period could be searched
	Known  bool // an event went bad in a window of this length, and it is known in which
}

// worst finds the worst window of every length that fits into the period.
func (b *builder) worst(l *budget.Ledger) []Worst {
	var all []Worst
	for _, length := range worstLengths {
		if length > b.To.Sub(b.From) {
			break
		}
		w, ok := budget.Worst(l, b.from, b.to, length)
		one := Worst{Length: length, Known: ok, Whole: w.Searched == b.to-b.from}
		if ok {
			one.From, one.Bad, one.Total = w.From.Time(), w.Sum.Bad, w.Sum.Total
		}
		all = append(all, one)
	}
	return all
}

func (r Report) worstText(limit int) string {
	head := []string{"SLO"}
	var rows [][]string
	part := false
	for _, w := range r.Rows {
		if w.InPeriod.Bad == 0 {
			continue
		}
		row := []string{markdown.Code(string(w.ID))}
		head = head[:1]
		for _, x := range w.Worst {
			head = append(head, figures.Duration(x.Length)+":")
			cell := figures.Unknown
			if x.Known {
				cell = figures.SLI(x.Bad, x.Total, w.Spec.Objective)
			}
			if x.Known && !x.Whole {
				cell, part = cell+"*", true
			}
			row = append(row, cell)
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		return noBurn
	}
	note := "\nThe SLI of the worst window of each length. " + sentences.WorstWindows + "\n"
	if part {
		note += "\\* Looked for in a part of the period only: a young ledger has no more.\n"
	}
	return table(head, rows, limit) + note
}

package conformance_test

import (
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/truth"
	"github.com/slowburn-sre/slowburn/slo"
)

// BenchmarkSideBySide has a real Prometheus answer three ways to know a budget over the same worlds
// of trouble: slowburn, which sees them for the first time, and the formulas of the recording rules
// that Sloth and Pyrra generate. It prints how far each share of bad events is from what the
// samples show. It fails if slowburn's is off by more than 0.02 % in the median of a kind or an
// amount of traffic, or by more than any of the two.
func BenchmarkSideBySide(b *testing.B) {
	path, err := exec.LookPath("prometheus")
	if err != nil {
		b.Skip("prometheus is not installed")
	}
	db := promfake.New(promfake.Options{})
	worlds, specs := playWorlds(b, db, time.Duration(*historyDays)*24*time.Hour, 0)
	dir := filepath.Join(b.TempDir(), "data")
	writeBlocks(b, db, dir, *historyDays)
	server := startPrometheus(b, path, dir)
	from, end := budget.MinuteOf(historyStart)+60, budget.MinuteOf(historyStart)+budget.Minute(*historyDays)*24*60
	for range b.N {
		ledgers, _ := readHistory(b, server.url, specs, from, end)
		ways := []map[string]float64{{}, server.averages(b, from, end), server.whole(b, from, end)}
		cells := map[string][][]float64{} // by kind and by traffic: a list for each way
		for name, w := range worlds {
			sum := ledgers[slo.ID("svc/"+name)].Sum(from, end)
			ways[0][name] = float64(sum.Bad) / float64(sum.Total)
			seen := w.Sum(from.Time(), end.Time()).Seen()
			parts := strings.Split(name, "-")
			kind, _ := strconv.Atoi(parts[len(parts)-1])
			for _, cell := range []string{truth.Kinds[kind], parts[len(parts)-2]} {
				for len(cells[cell]) < len(ways) {
					cells[cell] = append(cells[cell], nil)
				}
				for i, way := range ways {
					cells[cell][i] = append(cells[cell][i], math.Abs(way[name]/(float64(seen.Bad)/float64(seen.Total()))-1)*100)
				}
			}
		}
		b.Log("| error in %, median / largest | slowburn | averaged ratios (Sloth) | increase over the window (Pyrra) |")
		for _, cell := range rows() {
			line := "| " + cell
			for i, errs := range cells[cell] {
				slices.Sort(errs)
				line += fmt.Sprintf(" | %.2g / %.2g", errs[len(errs)/2], errs[len(errs)-1])
				if m := errs[len(errs)/2]; i == 0 && m > 0.02 || m+0.001 < cells[cell][0][len(errs)/2] {
					b.Errorf("%s: %.4f, slowburn %.4f", cell, m, cells[cell][0][len(errs)/2])
				}
			}
			b.Log(line + " |")
		}
		b.ReportMetric(0, "ns/op")
	}
}

// rows lists the amounts of traffic, and the kinds of trouble.
func rows() (out []string) {
	for _, tier := range truth.Tiers {
		out = append(out, tier.Name)
	}
	return append(out, truth.Kinds...)
}

// averages is Sloth's way: the ratio of five minutes, recorded every minute, and averaged over the
// window. Minutes that record NaN, for there was no traffic, are left out in its favour.
func (s realServer) averages(b *testing.B, from, end budget.Minute) map[string]float64 {
	sum, n := map[string]float64{}, map[string]float64{}
	const query = `sum by (job) (rate(http_requests_total{code="500"}[5m])) / sum by (job) (rate(http_requests_total[5m]))`
	for at := from; at < end; at += 24 * 60 {
		s.steps(b, query, at.Time().Add(time.Minute), min(at+24*60, end).Time(), time.Minute, func(series string, v float64) {
			if !math.IsNaN(v) {
				job := strings.TrimSuffix(series, " ")
				sum[job], n[job] = sum[job]+v, n[job]+1
			}
		})
	}
	for job := range sum {
		sum[job] /= n[job]
	}
	return sum
}

// whole is Pyrra's way: the increase over the window, of the bad events and of all.
func (s realServer) whole(b *testing.B, from, end budget.Minute) map[string]float64 {
	window, shares := fmt.Sprintf("[%dm]", end-from), map[string]float64{}
	query := `sum by (job) (increase(http_requests_total{code="500"}` + window + `)) / sum by (job) (increase(http_requests_total` + window + `))`
	s.steps(b, query, end.Time(), end.Time(), time.Hour, func(series string, v float64) { shares[strings.TrimSuffix(series, " ")] = v })
	return shares
}

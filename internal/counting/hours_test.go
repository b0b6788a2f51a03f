package counting

import (
	"maps"
	"math"
	"slices"
	"testing"
)

// TestWhereResetsMayHide: a process of which one counter stands higher than it can have come in an
// hour has not begun anew in it. Any other may have.
func TestWhereResetsMayHide(t *testing.T) {
	no := math.NaN()
	for _, tc := range []struct {
		name string
		rows [][]float64 // of one target
		lone bool        // it has no instance
		want bool
	}{
		{"long of life", [][]float64{{9000, 9100, 9200, 9300}}, false, false},
		{"its errors are few, but it lives", [][]float64{{9000, 9100, 9200, 9300}, {1, 1, 2, 2}}, false, false},
		{"counters of different processes: each for itself", [][]float64{{9000, 9100, 9200, 9300}, {1, 1, 2, 2}}, true, true},
		{"it is young", [][]float64{{100, 200, 300, 400}}, false, true},
		{"it stands still and low", [][]float64{{3, 3, 3, 3}}, false, true},
		{"a busy hour lately", [][]float64{{8000, 9000, 9001, 9002}}, false, true},
		{"it has just come", [][]float64{{no, no, 9000, 9100}}, false, true},
		{"it has gone", [][]float64{{9000, 9100, 9200, no}}, false, true},
		{"it fell", [][]float64{{9000, 9100, 8900, 9000}}, false, true},
		{"it is not there", [][]float64{{no, no, no, no}}, false, false},
	} {
		x := &Index{}
		table := &Table{End: 4}
		x.AddAccount(Info{})
		for i, last := range tc.rows {
			x.Meet(int32(i), 0, !tc.lone, []Route{{0, Total}})
			table.Rows = append(table.Rows, &Row{Series: int32(i), Interval: 30_000, Last: last})
		}
		if got := slices.Collect(maps.Keys(table.MayHide(x, 2, 4))); slices.Contains(got, 0) != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

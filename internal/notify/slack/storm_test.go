package slack

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/store"
)

// BenchmarkStorm delivers a storm from a store on the disk to the stand-in: the time until the
// first digest and until everybody is named is Slack's, the rest is ours.
func BenchmarkStorm(b *testing.B) {
	for _, n := range []int{1_000, 3_000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				w := newWorld(b, slacktest.Options{})
				db, err := store.Open(filepath.Join(b.TempDir(), "s.db"), store.Options{CheckFor: -1})
				if err != nil {
					b.Fatal(err)
				}
				tick := store.Tick{}
				for i := range n {
					e := w.message(fmt.Sprint("k", i), fmt.Sprintf("shop-%05d/availability", i), outbox.Post, outbox.LanePage)
					e.Body = append(e.Body[:len(e.Body)-1], []byte(`,"slo":"`+strings.Repeat("x", 3000)+`"}`)...)
					tick.Owed = append(tick.Owed, e)
				}
				pump := outbox.NewPump(db, map[string]outbox.Receiver{"slack": w.receiver}, outbox.Options{})
				if _, err := pump.Pass(b.Context(), w.now()); err != nil {
					b.Fatal(err)
				}
				if err := db.Commit(b.Context(), tick); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				began, started := w.now(), time.Now()
				var first, last time.Duration
				for waiting := n; waiting > 0; w.clock.Add(int64(500 * time.Millisecond)) {
					s, err := pump.Pass(b.Context(), w.now())
					if err != nil {
						b.Fatal(err)
					}
					last = w.now().Sub(began)
					if waiting = s.Waiting[outbox.LanePage]; waiting < n-20 && first == 0 {
						first = last
					}
				}
				b.StopTimer()
				b.ReportMetric(first.Seconds(), "s-to-first-digest")
				b.ReportMetric(last.Seconds(), "s-to-all-named")
				b.ReportMetric(float64(time.Since(started).Microseconds())/float64(n), "us/message")
				_ = db.Close()
				b.StartTimer()
			}
		})
	}
}

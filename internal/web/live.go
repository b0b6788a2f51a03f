package web

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/slowburn-sre/slowburn/internal/engine"
)

// A page stays current by a script of ours, which listens here and fetches the page again when
// there is something new. What is told is only that: the page is made by the same code, behind the
// same doors, as for those who have no script.

// livePath tells browsers that there is a newer snapshot, as server-sent events. liveScript is what
// listens.
const (
	livePath   = "/live"
	liveScript = "/live.js"
)

const (
	liveGap  = 500 * time.Millisecond // at least between two events: snapshots come in bursts
	liveBeat = 20 * time.Second       // a sign of life, by which both sides see that the other is gone
	liveFor  = 5 * time.Minute        // then the browser comes anew, and must prove anew who it is
	liveLate = 10 * time.Second       // who has not read an event by then is gone
)

// stillPages are those that no snapshot changes.
var stillPages = []string{"report", "document", "error", "out"}

// snapshotName tells a snapshot from others, those before a restart too.
func (s *server) snapshotName(seen *engine.Snapshot) string {
	return strconv.FormatInt(s.began.UnixNano(), 36) + "-" + strconv.FormatUint(seen.Number, 10)
}

// current tells pages of new snapshots.
type current struct{ *server }

// ServeHTTP sends the name of the newest snapshot, and of each that follows, until the browser goes
// or slowburn stops. No other site may take places here.
func (s current) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if from := r.Header.Get("Sec-Fetch-Site"); from != "" && from != "same-origin" {
		http.Error(w, "Only slowburn's own pages listen here.", http.StatusForbidden)
		return
	}
	wire := http.NewResponseController(w)
	_ = wire.SetReadDeadline(time.Time{}) // a recorder in a test has none; the server looks whether the browser is still there
	send := func(event string) bool {
		_ = wire.SetWriteDeadline(time.Now().Add(liveLate))
		_, err := fmt.Fprint(w, event)
		return err == nil && wire.Flush() == nil
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // of nginx
	beat, end := time.NewTicker(liveBeat), time.NewTimer(liveFor)
	defer beat.Stop()
	defer end.Stop()
	for told := ""; ; {
		seen := s.Source.Snapshot()
		if name := s.snapshotName(seen); name != told {
			if !send("retry: 2000\ndata: " + name + "\n\n") {
				return
			}
			told = name
		}
		select {
		case <-seen.Replaced():
			select { // the last of a burst is enough
			case <-time.After(liveGap):
			case <-r.Context().Done():
				return
			case <-s.stopping:
				return
			}
		case <-beat.C:
			if !send(":\n\n") {
				return
			}
		case <-end.C:
			return
		case <-r.Context().Done():
			return
		case <-s.stopping:
			return
		}
	}
}

package sentences

import (
	"time"

	"github.com/slowburn-sre/slowburn/internal/figures"
)

// NotWritten says that a database, which has not answered since a time, has not taken what somebody
// asked for, or that this is not known, and what to do.
func NotWritten(since time.Time, unclear bool) string {
	if unclear {
		return silent(since) + ", and whether this was written down is not known. Look when it answers again, which /-/healthy tells; until then tell your team in another way."
	}
	return silent(since) + ", so nothing was written. Do it again when it answers, which /-/healthy tells; until then tell your team in another way."
}

// AwaitsLeader says that something is written down, and not done yet.
const AwaitsLeader = "It is written down, and waits for the slowburn that leads, which may be changing just now."

// NotRead says that a database, which has not answered since a time, cannot show what somebody
// wants to see.
func NotRead(since time.Time) string {
	return silent(since) + ". Until it does, only what is in memory is shown: the overview, the SLOs and what is open."
}

func silent(since time.Time) string {
	return "The database has not answered since " + figures.UTC(since)
}

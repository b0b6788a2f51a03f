package slack

import (
	"fmt"
	"time"

	"github.com/slowburn-sre/slowburn/internal/figures"
)

// at shows a moment in the reader's own time zone, and in UTC where that is not possible.
func at(t time.Time) string {
	return fmt.Sprintf("<!date^%d^{date_short_pretty} {time}|%s>", t.Unix(), figures.UTC(t))
}

package notify

import (
	"net/http"
	"sync"
	"time"
)

// Clock knows what time it is for a receiver: what its newest answer said, and how long ago that
// was. Our own clock may be wrong, and is not asked. The zero value knows nothing yet.
type Clock struct {
	mu   sync.Mutex
	date time.Time // as the answer said
	at   time.Time // when it came; only the time that went by since is used
}

// Watch returns a client that tells the clock the date of every answer.
func (c *Clock) Watch(client *http.Client) *http.Client {
	watched := *client
	watched.Transport = dated{client.Transport, c}
	return &watched
}

// Now returns the receiver's time, as far as an answer has told it. It is never ahead of it.
func (c *Clock) Now() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.date.Add(time.Since(c.at)), !c.date.IsZero()
}

// dated notes the date of answers.
type dated struct {
	next  http.RoundTripper
	clock *Clock
}

// RoundTrip implements http.RoundTripper.
func (d dated) RoundTrip(r *http.Request) (*http.Response, error) {
	next := d.next
	if next == nil {
		next = http.DefaultTransport
	}
	resp, err := next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		d.clock.mu.Lock()
		d.clock.date, d.clock.at = date, time.Now()
		d.clock.mu.Unlock()
	}
	return resp, nil
}

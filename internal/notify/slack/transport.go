package slack

import (
	"io"
	"net/http"

	"github.com/slowburn-sre/slowburn/internal/notify"
)

// httpClient returns a client that waits for a bounded time, follows no redirect (the request
// carries a token) and reads a bounded answer. It never tries again: only the outbox knows whether
// that is safe.
func httpClient() *http.Client {
	c := notify.NewClient()
	c.Transport.(*http.Transport).MaxIdleConnsPerHost = 16
	c.Transport = bounded{c.Transport}
	return c
}

const answerLimit = 8 << 20 // bytes; a page of history is far below

// bounded cuts answers off that are too long.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, answerLimit), resp.Body}
	return resp, nil
}

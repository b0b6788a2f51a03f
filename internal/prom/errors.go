package prom

import "fmt"

// Kind sorts failures by what they mean for the reader of a status page.
type Kind string

// The kinds of failure. None of them counts as time without events.
const (
	Unreachable Kind = "unreachable" // no connection, or it broke
	Timeout     Kind = "timeout"     // no answer in time, or the caller gave up
	BadAnswer   Kind = "bad_answer"  // something answered that is not the Prometheus API
	Refused     Kind = "refused"     // 4xx, a redirect elsewhere, a query the server does not understand
	TooLarge    Kind = "too_large"   // over a cap of ours or of the server's
	Overloaded  Kind = "overloaded"  // 5xx and 429: it may work later
	Partial     Kind = "partial"     // answered with warnings: something may be missing
	Unusable    Kind = "unusable"    // answered, but the SLO cannot be computed from it
)

// Error is every failure of this package.
type Error struct {
	Kind Kind
	Op   string // the endpoint, such as "query"
	URL  string // base address without password
	Hint string // what a person may do about it
	Err  error  // the cause
	// Stack is where the program itself has failed, for its log; nil for every other failure.
	Stack []byte
}

type failer = func(Kind, string, error) *Error

// Error names the failure and its cause.
func (e *Error) Error() string {
	s := fmt.Sprintf("prometheus %s", e.Kind)
	if e.Op != "" {
		s = fmt.Sprintf("prometheus %s %s", e.Op, e.Kind)
	}
	if e.URL != "" {
		s += " (" + e.URL + ")"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Package logtest is a log that tests read while others still write it.
package logtest

import (
	"strings"
	"sync"
)

// Log keeps what is written to it. The zero value is empty.
type Log struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write appends p; it never fails.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String returns all that has been written.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Count returns how often some words have been written.
func (l *Log) Count(words string) int { return strings.Count(l.String(), words) }

package promfake

import (
	"compress/gzip"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// Server is a [DB] that listens on a loopback address.
type Server struct {
	// URL is the base address, such as http://127.0.0.1:40123, without a slash.
	URL string

	srv  *http.Server
	done chan struct{}
}

// Start serves the handler (usually [DB.Handler]) on a free port of 127.0.0.1. Close the server
// when done.
func Start(h http.Handler) (*Server, error) { return Listen("127.0.0.1:0", h) }

// Listen serves the handler on a given address.
func Listen(addr string, h http.Handler) (*Server, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("promfake: %w", err)
	}
	s := &Server{
		URL:  "http://" + l.Addr().String(),
		srv:  &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second},
		done: make(chan struct{}),
	}
	go func() {
		defer close(s.done)
		_ = s.srv.Serve(l) // always ends with ErrServerClosed, by Close
	}()
	return s, nil
}

// Close cuts all connections, which also ends requests that hang, and waits for the listener to be
// gone.
func (s *Server) Close() error {
	err := s.srv.Close()
	<-s.done
	return err
}

// counted counts requests and the bytes of their answers.
func (db *DB) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		db.stats.requests.Add(1)
		next.ServeHTTP(&countingWriter{ResponseWriter: w, db: db}, r)
	})
}

type countingWriter struct {
	http.ResponseWriter
	db *DB
}

// Write implements http.ResponseWriter.
func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.db.stats.bytes.Add(int64(n))
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// compressed answers in gzip when the client accepts it.
func compressed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Accept-Encoding")
		if !acceptsGzip(r) {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		zw := gzip.NewWriter(w)
		defer zw.Close()
		next.ServeHTTP(&gzipWriter{ResponseWriter: w, zw: zw}, r)
	})
}

func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		if strings.TrimSpace(part) == "gzip" {
			return true
		}
	}
	return false
}

type gzipWriter struct {
	http.ResponseWriter
	zw *gzip.Writer
}

// Write implements http.ResponseWriter.
func (w *gzipWriter) Write(p []byte) (int, error) { return w.zw.Write(p) }

package slacktest

import "net/http"

func (s *Server) pageRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", http.NotFound)
}

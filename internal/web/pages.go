package web

import "net/http"

type pages struct{}

func newPages(prefix string) *pages             { return &pages{} }
func (s *server) routePages(mux *http.ServeMux) {}

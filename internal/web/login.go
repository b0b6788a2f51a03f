package web

import (
	"errors"
	"net/http"

	"github.com/slowburn-sre/slowburn/internal/login"
)

// routeLogin serves how people sign in and out.
func (s *site) routeLogin(mux *http.ServeMux) {
	step := func(path string, do func(http.ResponseWriter, *http.Request) error) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			err := do(w, r)
			if no := new(login.Refusal); errors.As(err, &no) {
				if no.Code == http.StatusForbidden {
					s.refusals.wrong(r, "login")
				}
				s.show(w, "", page{}, &problem{no.Code, "forbidden", no.Text})
			}
		})
	}
	step(login.LoginPath, s.Login.Begin)
	step(login.CallbackPath, s.Login.Finish)
	mux.Handle("POST "+login.LogoutPath, http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.Login.End(w, r)
		s.show(w, "out", page{Title: "Signed out", Body: s.prefix + login.LoginPath}, nil)
	})))
}

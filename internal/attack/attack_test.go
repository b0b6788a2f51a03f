package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

func TestEveryProbeHasANameOfItsOwnAndEveryInputIsTried(t *testing.T) {
	seen, tried := map[string]bool{}, map[int]bool{}
	for _, p := range allProbes() {
		full := p.door + ": " + p.name
		if p.door == "" || p.name == "" || p.try == nil || seen[full] {
			t.Errorf("the probe %q has no name of its own", full)
		}
		seen[full] = true
		for _, n := range p.inputs {
			tried[n] = true
		}
	}
	for n := 1; n <= 73; n++ {
		if inputs[n] == "" || !tried[n] {
			t.Errorf("input %d (%s) is not tried", n, inputs[n])
		}
	}
	if len(inputs) != 73 {
		t.Errorf("there are %d inputs", len(inputs))
	}
}

// doormat lets everybody in and gives back what it was given.
func doormat(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Write([]byte("<p>" + r.URL.Path + r.URL.RawQuery + r.Host + r.Header.Get("X-Forwarded-Host") + "<script>x</script>\nroot:"))
}

// What is sent to a daemon that runs finds a door that holds nothing. Of those that a doormat
// passes, each is told here.
func TestAServerThatHoldsNothingHasAFaultAtEachProbe(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(doormat))
	defer srv.Close()
	to, err := newTarget(srv.URL, false)
	if err != nil {
		t.Fatal(err)
	}
	slow := func(p probe) bool { return slices.Contains([]string{"crowds", "guesses", "wire"}, p.door) }
	var out bytes.Buffer
	if (&camp{target: to}).attack(t.Context(), slices.DeleteFunc(allProbes(), slow), &out) == 0 {
		t.Fatal("there is no fault")
	}
	passes := []string{"dear to answer", "two hosts", "0.0.0.0", "no redirect"}
	for line := range strings.Lines(out.String()) {
		if strings.HasPrefix(line, "held") && !slices.ContainsFunc(passes, func(words string) bool { return strings.Contains(line, words) }) {
			t.Errorf("a doormat has no fault: %s", line)
		}
	}
}

func TestOnlyThisMachineIsAttackedUnlessMeant(t *testing.T) {
	for address, good := range map[string]bool{"http://127.0.0.1:1": true, "http://localhost:1": true, "https://[::1]:1/x/": true, "http://192.0.2.1:1": false, "http://slowburn.example": false, "ftp://127.0.0.1": false, "127.0.0.1:7569": false} {
		if _, err := newTarget(address, false); (err == nil) != good {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := newTarget("https://slowburn.example", true); err != nil {
		t.Error(err)
	}
}

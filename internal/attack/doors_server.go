package main

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// harm is what a server of metrics does to whoever asks it.
type harm struct {
	name  string
	input int
	do    func(w http.ResponseWriter, r *http.Request)
}

// vector answers with one sample of such a text as its value, for a query at a time.
func vector(metric, value, stamp string) string {
	return `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"` + metric + `","code":"500"},"value":[` + stamp + `,"` + value + `"]}]}}`
}

// matrix answers with samples of the last minutes.
func matrix(value func(n int) string) string {
	var b strings.Builder
	for n := range 20 {
		fmt.Fprintf(&b, `,[%d,%q]`, time.Now().Unix()-int64(30*(20-n)), value(n))
	}
	return `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"x","code":"500"},"values":[` + b.String()[1:] + `]}]}}`
}

func says(text string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, text)
	}
}

func saysOf(text func() string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) { says(text())(w, r) }
}

// stolen counts who came to where a redirect leads.
var stolen atomic.Int64

// harms are the ways to do harm. What is not noticed must at least not be believed.
var harms = []harm{
	{"JSON of 100,000 levels", 70, says(`{"status":"success","data":` + strings.Repeat("[", 100_000))},
	{"a text of 40 MB", 70, says(`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"a":"` + strings.Repeat("x", 40<<20) + `"}}]}}`)},
	{"an answer without an end", 70, endless},
	{"a byte a second", 70, drip},
	{"a redirect to the cloud's own address", 71, redirect("http://169.254.169.254/latest/meta-data/")},
	{"a redirect to a file", 71, redirect("file:///etc/passwd")},
	{"a redirect to somebody else", 71, func(w http.ResponseWriter, r *http.Request) { redirect("http://"+r.Host+"/stolen")(w, r) }},
	{"a gzip bomb", 72, gzipBomb},
	{"a length that is too long", 72, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000000")
		_, _ = io.WriteString(w, `{"status":"success"`)
	}},
	{"HTML with 200", 72, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html><script>alert(1)</script>")
	}},
	{"null", 72, says("null")},
	{"nothing", 72, says("")},
	{"a list", 72, says("[]")},
	{"a scalar", 72, says(`{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}`)},
	{"an error of 10 kB that steers", 72, says(`{"status":"error","errorType":"bad_data","error":"\u001b]0;x\u0007` + strings.Repeat("x", 10_000) + `"}`)},
	{"a time in the year 9999", 73, says(vector("x", "1", "253402300799"))},
	{"a time before 1970", 73, says(vector("x", "1", "-99999999999"))},
	{"a time beyond all", 73, says(vector("x", "1", "1e300"))},
	{"NaN", 73, saysOf(func() string { return matrix(func(int) string { return "NaN" }) })},
	{"+Inf", 73, saysOf(func() string { return matrix(func(int) string { return "+Inf" }) })},
	{"a value that is no number", 73, saysOf(func() string { return matrix(func(int) string { return "x" }) })},
	{"1e300", 73, saysOf(func() string { return matrix(func(n int) string { return []string{"1", "1e300"}[n%2] }) })},
	{"an underflow of 64 bits, once", 73, saysOf(func() string {
		return matrix(func(n int) string {
			if n == 10 {
				return "18446744073709551615"
			}
			return strconv.Itoa(100 * n)
		})
	})},
	{"10,000 names of labels", 73, saysOf(manyNames)},
	{"the same series twice", 73, saysOf(func() string {
		one := `{"metric":{"__name__":"x"},"values":[[` + now() + `,"1"]]}`
		return `{"status":"success","data":{"resultType":"matrix","result":[` + one + `,` + one + `]}}`
	})},
	{"samples out of order", 73, says(`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"x"},"values":[[1900000000,"5"],[1,"9"],[1800000000,"1"]]}]}}`)},
	{"20,000 series", 73, saysOf(manySeries)},
	{"a reset of the connection", 72, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
	{"500 with a page", 72, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, strings.Repeat("<b>", 1<<20), 500) }},
}

func endless(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"matrix","result":[`)
	for piece := strings.Repeat(" ", 64<<10); r.Context().Err() == nil; {
		if _, err := io.WriteString(w, piece); err != nil {
			return
		}
	}
}

func drip(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		if _, err := io.WriteString(w, " "); err != nil {
			return
		}
		w.(http.Flusher).Flush()
		select {
		case <-time.After(time.Second):
		case <-r.Context().Done():
		}
	}
}

func redirect(to string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	}
}

// gzipBomb sends a gigabyte in a megabyte.
func gzipBomb(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	for piece, n := make([]byte, 1<<20), 0; n < 1<<10 && r.Context().Err() == nil; n++ {
		if _, err := z.Write(piece); err != nil {
			return
		}
	}
	_ = z.Close()
}

func manyNames() string {
	var b strings.Builder
	for n := range 10_000 {
		fmt.Fprintf(&b, `,"l%d":"x"`, n)
	}
	return `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"x"` + b.String() + `},"values":[[` + now() + `,"1"]]}]}}`
}

func manySeries() string {
	var b strings.Builder
	for n := range 20_000 {
		fmt.Fprintf(&b, `,{"metric":{"__name__":"x","user":"u%d"},"values":[[%s,"1"]]}`, n, now())
	}
	return `{"status":"success","data":{"resultType":"matrix","result":[` + b.String()[1:] + `]}}`
}

var harmed = regexp.MustCompile(`harm_(\d+)_total`)

// siege makes a Prometheus that answers well about the shop, and does harm to who asks about the
// rest.
func siege() http.Handler {
	shop := hostileShop()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stolen" {
			stolen.Add(1)
		}
		body, _ := io.ReadAll(io.LimitReader(r.Body, maxAnswer))
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		text, _ := url.QueryUnescape(string(body) + r.URL.RawQuery)
		if m := harmed.FindStringSubmatch(text); m != nil {
			n, _ := strconv.Atoi(m[1])
			harms[n].do(w, r)
			return
		}
		shop.ServeHTTP(w, r)
	})
}

// serverProbes look at a daemon that reads from all of them, beside one that works.
func serverProbes() (all []probe) {
	for n, h := range harms {
		all = append(all, probe{door: "prometheus", name: h.name + " is not believed, and the others are read", inputs: []int{h.input}, try: besieged(n)})
	}
	return append(all,
		probe{door: "prometheus", name: "no redirect is followed", inputs: []int{71}, try: func(ctx context.Context, c *camp) error {
			if _, err := c.castle(ctx, "siege"); err != nil {
				return err
			}
			if n := stolen.Load(); n > 0 {
				return fmt.Errorf("followed %d times", n)
			}
			return nil
		}},
		probe{door: "prometheus", name: "what is sent is bounded, and so is the memory for it", inputs: []int{70, 72}, try: memory},
	)
}

// besieged wants an SLO of a server that does harm to be unwell or without traffic, the others to
// be read, and the daemon to live.
func besieged(n int) func(context.Context, *camp) error {
	return func(ctx context.Context, c *camp) error {
		own, err := c.castle(ctx, "siege")
		if err != nil {
			return err
		}
		return eventually(ctx, func() error {
			if err := own.alive(""); err.Error() != "" {
				return err
			}
			a, err := own.get(ctx, "/api/v1/slos")
			if err != nil {
				return err
			}
			var whole struct {
				Data []struct {
					ID     string
					Data   struct{ State string }
					Budget struct{ Total, Bad *float64 }
				}
			}
			if err := json.Unmarshal([]byte(a.body), &whole); err != nil {
				return err
			}
			read := false
			for _, s := range whole.Data {
				read = read || s.ID == "bank/availability" && s.Data.State == "ok"
				if total := s.Budget.Total; s.ID == fmt.Sprintf("harm-%d/availability", n) && total != nil && (*total < 0 || *total > 1e12) {
					return final{fmt.Errorf("it is believed: %v events", *total)}
				}
			}
			if !read {
				return errors.New("the bank's SLO is not read")
			}
			return nil
		})
	}
}

// maxMemory is what a daemon may take that is sent tens of megabytes many times.
const maxMemory = 400 << 20

var resident = regexp.MustCompile(`process_resident_memory_bytes ([0-9.e+]+)`)

func memory(ctx context.Context, c *camp) error {
	own, err := c.castle(ctx, "siege")
	if err != nil {
		return err
	}
	a, err := own.get(ctx, "/metrics")
	if err != nil {
		return err
	}
	m := resident.FindStringSubmatch(a.body)
	if m == nil {
		return skip("the metric of memory is not there")
	}
	if bytes, _ := strconv.ParseFloat(m[1], 64); bytes > maxMemory {
		return fmt.Errorf("it takes %.0f MB", bytes/(1<<20))
	}
	return nil
}

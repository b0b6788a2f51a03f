package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
)

// stagePrometheus plays with Prometheus:
//
//	prometheus start [job=NAME] [rate=PER-SECOND] [days=N] [base=SHARE] [bad=FROM..TO=SHARE]…
//	prometheus fails 503|html|nan|cut
//	prometheus heals
//	prometheus stop
//
// It holds one service of which everything is known: http_requests_total by code, and the histogram
// http_request_duration_seconds with bounds 0.1, 0.25, 0.5 and 1, scraped every 30 seconds, for so
// many days before the script begins and for a week after. base is the share of requests that fail
// always, bad the share in a stretch of time. PROMETHEUS names its address, PROMETHEUS_HOST its
// host and port.
func stagePrometheus(ts *testscript.TestScript, _ bool, args []string) {
	s := stageOf(ts)
	switch args[0] {
	case "start":
		m, err := s.playOf(args[1:])
		ts.Check(err)
		s.DB = promfake.New(promfake.Options{Now: s.now})
		ts.Check(m.write(s.DB, s.now().Truncate(time.Minute)))
		s.prom, err = promfake.Start(s.DB.Handler())
		ts.Check(err)
		ts.Setenv("PROMETHEUS", s.prom.URL)
		ts.Setenv("PROMETHEUS_HOST", strings.TrimPrefix(s.prom.URL, "http://"))
	case "fails":
		if args[1] == "wrapped" { // the counters, not the time
			s.DB.Faults.Add(promfake.Fault{When: promfake.OnQuery("http_requests_total"), Do: promfake.Values("18446744073709551615")})
			return
		}
		s.DB.Faults.Fail(map[string]promfake.Failure{
			"503": promfake.Status(503), "html": promfake.HTML(200), "nan": promfake.Values("NaN"), "cut": promfake.Truncated(),
		}[args[1]])
	case "heals":
		s.DB.Faults.Clear()
	case "stop":
		ts.Check(s.prom.Close())
	default:
		ts.Fatalf("prometheus %s?", args[0])
	}
}

// play is what happens to the service.
type play struct {
	job    string
	rate   float64 // requests a second
	days   int     // of history
	base   float64 // share of requests that always fail
	spells []spell
}

// spell is a stretch of time in which a share of the requests fails.
type spell struct {
	from, to time.Time
	share    float64
}

var spellForm = regexp.MustCompile(`^(\S+)\.\.(\S+)=(\S+)$`)

func (s *theatre) playOf(args []string) (play, error) {
	p := play{job: "checkout", rate: 10, days: 3, base: 0.0001}
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		var err error
		switch key {
		case "job":
			p.job = value
		case "rate":
			p.rate, err = strconv.ParseFloat(value, 64)
		case "days":
			p.days, err = strconv.Atoi(value)
		case "base":
			p.base, err = shareOf(value)
		case "bad":
			var sp spell
			sp, err = s.spellOf(value)
			p.spells = append(p.spells, sp)
		default:
			err = fmt.Errorf("what is %q?", arg)
		}
		if err != nil {
			return p, err
		}
	}
	return p, nil
}

func (s *theatre) spellOf(text string) (sp spell, err error) {
	m := spellForm.FindStringSubmatch(text)
	if m == nil {
		return sp, fmt.Errorf("%q is not FROM..TO=SHARE", text)
	}
	if sp.from, err = s.when(m[1]); err != nil {
		return sp, err
	}
	if sp.to, err = s.when(m[2]); err != nil {
		return sp, err
	}
	sp.share, err = shareOf(m[3])
	return sp, err
}

func shareOf(text string) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
	return v / 100, err
}

// shareAt is how many of the requests fail at a time.
func (p play) shareAt(at time.Time) float64 {
	for _, s := range p.spells {
		if !at.Before(s.from) && at.Before(s.to) {
			return s.share
		}
	}
	return p.base
}

// write puts the past and the future of the service into the store; the clock reveals it.
func (p play) write(db *promfake.DB, now time.Time) error {
	const scrape = 30 * time.Second
	series := func(name, key, value string) *promfake.Series {
		return db.Series(labels.FromStrings("__name__", name, "job", p.job, key, value))
	}
	good, bad := series("http_requests_total", "code", "200"), series("http_requests_total", "code", "500")
	bounds := []string{"0.1", "0.25", "0.5", "1.0", "+Inf"}
	shares := []float64{0.9, 0.95, 0.99, 0.999, 1}
	count := db.Series(labels.FromStrings("__name__", "http_request_duration_seconds_count", "job", p.job))
	buckets := make([]*promfake.Series, len(bounds))
	for i, le := range bounds {
		buckets[i] = series("http_request_duration_seconds_bucket", "le", le)
	}
	sumGood, sumBad := 0.0, 0.0
	for at := now.AddDate(0, 0, -p.days); at.Before(now.AddDate(0, 0, 8)); at = at.Add(scrape) {
		n, ms := p.rate*scrape.Seconds(), at.UnixMilli()
		failed := n * p.shareAt(at.Add(-scrape))
		sumGood, sumBad = sumGood+n-failed, sumBad+failed
		if err := good.Append(ms, float64(int64(sumGood))); err != nil {
			return err
		}
		if err := bad.Append(ms, float64(int64(sumBad))); err != nil {
			return err
		}
		if err := count.Append(ms, float64(int64(sumGood+sumBad))); err != nil {
			return err
		}
		for i, bucket := range buckets {
			if err := bucket.Append(ms, float64(int64((sumGood+sumBad)*shares[i]))); err != nil {
				return err
			}
		}
	}
	return nil
}

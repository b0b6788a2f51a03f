package signals_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/promfake"
	"github.com/slowburn-sre/slowburn/internal/shop"
	"github.com/slowburn-sre/slowburn/internal/signals"
	"github.com/slowburn-sre/slowburn/slo"
)

var live = time.Date(2026, 11, 18, 14, 0, 0, 0, time.UTC)

// world fills a month once for the tests that only read it.
var world = sync.OnceValue(func() *promfake.DB {
	db := promfake.New(promfake.Options{Now: func() time.Time { return live }})
	shop.New(1, db, live).Fill(live)
	return db
})

func serve(t testing.TB, db *promfake.DB) *prom.Client {
	t.Helper()
	srv, err := promfake.Start(db.Handler())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	c, err := prom.NewClient(prom.ClientOptions{URL: srv.URL, Timeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdle)
	return c
}

func suggest(t testing.TB, db *promfake.DB, o signals.Options) []signals.Proposal {
	t.Helper()
	o.At = live
	list, err := signals.Suggest(context.Background(), serve(t, db), o)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func files(list []signals.Proposal) (out []slo.File) {
	for _, p := range list {
		out = append(out, slo.File{Name: p.Service + ".yaml", Data: p.YAML()})
	}
	return out
}

func TestShopIsFoundAsItIs(t *testing.T) {
	before := time.Now()
	list := suggest(t, world(), signals.Options{})
	t.Log(time.Since(before), fmt.Sprintf("%+v", world().Stats()), world().Size())
	var text strings.Builder
	for _, f := range files(list) {
		text.Write(f.Data)
		text.WriteString("---\n")
	}
	os.WriteFile("/tmp/shop.yaml", []byte(text.String()), 0o644)
	set, err := slo.Load(files(list))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range set.Warnings {
		t.Error(w)
	}
}

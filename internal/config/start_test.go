package config

import (
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestWhatIsReadAtTheStartOnly: a change of such a key is named and the old value stays; a change
// of another key is taken up.
func TestWhatIsReadAtTheStartOnly(t *testing.T) {
	const before = "prometheus: {url: 'http://a.example.com'}\nstore: {path: a.db}\nslack: {app_token_file: a}\n"
	for text, want := range map[string][]string{
		before: nil,
		"prometheus: {url: 'http://a.example.com', timeout: 30s}\nstore: {path: ./a.db}\nslack: {app_token_file: a}\n":                                                                                             nil,
		before + "traces: {url: 'https://t.example.com/{trace_id}'}\npostmortems: {path: p/}\n":                                                                                                                    nil,
		"prometheus: {url: 'http://b.example.com'}\nstore: {path: a.db}\nslack: {app_token_file: a}\n":                                                                                                             {"prometheus"},
		"prometheus: {url: 'http://a.example.com', tls_config: {ca_file: ca}}\nstore: {path: a.db}\nslack: {app_token_file: a}\n":                                                                                  {"prometheus"},
		"prometheus: {url: 'http://a.example.com'}\nstore: {postgres: 'postgres://db.example.com/slowburn?sslmode=verify-full'}\nslack: {app_token_file: a}\n":                                                     {"store"},
		"prometheus: {url: 'http://a.example.com', max_lateness: 5m}\nstore: {path: b.db}\nslack: {app_token_file: b, signing_secret_file: b, channel: '#b'}\ntraces: {url: 'https://t.example.com/{trace_id}'}\n": {"prometheus", "store"},
	} {
		running, next := parsed(t, before), parsed(t, text)
		inForce, waiting := next.TakenUp(running)
		if diff := cmp.Diff(want, waiting); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
		if inForce.Prometheus.URL != running.Prometheus.URL || inForce.StorePath != running.StorePath || inForce.Postgres.Given() {
			t.Errorf("%s: in force is %+v", text, inForce)
		}
		if inForce.TraceURL != next.TraceURL || inForce.Reviews != next.Reviews || !reflect.DeepEqual(inForce.Slack, next.Slack) {
			t.Errorf("%s: not in force: %+v", text, inForce)
		}
	}
}

// The keys whose descriptions say that they are read at the start only are those that are.
func TestTheKeysSayWhatIsReadAtTheStart(t *testing.T) {
	var all []string
	for _, k := range atStart {
		all = append(all, k.key)
	}
	if diff := cmp.Diff(slices.Compact(all), configKeys.StartKeys()); diff != "" {
		t.Error(diff)
	}
}

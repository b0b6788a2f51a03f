package daemon

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/notify/notifytest"
	"github.com/slowburn-sre/slowburn/internal/store"
)

// TestFourEyesAmongMembers: what is asked for at a standby waits at every member and has no effect.
// Nobody approves their own by the form of any. The next leader knows what waits, and somebody else
// approves it by the form of a standby, once; then it counts everywhere.
func TestFourEyesAmongMembers(t *testing.T) {
	t.Parallel()
	const ada, ben, cy = "the-token-of-ada-lovelace", "the-token-of-ben-the-other", "the-token-of-cy-the-third"
	service := notifytest.ID.Service()
	dir, config := t.TempDir(), "policy: {four_eyes: [override]}\nweb:\n  tokens:\n"
	for name, token := range map[string]string{"ada": ada, "ben": ben, "cy": cy} {
		file := filepath.Join(dir, name)
		check(t, os.WriteFile(file, []byte(token), 0o600))
		config += "    - {name: " + name + ", file: '" + file + "', may: [read, override]}\n"
	}
	b := newBand(t)
	join := func() *member { return b.seat(seat{address: b.schema, config: config}) }
	first := join()
	b.until("the first leads", first.leads)
	second := join()
	ask := api.Act{Key: "ask", Kind: alerting.Override, By: "Ada", Service: service, Text: "a fix", Until: b.now().Add(3 * time.Hour)}
	if code, body := second.as(ada).answer("/api/v1/acts", ask); code != http.StatusOK {
		t.Fatalf("asking: %d %s", code, body)
	}
	waits := func(m *member) bool {
		_, page := m.as(ada).ask("/approvals", nil, nil)
		return strings.Contains(page, "Ada asks to")
	}
	passes := func(m *member) bool {
		_, body := m.as(ada).ask("/api/v1/gate/"+service, nil, nil)
		return strings.Contains(body, "says Ada, approved by Ben")
	}
	approves := url.Values{"act": {"approve"}, "by": {"Ben"}, "key": {ask.Key}}
	for _, m := range []*member{first, second} {
		b.until("it waits at every member", func() bool { return waits(m) })
		if code, page := m.as(ada).fill("/approvals", approves); code/100 != 4 || !strings.Contains(page, "by token ada") {
			t.Fatalf("alone, under another name: %d %s", code, page)
		}
		if passes(m) {
			t.Fatal("it is in force before it is approved")
		}
	}
	first.stop()
	b.until("the second leads", second.leads)
	third := join()
	b.until("it waits at a new member", func() bool { return waits(third) })
	if code, page := third.as(ben).fill("/approvals", approves); code != http.StatusOK {
		t.Errorf("approving: %d %s", code, page)
	}
	for _, m := range []*member{second, third} {
		b.until("nothing waits any more", func() bool { return !waits(m) })
		if !passes(m) {
			_, body := m.as(ada).ask("/api/v1/gate/"+service, nil, nil)
			t.Errorf("it is not in force: %s", body)
		}
		again := api.Act{Key: "again/" + m.url, Kind: alerting.Approve, By: "Cy", Other: ask.Key}
		if code, body := m.as(cy).answer("/api/v1/acts", again); code != http.StatusConflict {
			t.Errorf("approving again: %d %s", code, body)
		}
	}
	var who []string
	for _, a := range ok(b.open().Acts(t.Context(), store.ActFilter{Kind: alerting.Override}))(t) {
		who = append(who, a.Who+" and "+a.ApprovedBy)
	}
	if len(who) != 1 || who[0] != "token ada and Ben" {
		t.Errorf("overrides: %q", who)
	}
}

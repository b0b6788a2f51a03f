package slack

import (
	"net/http"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
)

// Who presses, where slowburn is at home, and who may: everybody else is told so, and nothing
// comes of it. The same over both doors.
func TestWhoMayActInSlack(t *testing.T) {
	own, other := slacktest.User{ID: "U0ANA", Name: "ana"}, slacktest.User{ID: "U0EVE", Name: "eve", Team: "T0OTHER"}
	sister, partner := other, other
	sister.Enterprise, partner.Enterprise = "E0OURS", "E0THEIRS"
	orgWide := slacktest.User{ID: "W0ORG", Name: "org", Team: "E0OURS"}
	oncall := map[string][]string{"S0ONCALL": {"U0ANA", "U0EVE"}, "S0EMPTY": nil}
	var noGroups []string
	for _, scope := range slacktest.AllScopes() {
		if scope != ScopeOfGroups {
			noGroups = append(noGroups, scope)
		}
	}
	for _, c := range []struct {
		what   string
		user   slacktest.User
		grid   string
		may    MayAct
		scopes []string
		told   string // "" is that it is done
	}{
		{what: "anybody of the workspace", user: own},
		{what: "a guest of another workspace", user: other, told: "Only people of the workspace"},
		{what: "on Grid, of the same workspace", user: own, grid: "E0OURS"},
		{what: "on Grid, of another workspace of the organisation", user: sister, grid: "E0OURS"},
		{what: "on Grid, of the organisation itself", user: orgWide, grid: "E0OURS"},
		{what: "on Grid, of another organisation", user: partner, grid: "E0OURS", told: "Only people of the workspace"},
		{what: "on Grid, of a workspace without organisation", user: other, grid: "E0OURS", told: "Only people of the workspace"},
		{what: "on Grid, and nobody says of which organisation", user: sister, grid: "E0OURS", scopes: []string{Required}, told: "takes the scope `users:read`"},
		{what: "a person who may", user: own, may: MayAct{Users: []string{"U0BEN", "U0ANA"}}},
		{what: "a person who may not", user: own, may: MayAct{Users: []string{"U0BEN"}}, told: "You may not do this here. Those who may: <@U0BEN>."},
		{what: "a member of a group", user: own, may: MayAct{Groups: []string{"S0EMPTY", "S0ONCALL"}}},
		{what: "nobody of the group", user: own, may: MayAct{Groups: []string{"S0EMPTY"}}, told: "You may not do this here. Those who may: <!subteam^S0EMPTY>."},
		{what: "nobody of the group, but by name", user: own, may: MayAct{Groups: []string{"S0EMPTY"}, Users: []string{"U0ANA"}}},
		{what: "a group that there is not", user: own, may: MayAct{Groups: []string{"S0GONE"}}, told: "Slack does not say who belongs"},
		{what: "a group without the scope", user: own, may: MayAct{Groups: []string{"S0ONCALL"}}, scopes: noGroups, told: "Slack does not say who belongs"},
		{what: "a guest who is named", user: other, may: MayAct{Users: []string{"U0EVE"}}, told: "Only people of the workspace"},
		{what: "a guest in the group, on Grid", user: partner, grid: "E0OURS", may: MayAct{Groups: []string{"S0ONCALL"}}, told: "Only people of the workspace"},
	} {
		for door, open := range bothDoors {
			for _, action := range []string{ActionAck, ActionPostmortem} {
				s := open(t, slacktest.Options{Users: []slacktest.User{c.user}, Enterprise: c.grid, Groups: oncall, Scopes: c.scopes})
				ways := s.desk.doors.Load().Doors
				ways.MayAct = c.may
				s.desk.SetDoors(ways)
				ack, err := s.srv.Press(s.message(burning), action, c.user.ID)
				if err != nil || ack.Status != http.StatusOK {
					t.Fatal(c.what, ack, err)
				}
				if c.told != "" {
					s.whispered(c.told)
				}
				acts, owed := s.back.done(), len(s.back.owed)
				if did := len(acts)+owed > 0; did != (c.told == "") {
					t.Errorf("%s, by %s, %s: %+v, %d drafts", c.what, door, action, acts, owed)
				}
				if len(acts) > 0 && acts[0].Who != c.user.ID {
					t.Errorf("%s is recorded as %q", c.user.ID, acts[0].Who)
				}
			}
		}
	}
}

// Who was in the group a moment ago still is while Slack does not answer, for an hour.
func TestMembersAreRememberedForAnHour(t *testing.T) {
	srv := slacktest.Start(slacktest.Options{Token: token, Unpaced: true, Groups: map[string][]string{"S1": {"U0ANA"}}})
	t.Cleanup(srv.Close)
	client, err := New(Config{Token: token, APIURL: srv.APIURL()})
	if err != nil {
		t.Fatal(err)
	}
	var g groups
	asked := func() int { return len(srv.State().Calls("usergroups.users.list")) }
	for _, c := range []struct {
		at    time.Duration
		calls int
		ok    bool
	}{{0, 1, true}, {4 * time.Minute, 1, true}, {6 * time.Minute, 2, true}, {30 * time.Minute, 3, true}, {70 * time.Minute, 4, false}} {
		if c.at > 4*time.Minute {
			srv.RevokeToken(token)
		}
		users, err := g.members(t.Context(), client, "S1", monday.Add(c.at))
		if (err == nil) != c.ok || c.ok && len(users) != 1 || asked() != c.calls {
			t.Errorf("after %s: %v, %v after %d calls", c.at, users, err, asked())
		}
	}
}

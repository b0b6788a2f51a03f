package slack

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/sentences"
)

// interaction is the payload of a press, the same over HTTP and over Socket Mode, as far as we look
// at it.
type interaction struct {
	Type       string    `json:"type"`
	App        string    `json:"api_app_id"`
	Team       workspace `json:"team"`
	Enterprise workspace `json:"enterprise"`
	User       struct {
		ID       string `json:"id"`
		Username string `json:"username"`
		Name     string `json:"name"`
		Team     string `json:"team_id"`
	} `json:"user"`
	Container struct {
		Channel string `json:"channel_id"`
	} `json:"container"`
	Hook    string `json:"response_url"`
	Actions []struct {
		ID     string `json:"action_id"`
		Block  string `json:"block_id"`
		Value  string `json:"value"`
		At     string `json:"action_ts"`
		Option struct {
			Value string `json:"value"`
		} `json:"selected_option"`
	} `json:"actions"`
}

type workspace struct {
	ID string `json:"id"`
}

// origin is whom a delivery says it comes from.
type origin struct{ app, team, enterprise, user, userTeam string }

var (
	userPattern  = regexp.MustCompile(`^[UW][A-Z0-9]{2,30}$`)
	stampPattern = regexp.MustCompile(`^[0-9]{1,12}\.[0-9]{1,9}$`)

	errMalformed = errors.New("not what Slack sends")
)

// interactionJob understands a press. It is false for what is well-formed and none of our business,
// such as links, which Slack tells about as well.
func (d *Desk) interactionJob(in *doors, payload []byte) (job, bool, error) {
	var from interaction
	if err := json.Unmarshal(payload, &from); err != nil {
		return job{}, false, errMalformed
	}
	if from.Type != "block_actions" || len(from.Actions) != 1 || !strings.HasPrefix(from.Actions[0].ID, actionPrefix) {
		return job{}, false, nil
	}
	a := from.Actions[0]
	p := press{
		user: from.User.ID, name: cmp.Or(from.User.Name, from.User.Username, from.User.ID), at: a.At,
		action: a.ID, value: a.Option.Value, control: cmp.Or(a.Value, a.Block),
		channel: from.Container.Channel, hook: from.Hook,
	}
	if !userPattern.MatchString(p.user) || !stampPattern.MatchString(p.at) || p.control == "" || p.hook != "" && !in.answerable(p.hook) {
		return job{}, false, errMalformed
	}
	who := origin{from.App, from.Team.ID, from.Enterprise.ID, from.User.ID, from.User.Team}
	return job{key: p.key(), hook: p.hook, do: d.known(in, who, d.allowed(in, p.user, func(ctx context.Context) outcome { return d.press(ctx, in, p) }))}, true, nil
}

// press does what a control stands for, and says why if it cannot be done. What has been done is
// seen in the message itself, so nothing is said about it.
func (d *Desk) press(ctx context.Context, in *doors, p press) outcome {
	i, ok := d.Backend.Incident(ctx, incidentOf(p.control, d.Backend.Open()))
	if !ok {
		return whisper("🤷 " + sentences.NoSuchIncident)
	}
	if p.action == ActionPostmortem {
		return d.postDraft(ctx, in, p, i)
	}
	a, ok := p.act(d.Backend.Now())
	if !ok {
		return outcome{refused: true}
	}
	if !i.Open {
		return whisper("✅ " + dress(sentences.NothingToDo(i)))
	}
	a.Incident, a.By = i.ID, in.people.name(ctx, in.Client, p.user, p.name, d.Now())
	if has, taken := i.Acknowledged(); taken && a.Kind == alerting.Acknowledge && has.Who != a.Who {
		return whisper("👀 " + dress(sentences.TakenAlready(has)))
	}
	return d.done(p, a, d.Backend.Do(ctx, a))
}

// done returns what to say when an act was tried.
func (d *Desk) done(p press, a alerting.Act, err error) outcome {
	var no Refusal
	switch {
	case err == nil:
		return outcome{}
	case errors.As(err, &no):
		return whisper(escape(no.Error()))
	case errors.Is(err, ErrWaiting):
		return d.waits(p, a)
	}
	return d.failed(p, string(a.Kind), a.Incident, err)
}

// answerEvery is how often it is asked what became of an act that waits.
const answerEvery = time.Second

// waits tells a person that an act waits, and later if it was refused: that it was done is seen in
// the message.
func (d *Desk) waits(p press, a alerting.Act) outcome {
	o := whisper("⏳ " + sentences.AwaitsLeader + " The message shows it when it is done; " +
		"the key to ask for it by is " + code(a.Key) + ".")
	o.then = func(ctx context.Context) outcome {
		for ctx.Err() == nil {
			pause(ctx, answerEvery)
			err := d.Backend.Answer(ctx, a.Key)
			var no Refusal
			switch {
			case err == nil:
				return outcome{}
			case errors.As(err, &no):
				return d.done(p, a, err)
			}
		}
		return outcome{}
	}
	return o
}

// failed returns what to say when something could not be written down.
func (d *Desk) failed(p press, what, incident string, err error) outcome {
	d.Log.Error("what was asked for in Slack could not be written down", "what", what, "incident", incident, "user", p.user, "err", err)
	return whisper("⚠️ That could not be written down, and nothing has changed. Please try again; if it goes on, look at slowburn's log.")
}

// whisper says a sentence, already escaped, to one person.
func whisper(text string) outcome { return says(Body{Text: text}) }

// ephemeral returns a body as an answer that only the person sees.
func (b Body) ephemeral() map[string]any {
	m := map[string]any{"response_type": "ephemeral", "replace_original": false, "text": b.Text}
	if len(b.Blocks) > 0 {
		m["blocks"] = b.Blocks
	}
	return m
}

// A draft in a thread is cut into pieces that Slack takes, and not more than a few of them.
const (
	draftPiece  = 9_000 // characters
	draftPieces = 4
)

// postDraft puts the draft of the postmortem into the thread, where everybody who was there can
// correct it.
func (d *Desk) postDraft(ctx context.Context, in *doors, p press, i alerting.Incident) outcome {
	text, err := d.Backend.Postmortem(ctx, i)
	if err != nil {
		d.Log.Error("the draft that was asked for in Slack failed", "incident", i.ID, "err", err)
		return whisper("⚠️ The draft could not be made; slowburn's log says why.")
	}
	who, now := in.people.name(ctx, in.Client, p.user, p.name, d.Now()), d.Backend.Now()
	all := pieces(text, draftPiece)
	var owed []outbox.Entry
	for n, piece := range all[:min(len(all), draftPieces)] {
		b := Body{Text: fmt.Sprintf("📝 Postmortem draft, asked for by %s (%s)", escape(who), figures.Of(n+1, len(all))), Incident: i.ID, SLO: string(i.SLO)}
		b.Blocks = []Block{contextBlock(mrkdwn(b.Text)), markdown(piece)}
		owed = append(owed, outbox.Entry{
			Key: fmt.Sprintf("%s/%d", p.key(), n), Receiver: "slack", Lane: outbox.LaneReport, Channel: p.channel, Thread: i.ID,
			Op: outbox.Reply, Body: b.marshal(), Created: now,
		})
	}
	switch err := d.Backend.Owe(ctx, p.key(), owed); {
	case errors.Is(err, ErrWaiting):
		return whisper("⏳ " + sentences.AwaitsLeader)
	case err != nil:
		return d.failed(p, "draft", i.ID, err)
	}
	if len(all) > draftPieces {
		return whisper("The draft is longer than fits into a thread; `slowburn postmortem` prints all of it.")
	}
	return outcome{}
}

// lookupLimit bounds what a person's name or our own identity may take to look up: the page does
// not wait for it.
const lookupLimit = time.Second

// known does the work only for deliveries that were meant for us: from our app in our workspace,
// and not by a stranger who looks on in a shared channel.
func (d *Desk) known(in *doors, from origin, do func(context.Context) outcome) func(context.Context) outcome {
	return func(ctx context.Context) outcome {
		self, err := in.self.get(ctx, in.Client)
		if err != nil {
			d.Log.Warn("a press in Slack was turned away: who we are is not known", "err", outbox.FailureOf(err))
			return whisper("⚠️ slowburn cannot reach Slack to make sure that this is its own workspace. Nothing has changed; please try again.")
		}
		switch why := self.stranger(from); {
		case why != "":
			d.Log.Warn("a request of Slack was not meant for us", "why", why)
			return outcome{refused: true}
		}
		switch ours, sure := in.belongs(ctx, self, from, d.Now()); {
		case !sure:
			return whisper("⚠️ Slack does not say whether you belong to the organisation of slowburn, which takes the scope `users:read`. Nothing has changed.")
		case !ours:
			return whisper("Only people of the workspace that slowburn belongs to can do this.")
		}
		return do(ctx)
	}
}

// belongs reports whether a person is one of ours, and whether that is known: of our workspace, or
// of any workspace of our organisation. What is delivered names the organisation that the app
// belongs to, and not that of the person, who may look on from another one.
func (d *doors) belongs(ctx context.Context, self Identity, from origin, now time.Time) (ours, sure bool) {
	switch {
	case from.userTeam == "" || from.userTeam == self.TeamID:
		return true, true
	case self.Enterprise == "":
		return false, true
	case from.userTeam == self.Enterprise:
		return true, true
	}
	who, known := d.people.find(ctx, d.Client, from.user, now)
	return known && who.enterprise == self.Enterprise, known
}

// stranger says why a delivery is not ours, "" if it is.
func (i Identity) stranger(from origin) string {
	switch {
	case i.App != "" && from.app != "" && i.App != from.app:
		return "another app"
	case i.Enterprise != "" && from.enterprise != "" && i.Enterprise != from.enterprise:
		return "another organisation"
	case from.team == i.TeamID, i.Enterprise != "" && from.enterprise == i.Enterprise:
		return ""
	}
	return "another workspace"
}

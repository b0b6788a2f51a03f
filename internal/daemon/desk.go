package daemon

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/drills"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/notify/slack"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/internal/store"
)

// OpenDoors reads the secrets by which presses and commands come in from Slack. Without a bot token
// they lead nowhere: nobody could be answered.
func OpenDoors(cfg config.Slack, receiver outbox.Receiver, getenv func(string) string, log *slog.Logger) (slack.Doors, error) {
	app, err := secret(cfg.AppTokenFile, getenv("SLACK_APP_TOKEN"), log)
	if err != nil {
		return slack.Doors{}, err
	}
	signing, err := secret(cfg.SigningFile, getenv("SLACK_SIGNING_SECRET"), log)
	if err != nil {
		return slack.Doors{}, err
	}
	d := slack.Doors{AppToken: slack.Secret(app), MayAct: slack.MayAct{Users: cfg.MayAct.Users, Groups: cfg.MayAct.Groups}}
	for _, s := range strings.Fields(signing) {
		d.SigningSecrets = append(d.SigningSecrets, slack.Secret(s))
	}
	var bot bool
	if d.Client, bot = receiver.(*slack.Client); !bot && (app != "" || signing != "") {
		log.Warn("buttons and commands in Slack are off: they need a bot token (SLACK_BOT_TOKEN or slack.bot_token_file)")
		return slack.Doors{}, nil
	}
	return d, nil
}

// backend is the daemon as people reach it from Slack.
type backend struct{ *Daemon }

var _ slack.Backend = backend{}

// Do writes down what a person did.
func (b backend) Do(ctx context.Context, act alerting.Act) error {
	_, err := b.inbox.do(ctx, act)
	return told(err)
}

// Answer returns what became of an act that waited.
func (b backend) Answer(ctx context.Context, key string) error {
	_, err := b.inbox.answer(ctx, key)
	return told(err)
}

// told returns an error as people in Slack are told of it.
func told(err error) error {
	var no *incidents.ActError
	var stored *store.Error
	switch {
	case errors.As(err, &no):
		return slack.Refusal(no.Text)
	case errors.As(err, &stored) && !stored.Since.IsZero():
		return slack.Refusal(sentences.NotWritten(stored.Since, errors.Is(err, store.ErrUnclear)))
	case errors.Is(err, store.ErrWaiting):
		return slack.ErrWaiting
	}
	return err
}

// Owe writes messages down, under a key, and has them sent.
func (b backend) Owe(ctx context.Context, key string, entries []outbox.Entry) error {
	return told(b.inbox.shared(ctx, requestOwe, key, entries, func() error { return b.inbox.owe(ctx, entries) }))
}

// Incident returns one incident, from memory while it is open.
func (b backend) Incident(ctx context.Context, id string) (alerting.Incident, bool) {
	if drills.Is(id) {
		return b.drills.incident(id)
	}
	if i, open := b.Engine.Snapshot().Open.Find(id); open {
		return i, true
	}
	i, ok, err := b.db.Incident(ctx, id)
	return i, ok && err == nil
}

// Postmortem drafts the review of an incident.
func (b backend) Postmortem(ctx context.Context, i alerting.Incident) (string, error) {
	return b.Archive.Draft(ctx, i)
}

// Open returns the incidents that have not ended.
func (b backend) Open() []alerting.Incident { return b.Engine.Snapshot().Open.All() }

// Standings returns all budgets.
func (b backend) Standings() []slack.Standing {
	var all []slack.Standing
	for _, x := range b.Engine.Snapshot().Budgets {
		all = append(all, slack.Standing{ID: x.ID, Spec: x.Spec, Status: x.Windows[0], Outlook: x.Outlook, Data: x.Data, Open: x.Open})
	}
	return all
}

// Gate returns the verdict of the error-budget policy on a service or an SLO.
func (b backend) Gate(scope string) (alerting.Verdict, bool) {
	service, name, _ := strings.Cut(scope, "/")
	all := b.Engine.Snapshot().Verdicts(service, name, b.Clock())
	return alerting.Worst(all), len(all) > 0
}

package notify

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/outbox"
)

// Receiver is one place that is told. It is two halves: a [Composer] writes down what is owed, and
// Deliver and Find take that there.
type Receiver interface {
	outbox.Receiver
	Composer
}

// Composer is the half of a receiver that is pure.
type Composer interface {
	// Event composes what is owed because of an event, each message under a key of its own
	// ([Facts.Entry], [Facts.Begin]). Every event of an incident comes here, the newest last.
	Event(f Facts) []outbox.Entry
	// Notice composes what is owed because another way to people takes no pages, or takes them
	// again.
	Notice(n Notice) []outbox.Entry
	// Drill composes a drill, and if it is Over its end. One that is not Loud wakes nobody: it is
	// made of as much as shows that the receiver takes what slowburn sends.
	Drill(d Drill) []outbox.Entry
}

// Chat is a receiver in which people read along. It tells of an incident in a thread, goes on with
// it while the incident is silenced, and hears more: what people do and what is found out.
type Chat interface {
	Composer
	// Act composes what is owed because somebody did something about an incident.
	Act(d incidents.Done, to Target) []outbox.Entry
	// Evidence composes what is owed when something was found out about an open incident.
	Evidence(f Facts) []outbox.Entry
}

// Pager is a receiver that is no chat and to which it is news that somebody has taken an incident.
type Pager interface {
	// Acknowledged composes what is owed because of that.
	Acknowledged(f Facts, a alerting.Act) []outbox.Entry
}

// Keeper is a receiver that forgets what nobody repeats.
type Keeper interface {
	// Keep repeats the incidents that are open.
	Keep(ctx context.Context, open []Facts) error
}

// KeepEvery is how often a [Keeper] repeats what is open.
const KeepEvery = time.Minute

// Checker is a receiver that can be asked whether it works without being told anything.
type Checker interface {
	// Check asks it. The error has no secret in it.
	Check(ctx context.Context) error
}

// Prober is a receiver that cannot be asked whether it would take a message, but whether anybody
// answers at its address.
type Prober interface {
	// Probe asks that, and leaves nothing behind. The error has no secret in it.
	Probe(ctx context.Context) error
}

// ChannelChecker is a receiver that can be asked whether it takes messages in a channel.
type ChannelChecker interface {
	// CheckChannel asks it. It is false if that cannot be found out. The error has no secret in it.
	CheckChannel(ctx context.Context, channel string) (known bool, err error)
}

// Kind is a kind of receiver: what slowburn.yaml says about one, and how that becomes a receiver.
// It is all that the rest of slowburn knows of it.
type Kind struct {
	Name  string // in routes, and the beginning of each receiver's name: "pagerduty"
	Key   string // of slowburn.yaml, which holds a list of them; or one or a list, if it is Name
	Title string // as people write it: "PagerDuty"
	Doc   string // says what stands under Key, a sentence
	One   string // says what one of them is: "An Alertmanager."
	Keys  []Key  // of one, beside name
	HTTP  bool   // one takes the settings of Prometheus's HTTP client as well
	Pager bool   // it wakes people: where no route matches it is told of pages only, and it is the first to stand in for another
	// ByHost names a receiver without a name by the host of its url, since there usually are
	// several.
	ByHost bool
	// New makes a receiver. It connects to nothing.
	New func(Settings) (Receiver, error)
}

// Key is one setting of a receiver in slowburn.yaml.
type Key struct {
	Name     string
	Form     Form
	Required bool
	Doc      string // a sentence
	Example  string
}

// Form is what stands under a [Key].
type Form int

// The forms of a setting.
const (
	Address         Form = iota // an http or https address
	SecretFile                  // a file that holds a secret, under the key's name with _file
	SecretOrAddress             // an address, or under the name with _file a file that holds it because it is a secret
)

// Settings are what slowburn.yaml says about one receiver.
type Settings struct {
	Values map[string]Secret // by the names of the kind's keys; of a file what it holds
	Client *http.Client      // as the settings of the HTTP client say; nil for a kind that takes none
	Now    func() time.Time
}

// Text returns a setting that is no secret, "" if it was left out.
func (s Settings) Text(key string) string { return s.Values[key].Reveal() }

// KindOf returns the kind of receiver that a receiver's name begins with: "pagerduty" of
// "pagerduty/payments".
func KindOf(name string) string {
	kind, _, _ := strings.Cut(name, "/")
	return kind
}

package slack

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/outbox"
)

// gateTurned announces that the error-budget policy froze a budget's releases, or lets them go again. Coming into
// caution and out of it is no news of its own: the budget's shares are told already.
func (f Facts) gateTurned(now time.Time) []outbox.Entry {
	if f.Event.Reason != alerting.PolicyFrozen && f.Event.Reason != alerting.PolicyThawed {
		return nil
	}
	e := f.entry("post", outbox.LaneTicket, outbox.Post, f.gateBody(now), now)
	e.Channel = cmp.Or(f.Notify.Channel, f.channel())
	return []outbox.Entry{e}
}

// gateBody says what happened, what it means, what ends it and who is exempt.
func (f Facts) gateBody(now time.Time) Body {
	g := f.Gate
	state, predicate := "🧊 Frozen", "has spent its error budget; only fixes of reliability and security are released."
	if f.Event.Reason == alerting.PolicyThawed {
		state, predicate = "🌤️ Thawed", "may be released again; "+figures.Left(min(f.Status.Sum.Bad, f.Status.Allowed), f.Status.Allowed)+" of its error budget is left."
	}
	if g.Gate == alerting.GateExempt {
		predicate = "is exempt from the freeze: " + escape(g.Permit.By) + " has taken the responsibility."
	}
	b := Body{Text: f.sentence(state, predicate), Name: state + " · " + f.name(80), Mention: written(f.Notify.Mention)}
	lines := []string{f.promise(), escapeLong(g.Reason), escapeLong(g.Gate.Meaning()), escapeLong(g.Clears)}
	if a := g.Permit; a != nil {
		lines = append(lines, "*"+escape(string(a.Kind))+"* by "+escape(a.By)+": "+escape(a.Text))
	}
	lines = append(lines, f.late(now))
	lines = slices.DeleteFunc(lines, func(l string) bool { return l == "" })
	b.Blocks = append(b.Blocks, header(state+" · "+f.name(100)), section(strings.Join(lines, "\n")))
	if len(b.Mention) > 0 {
		b.Blocks = append(b.Blocks, section("For "+strings.Join(b.Mention, " ")))
	}
	if l := f.links(); l != "" {
		b.Blocks = append(b.Blocks, section(l))
	}
	b.Blocks = append(b.Blocks, contextBlock(mrkdwn(f.footer())))
	return b
}

// ComposePermit tells that somebody lets releases pass which the policy would stop. It is pure.
func ComposePermit(f Facts, a alerting.Act, now time.Time) []outbox.Entry {
	what, until := cmp.Or(string(a.SLO), a.Service), "until it is taken back"
	if !a.Until.IsZero() {
		until = "until " + at(a.Until)
	}
	verb := "is exempt from the error-budget policy"
	if a.Kind == alerting.Override {
		verb = "may be released against the error-budget policy"
	}
	text := "🔓 *" + escape(what) + "* " + verb + " " + until + ", says " + escape(a.By) + ": " + escape(a.Text)
	b := Body{Text: clip("🔓 "+escape(plain(what, 60))+" "+verb+", says "+escape(plain(a.By, 40))+".", maxSentence), Name: "🔓 " + plain(what, 80)}
	b.Incident = "permit/" + a.Key
	b.Blocks = []Block{section(text), contextBlock(mrkdwn(f.signature()))}
	return []outbox.Entry{{
		Key: "permit/" + a.Key + "/post", Leg: f.leg(), Lane: outbox.LaneTicket, Channel: cmp.Or(f.Notify.Channel, f.channel()),
		Thread: "permit/" + a.Key, Op: outbox.Post, Body: b.marshal(), Created: now,
	}}
}

// abort tells that an experiment has to end.
func (f Facts) abort(now time.Time) []outbox.Entry {
	why := "has used up the budget it was given"
	if f.Event.Reason == alerting.ExperimentBurns {
		why = "is still running while an alert has fired"
	}
	b := Body{Text: f.sentence("🛑 Abort", "bears an experiment that "+why+"."), Name: "🛑 Abort · " + f.name(80), Mention: f.mentions()}
	b.Blocks = []Block{
		header("🛑 Abort the experiment · " + f.name(80)),
		section("The experiment " + code(f.Event.Act) + " " + why + ". End it now.\n*" + figures.Cost(f.Status.Sum.Bad, f.Status.Allowed) + "* of the error budget is spent. " + f.leftSentence()),
	}
	if len(b.Mention) > 0 {
		b.Blocks = append(b.Blocks, section("For "+strings.Join(b.Mention, " ")))
	}
	b.Blocks = append(b.Blocks, contextBlock(mrkdwn(f.footer())))
	return []outbox.Entry{f.entry("post", outbox.LaneTicket, outbox.Post, b, now)}
}

package slack

import (
	"cmp"
	"slices"
	"strings"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/sentences"
)

// gateTurned announces that the error-budget policy froze a budget's releases, or lets them go
// again. Coming into caution and out of it is no news of its own: the budget's shares are told
// already.
func (f message) gateTurned() []outbox.Entry {
	if f.Event.Reason != alerting.PolicyFrozen && f.Event.Reason != alerting.PolicyThawed {
		return nil
	}
	e := f.entry("post", outbox.LaneTicket, outbox.Post, f.gateBody())
	e.Channel = cmp.Or(f.Notify.Channel, f.channel())
	return []outbox.Entry{e}
}

// gateBody says what happened, what it means, what ends it and who is exempt.
func (f message) gateBody() Body {
	g, state, predicate := f.Gate, "🧊 Frozen", f.predicate()
	if f.Event.Reason == alerting.PolicyThawed {
		state = "🌤️ Thawed"
	}
	if g.Gate == alerting.GateExempt {
		predicate = sentences.Responsible(plain(g.Permit.By, 80)) + "."
	}
	b := Body{Text: f.sentence(state, predicate), Name: state + " · " + f.name(80), Mention: written(f.Notify.Mention)}
	lines := []string{dress(f.Promise()), escapeLong(sentences.GateReason(g)), escapeLong(sentences.Allows(g.Gate)), escapeLong(sentences.Clearing(g))}
	if a := g.Permit; a != nil {
		lines = append(lines, dress(sentences.Permitted(*a)))
	}
	lines = append(lines, dress(f.Late()), dress(f.Waiting()))
	lines = slices.DeleteFunc(lines, func(l string) bool { return l == "" })
	b.Blocks = append(b.Blocks, header(state+" · "+f.name(100)), section(strings.Join(lines, "\n")))
	b.Blocks = append(b.Blocks, sectionIf(forWhom(b.Mention))...)
	b.Blocks = append(b.Blocks, sectionIf(f.links())...)
	b.Blocks = append(b.Blocks, contextBlock(mrkdwn(f.footer())))
	return b
}

// Permit composes what tells that somebody lets releases pass which the policy would stop, or asks
// for that, or has rejected it. channel is where that is said, "" for the default. The message of
// what was asked for shows what became of it.
func (h Composer) Permit(p incidents.Permit, channel string) []outbox.Entry {
	a := p.Act
	entry := func(op outbox.Op, key, thread string, b Body) outbox.Entry {
		return outbox.Entry{
			Key: "permit/" + a.Key + key, Receiver: h.receiver(), Lane: outbox.LaneTicket, Channel: cmp.Or(channel, h.Channel),
			Thread: "permit/" + thread, Op: op, Body: b.marshal(), Created: p.Now,
		}
	}
	switch {
	case a.Kind == alerting.Asked:
		b := h.permitBody("⏳", sentences.Asked(a), a)
		b.Blocks = slices.Insert(b.Blocks, 1, section(h.howToApprove(a)))
		return []outbox.Entry{entry(outbox.Post, "/post", a.Key, b)}
	case a.Kind == alerting.Reject:
		b := h.permitBody("🚫", sentences.Decided(p.Asked, a), a)
		return []outbox.Entry{entry(outbox.Edit, "/edit", p.Asked.Key, b), entry(outbox.Reply, "/reply", p.Asked.Key, b)}
	}
	all := []outbox.Entry{entry(outbox.Post, "/post", a.Key, h.permitBody("🔓", sentences.Permit(a), a))}
	if p.Asked.Key != "" {
		approval := alerting.Act{Kind: alerting.Approve, By: a.ApprovedBy}
		all = append(all, entry(outbox.Edit, "/edit", p.Asked.Key, h.permitBody("✅", sentences.Decided(p.Asked, approval), p.Asked)))
	}
	return all
}

// permitBody says a sentence about an act, and what the person said.
func (h Composer) permitBody(icon string, says sentences.Text, a alerting.Act) Body {
	text := icon + " " + dress(says)
	if a.Text != "" {
		text += "\n> " + escape(a.Text)
	}
	return Body{
		Text: clip(icon+" "+escapeLong(says.String()), maxSentence), Name: icon + " " + plain(sentences.About(a), 80), Incident: "permit/" + a.Key,
		Blocks: []Block{section(text), contextBlock(mrkdwn(h.signature()))},
	}
}

// howToApprove says by what somebody else approves what was asked for. There is no button: whom
// Slack knows is not known to be another one than whoever asked.
func (h Composer) howToApprove(a alerting.Act) string {
	command := "Approve it by " + code(sentences.ApproveBy(a.Key))
	if h.Origin.URL == "" {
		return command + "."
	}
	return command + ", or on " + link(h.Origin.URL+"/approvals", "this page") + "."
}

// abort tells that an experiment has to end.
func (f message) abort() []outbox.Entry {
	b := Body{Text: f.sentence("🛑 Abort", f.predicate()), Name: "🛑 Abort · " + f.name(80), Mention: f.mentions()}
	b.Blocks = []Block{
		header("🛑 Abort the experiment · " + f.name(80)),
		section(f.dressLines([]sentences.Text{f.Abort(), f.Spending(), f.Waiting()})),
	}
	b.Blocks = append(b.Blocks, sectionIf(forWhom(b.Mention))...)
	b.Blocks = append(b.Blocks, contextBlock(mrkdwn(f.footer())))
	return []outbox.Entry{f.entry("post", outbox.LaneTicket, outbox.Post, b)}
}

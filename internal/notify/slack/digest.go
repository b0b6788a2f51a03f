package slack

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
)

// When hundreds of SLOs trip at once, for a cause that they share, a message for each would come at
// one a second, and the last minutes late. The overflow is named in digests instead, most urgent
// first. The same goes for their ends, when the cause is gone, and for whatever else is told of
// hundreds at once.

const (
	digestNames = outbox.DigestMost // in one digest; their hashes must fit into its metadata
	digestRoom  = 10_000            // characters for the names
)

// Digest names the messages of a storm in one.
func (c *Client) Digest(entries []outbox.Entry, waiting int) (json.RawMessage, int) {
	return digest(entries, waiting)
}

// Digest names the messages of a storm in one.
func (w *Webhook) Digest(entries []outbox.Entry, waiting int) (json.RawMessage, int) {
	return digest(entries, waiting)
}

func digest(entries []outbox.Entry, waiting int) (json.RawMessage, int) {
	d := digester{replies: entries[0].Op == outbox.Reply, together: true}
	for _, e := range entries {
		if !d.add(e) {
			break
		}
	}
	return d.body(waiting).marshal(), d.n
}

// digester collects names until a message is full.
type digester struct {
	replies  bool // it is about news of incidents, not about new ones
	together bool // all of it belongs into one thread
	thread   string
	loud     bool // some of it would have been shown in the channel
	n, pages int
	room     int
	sections []string
	mention  []string
	folded   []string
	waits    []sentences.Wait
}

// add takes one entry and reports whether there was room.
func (d *digester) add(e outbox.Entry) bool {
	b, err := parseBody(e.Body)
	name := b.Name
	if err != nil || name == "" {
		name = e.Thread
	}
	line := "• " + escape(plain(name, 100)) + "\n"
	if d.replies && b.Text != "" {
		line = "• " + clip(b.Text, 150) + "\n" // a sentence, escaped where it was composed
	}
	size := len([]rune(line))
	if d.n == 0 {
		d.thread = e.Thread
	}
	d.together = d.together && d.thread == e.Thread
	if d.n >= digestNames || d.room+size > digestRoom && d.n > 0 {
		return false
	}
	d.n, d.room = d.n+1, d.room+size
	last := len(d.sections) - 1
	if last < 0 || len([]rune(d.sections[last]))+size > limitOf("section.text") {
		d.sections = append(d.sections, "")
		last++
	}
	d.sections[last] += line
	d.loud = d.loud || b.Broadcast
	if b.Wait != nil {
		d.waits = append(d.waits, *b.Wait)
	}
	if e.Lane == outbox.LanePage {
		d.pages++
		for _, m := range b.Mention {
			if len(d.mention) < slo.MaxMentions && !slices.Contains(d.mention, m) {
				d.mention = append(d.mention, m)
			}
		}
	}
	d.folded = append(d.folded, hashKey(e.Key))
	return true
}

// body returns the digest; waiting is how many incidents wait in all.
func (d *digester) body(waiting int) Body {
	incidents := figures.Plural(d.n, "incident")
	state, before, said := "🎫 Many tickets", "", incidents+" at once"
	after := "Such numbers have a common cause more often than not. What follows about these incidents is said in this thread."
	switch {
	case d.replies:
		state, before, said = "🧵 Much news", "News ", "of "+said
		after = "Each is told here rather than in its thread."
		if d.together {
			after = "They are told together rather than one by one."
		}
	case d.pages > 0:
		state = "🔥 Many pages"
		if d.pages < d.n {
			said += ", " + figures.Plural(d.pages, "page") + " among them"
		}
	}
	if waiting > d.n {
		said += "; " + figures.Count(waiting-d.n) + " more follow"
	}
	b := Body{Text: state + ": " + said + ".", Mention: d.mention, Folded: d.folded, Name: state, Broadcast: d.replies && d.loud}
	b.Blocks = append(b.Blocks, header(state+" · "+incidents), section("*"+before+said+".* "+after))
	for _, s := range d.sections {
		b.Blocks = append(b.Blocks, section(strings.TrimSuffix(s, "\n")))
	}
	b.Blocks = append(b.Blocks, sectionIf(dress(sentences.Waits(d.waits)))...)
	b.Blocks = append(b.Blocks, sectionIf(forWhom(d.mention))...)
	return b
}

package slack

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/report"
)

// Report is a reliability report, and who says it.
type Report struct {
	Composer
	report.Summary
}

const (
	tableRows   = 21     // heading included; what is more goes into the thread
	detailRoom  = 10_000 // characters of Markdown in one reply
	tableBudget = 8_000  // characters of one table
)

// ComposeReport returns one root message with the verdict and a table, and its details as replies.
// It is pure; the keys hold the report's, so it is owed once however often it is composed.
func ComposeReport(r Report, now time.Time) []outbox.Entry {
	tables := tablesOf(r.Columns, r.Rows)
	entries := []outbox.Entry{r.entry("post", outbox.Post, r.root(tables), now)}
	for i, b := range r.replies(tables) {
		entries = append(entries, r.entry("reply/"+strconv.Itoa(i+1), outbox.Reply, b, now))
	}
	return entries
}

func (r Report) entry(suffix string, op outbox.Op, b Body, now time.Time) outbox.Entry {
	b.Incident = r.Key
	return outbox.Entry{
		Key: r.Key + "/" + suffix, Receiver: r.receiver(), Lane: outbox.LaneReport, Channel: r.Channel,
		Thread: r.Key, Op: op, Body: b.marshal(), Created: now,
	}
}

func (r Report) root(tables [][][]string) Body {
	b := Body{Text: clip("📋 "+escape(plain(r.Title, 60))+": "+escape(plain(r.Verdict, maxSentence)), maxSentence), Name: "📋 " + plain(r.Title, 80)}
	b.Blocks = append(b.Blocks, header("📋 "+plain(r.Title, 140)), section("*"+escape(cmp.Or(r.Verdict, "No verdict"))+"*"))
	b.Blocks = append(b.Blocks, sectionIf(escape(plain(r.Numbers, 400)))...)
	b.Blocks = append(b.Blocks, section(r.decisions()))
	more := len(r.Rows)
	if len(tables) > 0 {
		b.Blocks = append(b.Blocks, table(tables[0]))
		more -= len(tables[0]) - 1 // the heading
	}
	b.Blocks = append(b.Blocks, sectionIf(escape(plain(r.More, 120)))...)
	if more > 0 {
		b.Blocks = append(b.Blocks, section("+ "+figures.Count(more)+" more in the thread"))
	}
	if address := r.Page("reports", strings.TrimPrefix(r.Key, "report/")); address != "" {
		b.Blocks = append(b.Blocks, section(link(address, "The whole report")))
	}
	b.Blocks = append(b.Blocks, contextBlock(mrkdwn(strings.Trim(escape(r.Span)+" · "+r.signature(), " ·"))))
	return b
}

// decisions returns what is to be decided, numbered.
func (r Report) decisions() string {
	if len(r.Decide) == 0 {
		return "*To be decided:* nothing."
	}
	lines := []string{"*To be decided*"}
	for n, d := range r.Decide {
		lines = append(lines, strconv.Itoa(n+1)+". "+clip(escape(plain(d, 400)), 550))
	}
	return strings.Join(lines, "\n")
}

// replies returns the rows that found no room, and the details: short ones together, long ones cut
// between lines.
func (r Report) replies(tables [][][]string) []Body {
	var out []Body
	for i, rows := range tables {
		if i > 0 {
			out = append(out, Body{Text: "More rows of the table", Blocks: []Block{table(rows)}})
		}
	}
	room := 0 // in the newest reply
	for _, d := range r.Details {
		for i, piece := range pieces(d.Text, detailRoom) {
			title := cmp.Or(plain(d.Title, 120), "Details")
			if i > 0 {
				title += " (continued)"
			}
			parts := []Block{header(title), markdown(piece)}
			if n := len([]rune(piece)); n <= room {
				last := &out[len(out)-1]
				last.Text, last.Blocks = clip(last.Text+" · "+escape(title), maxSentence), append(last.Blocks, parts...)
				room -= n
				continue
			}
			out = append(out, Body{Text: clip(escape(title), maxSentence), Blocks: parts})
			room = detailRoom - len([]rune(piece))
		}
	}
	return out
}

// tablesOf cuts rows into tables that Slack takes, each with the heading. Nothing is left out.
func tablesOf(heading []string, rows [][]string) [][][]string {
	heading = rowOf(heading)
	var out [][][]string
	size := 0
	for _, row := range rows {
		row = rowOf(row)
		n := characters(row)
		if last := len(out) - 1; last < 0 || len(out[last]) >= tableRows || size+n > tableBudget {
			out, size = append(out, [][]string{heading}), characters(heading)
		}
		out[len(out)-1] = append(out[len(out)-1], row)
		size += n
	}
	return out
}

func rowOf(row []string) []string {
	row = row[:min(len(row), limitOf("table.columns"))]
	if len(row) == 0 {
		return []string{""}
	}
	return row
}

func characters(row []string) int {
	n := 0
	for _, s := range row {
		n += len([]rune(plain(s, foreignLimit))) + 1
	}
	return n
}

// Notice is word about slowburn's own senses, such as that Prometheus cannot be reached. There is
// one thread per outage.
type Notice struct {
	Composer
	Kind   string    // "prometheus": what the notice is about, part of its key
	Title  string    // of what is missing: "Prometheus"
	Reason string    // foreign text: the error, without secrets
	Since  time.Time // when it began; part of the key
	At     time.Time // of this notice
	Over   bool      // it works again
	Effect string    // what that means: "12 SLOs cannot be watched."
	Says   string    // what is said of the title where nothing is missing, and said once
}

// ComposeNotice returns a message when an outage begins, and an edit and a reply when it is over.
// It is pure.
func ComposeNotice(n Notice, now time.Time) []outbox.Entry {
	root := n.body()
	if !n.Over {
		return []outbox.Entry{n.entry("post", outbox.LaneTicket, outbox.Post, root, now)}
	}
	reply := Body{Text: root.Text, Blocks: root.Blocks[1:2]}
	return []outbox.Entry{
		n.entry("over/edit", outbox.LaneResolve, outbox.Edit, root, now),
		n.entry("over/reply", outbox.LaneResolve, outbox.Reply, reply, now),
	}
}

func (n Notice) entry(suffix string, lane outbox.Lane, op outbox.Op, b Body, now time.Time) outbox.Entry {
	thread := "notice/" + n.Kind + "/" + strconv.FormatInt(n.Since.Unix(), 10)
	b.Incident = thread
	return outbox.Entry{
		Key: thread + "/" + suffix, Receiver: n.receiver(), Lane: lane, Channel: n.Channel,
		Thread: thread, Op: op, Body: b.marshal(), Created: now,
	}
}

func (n Notice) body() Body {
	title, gone := escape(plain(n.Title, 60)), n.At.Sub(n.Since)
	state, text := "🔌 "+plain(n.Title, 60)+" cannot be reached", "🔌 *"+title+"* cannot be reached since "+at(n.Since)+", "+figures.Duration(gone)+" before this message. Alerts that depend on it stay silent until it is back; nothing is counted as good or bad meanwhile."
	short := "🔌 " + title + " cannot be reached for " + figures.Duration(gone) + "; alerts that depend on it are silent."
	if n.Over {
		state, text = "✅ "+plain(n.Title, 60)+" is back", "✅ *"+title+"* is back after "+figures.Duration(gone)+", from "+at(n.Since)+" to "+at(n.At)+". What was missed is read now, as far as it was kept."
		short = "✅ " + title + " is back after " + figures.Duration(gone) + "."
	}
	if n.Says != "" {
		state = "✂️ " + plain(n.Title, 60) + " is watched in part"
		text = "✂️ *" + title + "* " + escape(n.Says)
		short = "✂️ " + title + " " + escape(n.Says)
	}
	b := Body{Text: clip(short, maxSentence), Name: state}
	b.Blocks = append(b.Blocks, header(state), section(text))
	if n.Effect != "" && !n.Over {
		b.Blocks = append(b.Blocks, section(escape(n.Effect)))
	}
	if n.Reason != "" && !n.Over {
		b.Blocks = append(b.Blocks, section("Last error: "+code(n.Reason)))
	}
	b.Blocks = append(b.Blocks, contextBlock(mrkdwn(n.signature())))
	return b
}

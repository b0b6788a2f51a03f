package postmortem

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"github.com/slowburn-sre/slowburn/internal/markdown"
	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
)

// Review is a postmortem as people have it: a Markdown file that began as a draft. slowburn reads
// back from it what reports and reminders need, and never writes to it again.
type Review struct {
	Incident string
	SLO      slo.ID
	Service  string
	Owner    string
	Status   Status
	Class    string // of outage, in the house's own words ("deploy", "capacity"); "" if nobody said
	Required bool   // by the error-budget policy, when it was drafted
	Resolved time.Time
	Actions  []Action
	Blank    bool   // a draft whose questions about causes and lessons stand as they were, without an action item
	File     string // where it was read from; set by whoever did
}

// Status is how far a review has come.
type Status string

// The statuses, as the front matter has them.
const (
	StatusDraft    Status = "draft"
	StatusInReview Status = "in review"
	StatusClosed   Status = "closed"
)

// statuses are the known ones; "reviewed" is what others call closed.
var statuses = map[string]Status{"draft": StatusDraft, "in review": StatusInReview, "in_review": StatusInReview, "closed": StatusClosed, "reviewed": StatusClosed}

// Action is one action item.
type Action struct {
	What     string
	Kind     string // prevent, mitigate, detect, process
	Priority string // P0, P1, P2
	Owner    string
	Due      time.Time // midnight UTC; zero if there is no date
	Link     string    // to the tracker
	Done     bool      // or dropped
}

// Overdue reports whether an action item is past its day, in UTC.
func (a Action) Overdue(now time.Time) bool {
	return !a.Done && !a.Due.IsZero() && !now.Before(a.Due.AddDate(0, 0, 1))
}

// ReadReview reads a postmortem file. The front matter must say which incident it is about. What is
// wrong elsewhere, such as a date that is none, is told beside the review, which holds the rest.
func ReadReview(file []byte) (Review, []error) {
	if err := markdown.Check(file); err != nil {
		return Review{}, []error{err}
	}
	front, body, ok := cutFront(file)
	if !ok {
		return Review{}, []error{errors.New("there is no front matter: the file must begin with a line of three dashes, and name its incident as `id`")}
	}
	r, problems := readFront(front)
	if r.Incident == "" {
		return Review{}, problems
	}
	rows, wrong := actionRows(body)
	r.Actions = rows
	r.Blank = r.Status == StatusDraft && len(rows) == 0 && r.Class == "" && unanswered(body)
	return r, append(problems, wrong...)
}

// readFront reads the front matter. Keys that it does not know are the house's own. Without an
// incident it has found none, and the problems say why.
func readFront(front []byte) (r Review, problems []error) {
	f := strictyaml.Parse("front matter", append([]byte("\n"), front...), strictyaml.Options{}) // its first line is the file's second
	if err := f.Problems().Err(); err != nil {
		return r, []error{err}
	}
	top := f.Documents[0]
	text := func(key string) string {
		if v := top.Child(key); v.IsList() || v.IsMap() {
			v.Problem(key+" must be a text", "")
		}
		return strings.TrimSpace(top.Peek(key))
	}
	if r.Incident = text("id"); r.Incident == "" {
		return r, []error{errors.New("the front matter does not name its incident as `id`")}
	}
	r.SLO, r.Service, r.Owner, r.Class = slo.ID(text("slo")), text("service"), text("owner"), text("class")
	status, known := text("status"), false
	if r.Status, known = statuses[strings.ToLower(status)]; !known {
		r.Status = StatusDraft
		problems = append(problems, fmt.Errorf("the status is %q; it must be draft, in review or closed", status))
	}
	if v := top.Child("postmortem_required"); v.IsText() {
		r.Required, _ = v.Bool()
	}
	top.Child("resolved").Decode(&r.Resolved)
	if err := f.Problems().Err(); err != nil {
		problems = append(problems, err)
	}
	return r, problems
}

// cutFront parts the front matter from the text below it.
func cutFront(file []byte) (front, body []byte, ok bool) {
	file = bytes.ReplaceAll(bytes.TrimPrefix(file, []byte("\ufeff")), []byte("\r\n"), []byte("\n"))
	rest, ok := bytes.CutPrefix(file, []byte("---\n"))
	if !ok {
		return nil, nil, false
	}
	return bytes.Cut(rest, []byte("\n---\n"))
}

// actionRows reads the tables below the heading "Action items". A row whose text is still the
// draft's question, in italics, is no item yet.
func actionRows(body []byte) ([]Action, []error) {
	doc := goldmark.New(goldmark.WithExtensions(extension.Table)).Parser().Parse(text.NewReader(body))
	var all []Action
	var problems []error
	below := false
	for n := doc.FirstChild(); n != nil; n = n.NextSibling() {
		switch n := n.(type) {
		case *ast.Heading:
			if n.Level <= 2 {
				below = strings.EqualFold(words(n, body), headingActions)
			}
		case *extast.Table:
			if below {
				items, wrong := actionsOf(n, body)
				all, problems = append(all, items...), append(problems, wrong...)
			}
		}
	}
	return all, problems
}

// unanswered reports whether the draft's questions about causes and lessons are there and nothing
// else is: every paragraph below them begins in italics. A file that does not ask them is not
// judged.
func unanswered(body []byte) bool {
	doc := goldmark.New(goldmark.WithExtensions(extension.Table)).Parser().Parse(text.NewReader(body))
	below, questions, answers := false, 0, 0
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			if n.Level <= 2 {
				below = slices.Contains([]string{headingCauses, headingLessons}, words(n, body))
			}
		case *ast.Paragraph, *ast.TextBlock, *extast.Table, *ast.FencedCodeBlock:
			first, asks := n.FirstChild().(*ast.Emphasis)
			switch {
			case !below:
			case asks && first.Level == 1:
				questions++
			default:
				answers++
			}
			return ast.WalkSkipChildren, nil
		}
		return ast.WalkContinue, nil
	})
	return questions > 0 && answers == 0
}

// The headings under which a draft asks people.
const (
	headingCauses  = "Causes"
	headingLessons = "What went well, what went wrong, where we were lucky"
)

// headingActions is what stands above the action items.
const headingActions = "Action items"

// actionsOf reads one table, by the names of its columns.
func actionsOf(table *extast.Table, src []byte) ([]Action, []error) {
	var names []string
	var all []Action
	var problems []error
	for row := table.FirstChild(); row != nil; row = row.NextSibling() {
		var cells []ast.Node
		for c := row.FirstChild(); c != nil; c = c.NextSibling() {
			cells = append(cells, c)
		}
		if _, head := row.(*extast.TableHeader); head {
			for _, c := range cells {
				name, _, _ := strings.Cut(strings.ToLower(words(c, src)), ",")
				names = append(names, name)
			}
			continue
		}
		a, err := actionOf(names, cells, src)
		if err != nil {
			problems = append(problems, err)
		}
		if a.What != "" {
			all = append(all, a)
		}
	}
	return all, problems
}

func actionOf(names []string, cells []ast.Node, src []byte) (Action, error) {
	var a Action
	var err error
	for n, c := range cells[:min(len(cells), len(names))] {
		said := words(c, src)
		if asked(c) {
			said = ""
		}
		switch names[n] {
		case "what":
			a.What = said
		case "kind":
			a.Kind = said
		case "priority":
			a.Priority = strings.ToUpper(said)
		case "owner":
			a.Owner = said
		case "due":
			a.Due, err = day(said)
		case "ticket":
			a.Link = target(c, said, src)
		case "done":
			a.Done = !slices.Contains([]string{"", "no", "open"}, strings.ToLower(said))
		}
	}
	if err != nil && a.What != "" {
		return a, fmt.Errorf("the action item %q is due %w", a.What, err)
	}
	return a, nil
}

func day(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q, which is no date; write it as 2026-11-30", s)
	}
	return t, nil
}

// asked reports whether a cell is nothing but a question of the draft, in italics.
func asked(c ast.Node) bool {
	e, ok := c.FirstChild().(*ast.Emphasis)
	return ok && e.Level == 1 && e.NextSibling() == nil
}

// target returns where a cell's link leads, or its text.
func target(c ast.Node, said string, src []byte) string {
	for n := c.FirstChild(); n != nil; n = n.NextSibling() {
		switch n := n.(type) {
		case *ast.Link:
			return string(n.Destination)
		case *ast.AutoLink:
			return string(n.Label(src))
		}
	}
	return said
}

// words returns the text of a node without its markup.
func words(n ast.Node, src []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Text:
			b.Write(util.ResolveEntityNames(util.UnescapePunctuations(n.Segment.Value(src))))
			if n.SoftLineBreak() {
				b.WriteByte(' ')
			}
		case *ast.String:
			b.Write(n.Value)
		case *ast.AutoLink:
			b.Write(n.Label(src))
		}
		return ast.WalkContinue, nil
	})
	return strings.TrimSpace(b.String())
}

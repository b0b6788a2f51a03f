package web

import (
	"bytes"
	"fmt"
	"html/template"
	"strconv"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	gmtext "github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/slo"
)

// newMarkdown makes what turns reports and postmortems into HTML.
func newMarkdown() goldmark.Markdown {
	return goldmark.New(
		// Columns are aligned by an attribute: the policy forbids inline styles.
		goldmark.WithExtensions(extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute))),
		goldmark.WithParserOptions(parser.WithASTTransformers(util.Prioritized(dress{}, 100))),
	)
}

// decoration is what is added to a document: links of names, and sparks of budgets.
type decoration struct {
	Whole bool                     // the document is all of its page: its headings stay as high as they are
	Link  func(code string) string // the address of what is written as `code`, "" if it has none
	Spark func(slo.ID) template.HTML
}

// decorationKey is where a document's decoration is while it is parsed.
var decorationKey = parser.NewContextKey()

// render turns Markdown into HTML, with the decoration. Raw HTML in it is dropped, and so are links
// that are scripts.
func (p *pages) render(markdown string, d decoration) template.HTML {
	if strings.HasPrefix(markdown, "---\n") { // front matter is for files
		if _, rest, ok := strings.Cut(markdown[4:], "\n---\n"); ok {
			markdown = rest
		}
	}
	var b bytes.Buffer
	ctx := parser.NewContext()
	ctx.Set(decorationKey, d)
	if err := p.markdown.Convert([]byte(markdown), &b, parser.WithContext(ctx)); err != nil {
		return template.HTML("<pre>" + template.HTMLEscapeString(markdown) + "</pre>") //nolint:gosec // escaped
	}
	return template.HTML(b.String()) //nolint:gosec // goldmark without raw HTML
}

// dress fits a document into a page.
type dress struct{}

// longTable is from how many rows on a table begins on a new sheet of paper.
const longTable = 25

// Transform moves headings one level down, below that of the page if it has one, lets wide tables
// scroll, and adds the decoration.
func (dress) Transform(doc *ast.Document, reader gmtext.Reader, ctx parser.Context) {
	d, _ := ctx.Get(decorationKey).(decoration)
	var codes []*ast.CodeSpan
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch n := n.(type) {
		case *ast.Heading:
			if entering && plainText(n, reader.Source()) == "Appendix" { // on paper it begins a sheet
				n.SetAttributeString("class", "appendix")
			}
			if entering && !d.Whole {
				n.Level = min(n.Level+1, 6)
			}
		case *extast.Table: // a wide one scrolls, by the keyboard too
			n.SetAttributeString("tabindex", "0")
			if entering {
				d.dressTable(n, reader.Source())
			}
		case *ast.CodeSpan:
			if entering {
				codes = append(codes, n)
			}
		}
		return ast.WalkContinue, nil
	})
	for _, c := range codes {
		d.link(c, reader.Source())
		breakName(c, reader.Source())
	}
}

// breakName lets a name in a table break behind a slash and before its labels, and nowhere else.
func breakName(c *ast.CodeSpan, source []byte) {
	cell := c.Parent()
	if link, ok := cell.(*ast.Link); ok {
		cell = link.Parent()
	}
	if _, ok := cell.(*extast.TableCell); !ok {
		return
	}
	s := ast.NewString([]byte("<code>" + strings.NewReplacer("/", "/<wbr>", "{", "<wbr>{").Replace(template.HTMLEscapeString(plainText(c, source))) + "</code>"))
	s.SetCode(true) // written as it is
	c.Parent().ReplaceChild(c.Parent(), c, s)
}

// link makes a link of a name that has a page.
func (d decoration) link(c *ast.CodeSpan, source []byte) {
	if d.Link == nil {
		return
	}
	if to := d.Link(plainText(c, source)); to != "" {
		l := ast.NewLink()
		l.Destination = []byte(to)
		c.Parent().ReplaceChild(c.Parent(), c, l)
		l.AppendChild(l, c)
	}
}

// dressTable makes a table one of cards on a phone, or tiles of one of figures, and adds bars to
// what is left of budgets and sparks to how that changed.
func (d decoration) dressTable(t *extast.Table, source []byte) {
	class := "list"
	if t.ChildCount() > longTable {
		class += " long"
	}
	head := map[string]int{}
	var names []string
	for row := t.FirstChild(); row != nil; row = row.NextSibling() {
		if _, ok := row.(*extast.TableHeader); ok {
			for n, c := range cells(row) {
				names = append(names, plainText(c, source))
				head[names[n]] = n + 1
				c.SetAttributeString("data-name", names[n])
			}
			if names[0] == "Figure" {
				class = "tiles"
			}
			t.SetAttributeString("class", class)
			continue
		}
		all := cells(row)
		nameCells(names, all, source)
		pick := func(name string) ast.Node {
			if n := head[name]; n > 0 && n <= len(all) {
				return all[n-1]
			}
			return nil
		}
		name, left, change := pick("SLO"), pick("Budget left"), pick("Change")
		if name == nil || left == nil {
			continue
		}
		number, ok := strings.CutSuffix(plainText(left, source), " %")
		if share, err := strconv.ParseFloat(number, 64); ok && err == nil {
			insert(left, barOf(barKey(share), min(max(share, 0), 100)))
		}
		if change != nil && d.Spark != nil {
			if id := slo.ID(plainText(name, source)); id != "" {
				insert(change, d.Spark(id))
			}
		}
	}
}

// nameCells tells every cell of a row its column's name, for cards, which have no heading. The
// first one is the card's own. A column of figures of the same kind gets bars of them.
func nameCells(names []string, all []ast.Node, source []byte) {
	for n, c := range all {
		text := plainText(c, source)
		switch {
		case n == 0:
			c.SetAttributeString("class", "c-name")
		case len([]rune(text)) > wideCell:
			c.SetAttributeString("class", "whole")
		}
		if n > 0 && n < len(names) && names[n] != "" {
			c.SetAttributeString("data-name", names[n])
		}
		if names[0] == "Figure" && n == len(names)-1 {
			insert(c, trendBars(strings.Split(text, " · ")))
		}
	}
}

// wideCell is from how many characters on a cell takes the whole width of a card.
const wideCell = 40

// trendBars draws figures of one kind beside each other, the newest last and marked. What is not
// known has no bar.
func trendBars(figures []string) template.HTML {
	values, most := make([]float64, len(figures)), 0.0
	for n, f := range figures {
		values[n] = sizeOf(f)
		most = max(most, values[n])
	}
	if most <= 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="trend" viewBox="0 0 %d 24" preserveAspectRatio="none" aria-hidden="true">`, 10*len(figures))
	for n, v := range values {
		if v < 0 {
			continue
		}
		class, height := "", max(23*v/most, 1)
		if n == len(values)-1 {
			class = ` class="now"`
		}
		fmt.Fprintf(&b, `<rect%s x="%d" y="%.1f" width="8" height="%.1f"/>`, class, 10*n+1, 24-height, height)
	}
	b.WriteString("</svg>")
	return template.HTML(b.String()) //nolint:gosec // numbers
}

// sizeOf reads a count or a duration as it is shown, for the height of a bar; -1 is not known.
func sizeOf(figure string) float64 {
	units := map[string]float64{"d": 86400, "h": 3600, "min": 60, "s": 1, "ms": 0.001}
	size, value := -1.0, 0.0
	for _, word := range strings.Fields(strings.ReplaceAll(figure, ",", "")) {
		if v, err := strconv.ParseFloat(word, 64); err == nil {
			value = v
			if size < 0 {
				size = 0
			}
			continue
		}
		unit, known := units[word]
		if !known {
			return -1
		}
		size, value = size+value*unit, 0
	}
	return size + value
}

// barKey colours a bar by what is left.
func barKey(percent float64) string {
	switch {
	case percent <= 0:
		return "spent"
	case percent < alerting.LowBelow/100:
		return "low"
	}
	return "good"
}

// insert puts our own HTML into a cell, before what is there.
func insert(cell ast.Node, svg template.HTML) {
	if svg == "" {
		return
	}
	s := ast.NewString([]byte(svg))
	s.SetCode(true) // written as it is
	cell.InsertBefore(cell, cell.FirstChild(), s)
}

func cells(row ast.Node) []ast.Node {
	var all []ast.Node
	for c := row.FirstChild(); c != nil; c = c.NextSibling() {
		all = append(all, c)
	}
	return all
}

// plainText returns the text of a node without its markup.
func plainText(n ast.Node, source []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if t, ok := n.(*ast.Text); ok && entering {
			b.Write(t.Value(source))
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

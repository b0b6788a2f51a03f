package web

import (
	"bytes"
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
	}
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

// dressTable adds bars to what is left of budgets, and sparks to how that changed.
func (d decoration) dressTable(t *extast.Table, source []byte) {
	if t.ChildCount() > longTable {
		t.SetAttributeString("class", "long")
	}
	head := map[string]int{}
	for row := t.FirstChild(); row != nil; row = row.NextSibling() {
		if _, ok := row.(*extast.TableHeader); ok {
			for n, c := range cells(row) {
				head[plainText(c, source)] = n + 1
			}
			continue
		}
		all := cells(row)
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

// barKey colours a bar by what is left.
func barKey(percent float64) string {
	switch {
	case percent <= 0:
		return "spent"
	case percent < lowBelow/100:
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

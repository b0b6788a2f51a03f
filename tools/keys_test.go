package tools

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"
)

// readers are the packages that have a table of keys and read files by it.
var readers = []string{"internal/config", "slo/file"}

// foreignKeys are keys that are read and are not ours, and why.
var foreignKeys = map[string]string{"apiVersion": "it tells the format of another program's file"}

// A key that is documented and accepted, and read by nobody, is a promise that is not kept; one
// that is read and stands in no table is refused in every file that has it.
func TestTheTableOfKeysAndTheReaderAgree(t *testing.T) {
	for _, p := range product(t) {
		if !slices.Contains(readers, p.path) {
			continue
		}
		table, asked, mentioned := keysOf(p.files)
		if len(table) < 20 || len(asked) < 20 {
			t.Errorf("%s: %d keys in the table, %d that are read: the rule does not see them", p.path, len(table), len(asked))
		}
		for key, at := range table {
			if !mentioned[key] && asked[key] == nil {
				t.Errorf("%s: the key %s is in the table, and nothing reads it", p.at(at), key)
			}
		}
		for key, at := range asked {
			if table[key] == nil && foreignKeys[key] == "" {
				t.Errorf("%s: the key %s is read, and is in no table", p.at(at), key)
			}
		}
	}
}

// keysOf returns the keys that are put into a table, those that are asked for by name, and every
// text that stands anywhere else, which a loop may ask for.
func keysOf(files []*ast.File) (table, asked map[string]*ast.BasicLit, mentioned map[string]bool) {
	table, asked, mentioned = map[string]*ast.BasicLit{}, map[string]*ast.BasicLit{}, map[string]bool{}
	inTable := map[*ast.BasicLit]bool{}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				sel, ok := n.Fun.(*ast.SelectorExpr)
				if !ok || len(n.Args) == 0 {
					return true
				}
				lit, ok := n.Args[0].(*ast.BasicLit)
				if !ok {
					return true
				}
				key, _ := strconv.Unquote(lit.Value)
				switch of := source(sel.X); {
				case of == "schema" && (sel.Sel.Name == "May" || sel.Sel.Name == "Need"):
					table[key], inTable[lit] = lit, true
				case of != "field.Tag" && slices.Contains([]string{"Get", "Need", "Child", "Has"}, sel.Sel.Name):
					asked[key] = lit
				}
			case *ast.BasicLit:
				if text, err := strconv.Unquote(n.Value); n.Kind == token.STRING && err == nil && !inTable[n] {
					mentioned[text] = true
				}
			}
			return true
		})
	}
	return table, asked, mentioned
}

func TestTheRuleAboutKeysCanFail(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "x.go", `package config
var keys = schema.Object("", schema.May("patience", nil), schema.Need("url", nil))
func read(o Object) { o.Get("url"); o.Get("speed") }
`, 0)
	if err != nil {
		t.Fatal(err)
	}
	table, asked, mentioned := keysOf([]*ast.File{f})
	if table["patience"] == nil || mentioned["patience"] || table["speed"] != nil || asked["speed"] == nil || !mentioned["url"] {
		t.Errorf("the rule sees %v, %v, %v", table, asked, mentioned)
	}
}

package tools

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// root is the directory of the repository, seen from this package.
const root = ".."

// pkg is one package of the product, test files apart.
type pkg struct {
	path  string // relative to the root, such as "internal/prom"
	files []*ast.File
	tests []*ast.File
	fset  *token.FileSet
}

// product parses every package of the root module once per test.
func product(t *testing.T) []*pkg { return packages(t, root) }

// packages parses every package of the module in a folder.
func packages(t *testing.T, module string) []*pkg {
	t.Helper()
	byPath := map[string]*pkg{}
	var all []*pkg
	walkIn(t, module, ".go", func(path string) {
		dir := filepath.ToSlash(filepath.Dir(path))
		p := byPath[dir]
		if p == nil {
			p = &pkg{path: dir, fset: token.NewFileSet()}
			byPath[dir] = p
			all = append(all, p)
		}
		file, err := parser.ParseFile(p.fset, filepath.Join(root, path), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(path, "_test.go") {
			p.tests = append(p.tests, file)
		} else {
			p.files = append(p.files, file)
		}
	})
	if len(all) == 0 {
		t.Fatal("no package found: is this the repository?")
	}
	return all
}

// walk calls visit with every file of the root module that ends in suffix, relative to the root.
// Other modules and test data are left out.
func walk(t *testing.T, suffix string, visit func(path string)) { walkIn(t, root, suffix, visit) }

// walkIn is walk for the module in a folder.
func walkIn(t *testing.T, module, suffix string, visit func(path string)) {
	t.Helper()
	err := filepath.WalkDir(module, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return enter(module, path, d.Name())
		}
		if rel, err := filepath.Rel(root, path); err == nil && strings.HasSuffix(path, suffix) {
			visit(filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// enter decides whether walk looks into a directory.
func enter(module, path, name string) error {
	if path == module {
		return nil
	}
	hidden := strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
	if hidden || name == "testdata" || name == "bin" || name == "node_modules" {
		return fs.SkipDir
	}
	if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

// at returns where a node stands, for messages.
func (p *pkg) at(n ast.Node) string {
	pos := p.fset.Position(n.Pos())
	return strings.TrimPrefix(filepath.ToSlash(pos.Filename), root+"/") + ":" + strconv.Itoa(pos.Line)
}

// imports returns the paths a file imports.
func imports(f *ast.File) []string {
	var paths []string
	for _, spec := range f.Imports {
		if path, err := strconv.Unquote(spec.Path.Value); err == nil {
			paths = append(paths, path)
		}
	}
	return paths
}

// functions calls visit for every function of the given files.
func functions(files []*ast.File, visit func(*ast.FuncDecl)) {
	for _, f := range files {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				visit(fn)
			}
		}
	}
}

// under says whether path is dir or below it.
func under(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

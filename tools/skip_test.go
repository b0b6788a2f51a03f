package tools

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// CI runs the command that README names, and beside it the race run and the random lives at length.
func TestCIRunsWhatREADMESays(t *testing.T) {
	ci := read(t, ".ci/run")
	for _, want := range []string{"\nstep test make --no-print-directory test\n", "\nstep lives make --no-print-directory lives\n", "\nstep race make --no-print-directory race\n"} {
		if !strings.Contains(ci, want) {
			t.Errorf(".ci/run has no step %q", strings.TrimSpace(want))
		}
	}
	if !strings.Contains(read(t, "README.md"), "`make test` runs the tests") {
		t.Error("README.md names another command than .ci/run")
	}
	for _, file := range []string{".ci/run", "Makefile"} {
		if regexp.MustCompile(`test\b.*\s-short\b`).MatchString(read(t, file)) {
			t.Errorf("%s runs short tests, in which things are skipped", file)
		}
	}
}

// What starts no goroutine has no races of its own; everything else is run with the race detector.
func TestTheRaceRunLeavesOutTheCoreAlone(t *testing.T) {
	_, list, _ := strings.Cut(strings.ReplaceAll(read(t, "Makefile"), "\\\n", ""), "\ncore := ")
	list, _, _ = strings.Cut(list, "\n")
	if out := strings.Fields(list); !slices.Equal(out, core) {
		t.Errorf("make race leaves out %q, and the core is %q", out, core)
	}
}

// Every package that lives random lives has its number in the Makefile, by which CI lives more of
// them; and `make lives` finds the tests that do by what stands in them, and not in a helper.
func TestEveryRandomLifeIsLivedInCI(t *testing.T) {
	makefile := read(t, "Makefile")
	for _, p := range product(t) {
		for _, f := range p.tests {
			if strings.Contains(source(f), `flag.Int("lives"`) && !regexp.MustCompile(`\s`+p.path+`=\d`).MatchString(makefile) {
				t.Errorf("%s has -lives, and `make lives` does not run it", p.at(f))
			}
			for _, d := range f.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if ok && usesLives.MatchString(source(fn)) && fn.Name.Name != "sampled" && !regexp.MustCompile(`^(Test|Benchmark)`).MatchString(fn.Name.Name) {
					t.Errorf("%s: %s reads -lives, and no test does for it: give it what it needs", p.at(fn), fn.Name.Name)
				}
			}
		}
	}
}

var usesLives = regexp.MustCompile(`\*lives|sampled\(`)

// What the race run skips, the other one runs; what is left to `make lives` is in its list, see
// [TestEveryRandomLifeIsLivedInCI]; what a machine lacks is no excuse in CI; what a generated input
// cannot be is no loss. There are no other reasons to skip.
func TestNothingIsSkippedInBothRuns(t *testing.T) {
	all := slices.Concat(product(t), packages(t, filepath.Join(root, "integration")), packages(t, filepath.Join(root, "integration", "conformance")))
	for _, p := range all {
		for _, f := range p.tests {
			if tags := buildTags(f); tags != "" && tags != "race" && tags != "!race" && tags != "unix" { // CI has Linux
				t.Errorf("%s: a test file for %s runs in neither of the two runs", p.at(f), tags)
			}
		}
		functions(p.tests, func(fn *ast.FuncDecl) {
			for _, why := range badSkips(p, fn) {
				t.Error(why)
			}
		})
	}
}

// buildTags is the constraint that a file is built under, "" without one.
func buildTags(f *ast.File) string {
	for _, group := range f.Comments {
		for _, c := range group.List {
			if tags, ok := strings.CutPrefix(c.Text, "//go:build "); ok {
				return tags
			}
		}
	}
	return ""
}

// excuse matches a condition under which a test may be skipped: all of it, or what is beside it by
// "and".
var excuse = regexp.MustCompile(`^(raceDetector|testing\.Short\(\)|\*lives == 0)( &&.*)?$|SLOWBURN_CI`)

// skips matches what skips a test.
var skips = regexp.MustCompile(`^\w+\.Skip(f|Now)?$`)

// badSkips lists the skips of a function that CI could not tell from a test that ran.
func badSkips(p *pkg, fn *ast.FuncDecl) (all []string) {
	if strings.HasPrefix(fn.Name.Name, "Fuzz") || strings.Contains(source(fn.Type), "*testing.B") {
		return nil
	}
	whole := source(fn)
	var around []ast.Node // from the function inwards
	ast.Inspect(fn, func(n ast.Node) bool {
		if n == nil {
			around = around[:len(around)-1]
			return true
		}
		around = append(around, n)
		call, ok := n.(*ast.CallExpr)
		if !ok || !skips.MatchString(source(call.Fun)) {
			return true
		}
		// An input that rapid draws, or a pair of a table that has no meaning, is left out by name.
		generated := slices.ContainsFunc(around, func(n ast.Node) bool {
			f, ok := n.(*ast.FuncLit)
			return ok && strings.Contains(source(f.Type), "*rapid.T")
		})
		reason := ""
		for _, n := range around {
			switch n := n.(type) {
			case *ast.IfStmt:
				reason = source(n.Cond)
			case *ast.CaseClause:
				for _, c := range n.List {
					reason = source(c)
				}
			}
		}
		if !generated && !excuse.MatchString(reason) && !strings.Contains(whole, "SLOWBURN_CI") {
			all = append(all, fmt.Sprintf("%s is skipped if %s, and CI would not notice", p.at(call), reason))
		}
		return true
	})
	return all
}

// source is a node as it is written.
func source(n ast.Node) string {
	var b strings.Builder
	_ = printer.Fprint(&b, token.NewFileSet(), n)
	return b.String()
}

func TestTheRuleAboutSkipsCanFail(t *testing.T) {
	p := &pkg{path: "budget", fset: token.NewFileSet()}
	f, err := parser.ParseFile(p.fset, "x_test.go", `package budget
func TestA(t *testing.T) { if !raceDetector { t.Skip() } }
func TestB(t *testing.T) { if runtime.GOOS == "linux" { t.Skip() } }
func TestC(t *testing.T) { t.Skip() }
func TestD(t *testing.T) { if raceDetector { t.Skip() } }
func TestX(tt *testing.T) { tt.Skip() }
func TestY(t *testing.T) { if testing.Short() || true { t.SkipNow() } }
func TestF(t *testing.T) { if *lives == 0 { t.Skip() } }
func TestG(t *testing.T) { if *lives > 5 { t.Skip() } }
func TestE(t *testing.T) { rapid.Check(t, func(t *rapid.T) { if n > 3 { t.Skip() } }) }
`, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var bad []string
	functions([]*ast.File{f}, func(fn *ast.FuncDecl) {
		if len(badSkips(p, fn)) > 0 {
			bad = append(bad, fn.Name.Name)
		}
	})
	if want := []string{"TestA", "TestB", "TestC", "TestX", "TestY", "TestG"}; !slices.Equal(bad, want) {
		t.Errorf("skips that are refused: %v, want %v", bad, want)
	}
}

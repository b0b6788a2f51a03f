package tools

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// notForReaders are packages and files that write numbers, durations or times with a layout of
// their own, and why they may. All others use internal/figures.
var notForReaders = map[string]string{
	"internal/figures": "the one place for what people read",
	"internal/attack":  "it tells whoever attacks what came back",

	"internal/web/calendar.go":         "it draws",
	"internal/web/chart.go":            "it draws, and labels axes",
	"internal/web/reportpage.go":       "it draws",
	"internal/web/spark.go":            "it draws",
	"internal/web/table.go":            "it draws",
	"internal/notify/slack/chart.go":   "it labels an axis",
	"internal/notify/slack/picture.go": "it draws, and labels axes",

	"slo":                    "what is written in files is spelled as it is read there",
	"slo/file/journey.go":    "a weight as it is written in a file",
	"slo/file/print.go":      "it writes files",
	"slo/openslo/print.go":   "it writes files",
	"slo/pyrra/indicator.go": "a bound of a bucket, as it is written in a file",

	"cmd/slowburn/check_history.go":  "a number in PromQL",
	"internal/compare/ask.go":        "a number in PromQL",
	"internal/evidence/breakdown.go": "a number in PromQL",
	"internal/prom/ask.go":           "a number in PromQL",
	"internal/prom/coarse.go":        "a number in PromQL",
	"internal/prom/paces.go":         "a number in PromQL",
	"internal/prom/spelling.go":      "a bound of a bucket in PromQL, in each of its spellings",
	"internal/prom/bounds.go":        "a bound of a bucket, as somebody would write it in a file",
	"internal/rules/count.go":        "a number in PromQL",
	"internal/rules/pyrra.go":        "a number in PromQL",
	"internal/signals/fill.go":       "a number in PromQL",
	"internal/suggest/bounds.go":     "a bound of a bucket in PromQL",
	"postmortem/queries.go":          "a number in PromQL",

	"cmd/slowburn/check_format.go": "it escapes percent signs",
	"internal/api/spend.go":        "the names of days and hours",
	"internal/engine/reload.go":    "it writes an objective to read it",
	"internal/prom/client.go":      "numbers in the address of a query",
	"internal/trouble/trouble.go":  "it logs",
	"internal/web/convert.go":      "a field that programs still read",
	"internal/web/exposition.go":   "metrics",
	"internal/web/markdown.go":     "it reads a share",

	"cmd/slowburn-demo":    "the clock of the stage",
	"internal/fake":        "stand-ins for what others make",
	"internal/foreigntest": "it prints for goldens",
}

// limits are packages and files that write a count with its noun by hand, and why they may.
var limits = map[string]string{
	"budget/ledger.go":                "the number of a day",
	"internal/crontime":               "limits of what is written in a file",
	"internal/folder":                 "limits of what is written in a file",
	"internal/markdown/check.go":      "limits of Markdown, for who writes it",
	"internal/notify/slack/limits.go": "limits of Slack, for who writes blocks",
	"internal/prom/decode.go":         "a limit of an answer",
	"internal/report/period.go":       "the number of a period",
	"internal/sentences/audit.go":     "the numbers of acts",
	"internal/store":                  "numbers of versions, hours and entries",
	"internal/strictyaml":             "limits of what is written in a file",
	"slo/file":                        "limits of what is written in a file",
	"slo/internal/foreign":            "limits of what is written in a file",
	"slo/openslo":                     "limits of what is written in a file",
}

func TestFiguresAreWrittenInOnePlace(t *testing.T) {
	used := map[string]bool{}
	for _, p := range typed(t) {
		for _, f := range handwritten(p) {
			allowed := excepted(notForReaders, f, p.path, used)
			if strings.HasSuffix(f, byHand) {
				allowed = excepted(limits, f, p.path, used) || allowed
			}
			if !allowed {
				t.Errorf("%s: use internal/figures, or name the file and the reason in notForReaders", f)
			}
		}
	}
	for _, name := range slices.Concat(slices.Sorted(maps.Keys(notForReaders)), slices.Sorted(maps.Keys(limits))) {
		if !used[name] {
			t.Errorf("%s needs no exception", name)
		}
	}
}

// excepted reports whether a finding is in a file or a package that is excepted, or, but for
// package slo, below one; it notes which exceptions are used.
func excepted(exceptions map[string]string, finding, pkg string, used map[string]bool) (found bool) {
	file, _, _ := strings.Cut(finding, ":")
	for name := range exceptions {
		if name == file || name == pkg || name != "slo" && under(pkg, name) {
			found, used[name] = true, true
		}
	}
	return found
}

// byHand ends what is found about counts.
const byHand = "writes a count"

// checked is a package of the product with the types of its expressions.
type checked struct {
	*pkg
	info *types.Info
}

// typed checks the types of every package that product parses. What a package imports is read from
// what the compiler left of it (runs go list, which compiles what is not yet).
func typed(t *testing.T) []checked {
	t.Helper()
	imported := exports(t)
	var all []checked
	for _, p := range product(t) {
		if len(p.files) == 0 {
			continue
		}
		all = append(all, checkTypes(t, p, imported))
	}
	return all
}

// checkTypes checks the types of the files of a package that are built on this machine.
func checkTypes(t *testing.T, p *pkg, imported importer.Lookup) checked {
	t.Helper()
	p.files = slices.DeleteFunc(p.files, func(f *ast.File) bool {
		file := p.fset.Position(f.Pos()).Filename
		built, err := build.Default.MatchFile(filepath.Split(file))
		return err == nil && !built
	})
	c := checked{p, &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}}
	config := types.Config{Importer: importer.ForCompiler(p.fset, "gc", imported)}
	if _, err := config.Check(module+"/"+p.path, p.fset, p.files, c.info); err != nil {
		t.Fatal(err)
	}
	return c
}

// exports returns a function that opens what the compiler left of a package.
func exports(t *testing.T) importer.Lookup {
	t.Helper()
	cmd := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}", "./...")
	cmd.Dir, cmd.Stderr = root, &bytes.Buffer{}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, cmd.Stderr)
	}
	files := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		files[path] = file
	}
	return func(path string) (io.ReadCloser, error) {
		if files[path] == "" {
			return nil, fmt.Errorf("the compiler left nothing of %s", path)
		}
		return os.Open(files[path])
	}
}

// floatVerb matches a verb of package fmt that rounds a number.
var floatVerb = regexp.MustCompile(`%[-+#0]*[0-9*]*(\.[0-9*]+)?[feg]`)

// countVerb matches a verb that writes how many there are of what follows: "of %d minutes".
var countVerb = regexp.MustCompile(`%d [a-z]`)

// percentSign matches a percent sign that a number gets by hand: "%s %%", or " %, delivered".
var percentSign = regexp.MustCompile(`%[a-z] ?%%|^ ?%(?:$|[^-+#0-9.\[%a-zA-Z])`)

// handwritten returns where a number, a duration or a time is given a form that is not that of
// internal/figures: it is formatted, printed, or rounded before it is.
func handwritten(p checked) []string {
	var found []string
	for _, f := range p.files {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				if reason := byLiteral(n); reason != "" {
					found = append(found, p.at(n)+" "+reason)
				}
			case *ast.BinaryExpr:
				if countsByHand(p.info, n) {
					found = append(found, p.at(n)+" "+byHand)
				}
			case *ast.CallExpr:
				if reason := byCall(p.info, n); reason != "" {
					found = append(found, p.at(n)+" "+reason)
				}
			}
			return true
		})
	}
	return found
}

func byLiteral(n *ast.BasicLit) string {
	if n.Kind != token.STRING {
		return ""
	}
	text, err := strconv.Unquote(n.Value)
	if err != nil {
		return ""
	}
	switch {
	case countVerb.MatchString(text):
		return byHand
	case percentSign.MatchString(text):
		return "writes a percentage"
	case floatVerb.MatchString(strings.ReplaceAll(text, "%%", "")):
		return "rounds a number"
	}
	return ""
}

// countsByHand reports whether a count is put before its noun: strconv.Itoa(n) + " minutes".
func countsByHand(info *types.Info, sum *ast.BinaryExpr) bool {
	left := sum.X
	if b, ok := left.(*ast.BinaryExpr); ok {
		left = b.Y
	}
	call, isCall := left.(*ast.CallExpr)
	noun, isText := sum.Y.(*ast.BasicLit)
	if !isCall || !isText {
		return false
	}
	name, _ := callee(info, call)
	return (name == "strconv.Itoa" || name == "strconv.FormatInt") && regexp.MustCompile(`^["`+"`"+`] [a-z]`).MatchString(noun.Value)
}

func byCall(info *types.Info, call *ast.CallExpr) string {
	name, pkg := callee(info, call)
	switch name {
	case "strconv.FormatFloat", "strconv.AppendFloat":
		return "writes a number"
	case "(time.Duration).String", "(time.Time).String":
		return "writes a time as Go does"
	case "(time.Time).Format", "(time.Time).AppendFormat":
		if !ofPackageTime(info, call.Args[len(call.Args)-1]) {
			return "writes a time with a layout of its own"
		}
	}
	switch pkg {
	case "log/slog", module + "/internal/schema": // for machines
		return ""
	case module + "/internal/figures":
		if slices.ContainsFunc(call.Args, func(arg ast.Expr) bool { return rounds(info, arg) }) {
			return "rounds what internal/figures rounds"
		}
	}
	return printed(info, call)
}

// callee returns the full name of a function or method and its package, if it is known.
func callee(info *types.Info, call *ast.CallExpr) (name, pkg string) {
	var id *ast.Ident
	switch fun := ast.Unparen(call.Fun).(type) {
	case *ast.Ident:
		id = fun
	case *ast.SelectorExpr:
		id = fun.Sel
	default:
		return "", ""
	}
	if fn, ok := info.Uses[id].(*types.Func); ok && fn.Pkg() != nil {
		return fn.FullName(), fn.Pkg().Path()
	}
	return "", ""
}

// ofPackageTime reports whether a layout is one of package time.
func ofPackageTime(info *types.Info, layout ast.Expr) bool {
	sel, ok := layout.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	c, ok := info.Uses[sel.Sel].(*types.Const)
	return ok && c.Pkg().Path() == "time"
}

// rounds reports whether an expression calls a function of package math that rounds.
func rounds(info *types.Info, in ast.Expr) (found bool) {
	ast.Inspect(in, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			name, _ := callee(info, call)
			found = found || slices.Contains([]string{"math.Round", "math.Floor", "math.Ceil", "math.Trunc", "math.RoundToEven"}, name)
		}
		return !found
	})
	return found
}

// printed tells which argument of a call is written as Go writes it: one that is passed as any of
// many, as to package fmt and to all that wraps it.
func printed(info *types.Info, call *ast.CallExpr) string {
	signature, ok := info.Types[call.Fun].Type.(*types.Signature)
	if !ok || !signature.Variadic() || call.Ellipsis.IsValid() {
		return ""
	}
	last := signature.Params().Len() - 1
	element := signature.Params().At(last).Type().(*types.Slice).Elem().Underlying()
	if i, ok := element.(*types.Interface); !ok || !i.Empty() {
		return ""
	}
	for _, arg := range call.Args[min(last, len(call.Args)):] {
		if what := figure(info.Types[arg].Type); what != "" {
			return "prints " + what
		}
	}
	return ""
}

// figure tells what a type is of that people read as a figure, "" if it is no such.
func figure(t types.Type) string {
	switch name := types.TypeString(t, nil); name {
	case "time.Duration", "time.Time", module + "/slo.Window", module + "/slo.Objective":
		return "a " + filepath.Base(name)
	}
	switch t := t.Underlying().(type) {
	case *types.Pointer:
		return figure(t.Elem())
	case *types.Slice:
		return figure(t.Elem())
	case *types.Basic:
		if t.Info()&types.IsFloat != 0 {
			return "a number"
		}
	}
	return ""
}

// A rule that cannot fail protects nothing: it is shown what it must refuse, and what it must not.
func TestTheRuleOfFiguresCanFail(t *testing.T) {
	const refused = `package budget
import ("fmt"; "math"; "strconv"; "time"; "log/slog"; "` + module + `/internal/figures"; "` + module + `/slo")
func wrap(format string, args ...any) string { return fmt.Sprintf(format, args...) }
const layout, iso = "15:04", time.RFC3339
func _(x float64, d time.Duration, at time.Time, o slo.Objective, p *float64) {
	_ = fmt.Sprintf("%.1f", x)
	_ = fmt.Sprintf("<b>%.*f</b>", 1, x)
	_ = wrap("every %s", d)
	_ = wrap("%v", p)
	_ = wrap("over %s", o)
	_ = fmt.Sprint(at)
	_ = d.String()
	_ = at.Format(layout)
	_ = at.Format("15:04")
	_ = at.Format(iso)
	_ = strconv.FormatFloat(x, 'f', -1, 64)
	_ = wrap("%s %%", "9")
	_ = "9" + " %, delivered"
	_ = "9" + "%"
	_ = wrap("of %d minutes", 5)
	_ = "of " + strconv.Itoa(5) + " minutes"
	_ = figures.Decimal(math.Round(x * 10) / 10)
	end()
	_ = wrap("%d: 100 % good: %q", 1, "a") + strconv.Itoa(1) + ": x" + at.Format(time.RFC3339) + figures.Duration(d.Round(time.Second))
	_ = "100 % of it, %sum"
	slog.Info("", "after", d)
	_ = math.Round(x)
}
func end() {}
`
	fset := token.NewFileSet()
	p := &pkg{path: "budget", fset: fset}
	f, err := parser.ParseFile(fset, "x.go", refused, 0)
	if err != nil {
		t.Fatal(err)
	}
	p.files = []*ast.File{f}
	c := checkTypes(t, p, exports(t))
	var want []string
	for n, line := range strings.Split(refused, "\n") {
		if strings.Contains(line, "end()") {
			break
		}
		if strings.HasPrefix(line, "\t_ =") {
			want = append(want, fmt.Sprintf("x.go:%d", n+1))
		}
	}
	var got []string
	for _, f := range handwritten(c) {
		at, _, _ := strings.Cut(f, " ")
		if !slices.Contains(got, at) {
			got = append(got, at)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("figures were found at %v, want %v", got, want)
	}
}

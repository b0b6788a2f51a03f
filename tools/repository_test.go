package tools

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/slowburn-sre/slowburn"

// core are the packages that only compute: of this module they import each other and nothing else.
// What else they may not import is below.
var core = []string{"slo", "budget", "alerting", "postmortem", "internal/report", "internal/register", "internal/api", "internal/counting", "internal/crontime", "internal/figures", "internal/incidents", "internal/markdown", "internal/printable", "internal/ranking", "internal/sentences", "internal/strictyaml", "internal/schema", "internal/selectors"}

// notInCore names what would let the outside world into a decision. A prefix covers what is below
// it.
var notInCore = map[string]string{
	"net":                                 "the core does no I/O: pass the data in",
	"os":                                  "the core reads no files and no environment: pass bytes or an fs.FS in",
	"log":                                 "the core does not log: return what happened",
	"math/rand":                           "the same input must give the same output",
	"crypto/rand":                         "the same input must give the same output",
	"database/sql":                        "the core has no store",
	"github.com/slack-go":                 "the core does not know whom it speaks to",
	"github.com/prometheus/client_golang": "the core has no metrics: count what it returns",
}

// coreExceptions are imports that the rule above would refuse and that are harmless: pure functions
// below a forbidden prefix.
var coreExceptions = []string{"net/url", "net/netip"}

func TestCoreStaysPure(t *testing.T) {
	for _, p := range product(t) {
		if !isCore(p.path) {
			continue
		}
		for _, f := range p.files {
			for _, imported := range imports(f) {
				if reason := refusal(imported); reason != "" {
					t.Errorf("%s imports %s: %s", p.at(f), imported, reason)
				}
			}
		}
		for _, call := range []string{"time.Now", "time.Since", "time.Until", "time.Sleep", "time.After", "time.Tick"} {
			for _, where := range uses(p, p.files, call) {
				t.Errorf("%s uses %s: time is an argument here", where, call)
			}
		}
	}
}

func TestCoreStartsNoGoroutine(t *testing.T) {
	for _, p := range product(t) {
		if !isCore(p.path) {
			continue
		}
		for _, f := range p.files {
			ast.Inspect(f, func(n ast.Node) bool {
				if g, ok := n.(*ast.GoStmt); ok {
					t.Errorf("%s starts a goroutine: the core only computes", p.at(g))
				}
				return true
			})
		}
	}
}

// isCore says whether a package is one of the core, or below one. The readers of foreign formats
// below slo count as core too.
func isCore(p string) bool {
	return slices.ContainsFunc(core, func(c string) bool { return under(p, c) })
}

func refusal(imported string) string {
	if slices.Contains(coreExceptions, imported) {
		return ""
	}
	if of, ok := strings.CutPrefix(imported, module+"/"); ok && !isCore(of) {
		return "the core imports only the core: it neither fetches nor stores nor shows, it is driven"
	}
	for prefix, reason := range notInCore {
		if under(imported, prefix) {
			return reason
		}
	}
	return ""
}

// uses returns where a qualified name such as time.Now stands.
func uses(p *pkg, files []*ast.File, name string) []string {
	left, right, _ := strings.Cut(name, ".")
	var found []string
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok || sel.Sel.Name != right {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == left && x.Obj == nil {
				found = append(found, p.at(sel))
			}
			return true
		})
	}
	return found
}

// noSelectors are files that write label="value" and no PromQL.
var noSelectors = map[string]string{
	"internal/prom/route.go":    "the ID of a budget",
	"internal/ranking/words.go": "what people read",
}

func TestSelectorsAreWrittenInOnePlace(t *testing.T) {
	for _, p := range product(t) {
		if under(p.path, "internal/selectors") || under(p.path, "internal/fake") {
			continue
		}
		for _, where := range quotedByHand(p, p.files) {
			if file, _, _ := strings.Cut(where, ":"); noSelectors[file] == "" {
				t.Errorf("%s: use internal/selectors, which knows what must be quoted", where)
			}
		}
	}
}

// matcherVerb matches a label matcher whose value package fmt fills in.
var matcherVerb = regexp.MustCompile(`[a-z_]+(=|!=|=~|!~)(%q|"%s")`)

// quotedByHand returns where a label matcher or a selector is put together: label= and a quoted
// value, or a selector of the parser that was not parsed.
func quotedByHand(p *pkg, files []*ast.File) []string {
	var found []string
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				if text, err := strconv.Unquote(n.Value); err == nil && matcherVerb.MatchString(text) && !strings.Contains(text, "<") {
					found = append(found, p.at(n))
				}
			case *ast.CompositeLit:
				if sel, ok := n.Type.(*ast.SelectorExpr); ok && sel.Sel.Name == "VectorSelector" {
					found = append(found, p.at(n))
				}
			case *ast.BinaryExpr:
				left := n.X
				if b, ok := left.(*ast.BinaryExpr); ok {
					left = b.Y
				}
				lit, isText := left.(*ast.BasicLit)
				call, isCall := n.Y.(*ast.CallExpr)
				if isText && isCall && strings.Contains(source(call.Fun), "Quote") && strings.HasSuffix(strings.Trim(lit.Value, "\"`"), "=") {
					found = append(found, p.at(n))
				}
			}
			return true
		})
	}
	return found
}

func TestServerPackagesOfPrometheusAreHidden(t *testing.T) {
	const prometheus = "github.com/prometheus/prometheus/"
	steady := []string{"promql/parser", "tsdb/chunkenc"}
	for _, p := range product(t) {
		if under(p.path, "internal/fake/promfake") {
			continue
		}
		for _, f := range slices.Concat(p.files, p.tests) {
			for _, imported := range imports(f) {
				rest, ok := strings.CutPrefix(imported, prometheus)
				if !ok || slices.ContainsFunc(steady, func(s string) bool { return under(rest, s) }) {
					continue
				}
				if first, _, _ := strings.Cut(rest, "/"); slices.Contains([]string{"promql", "tsdb", "web", "storage", "scrape", "rules"}, first) {
					t.Errorf("%s imports %s: only internal/fake/promfake knows the server packages", p.at(f), imported)
				}
			}
		}
	}
}

// TestTheDaemonLinksNoDemo asks the linker's view: what a machine in production runs holds no
// stand-ins, no PromQL engine, and no client of anything that it does not talk to.
func TestTheDaemonLinksNoDemo(t *testing.T) {
	foreign := regexp.MustCompile(`^(` + module + `/internal/fake|github.com/prometheus/prometheus/(promql|tsdb)|k8s\.io|go\.opentelemetry\.io|github.com/chromedp)(/.*)?$`)
	allowed := regexp.MustCompile(`^github.com/prometheus/prometheus/(promql/parser(/.*)?|tsdb/(chunkenc|chunks|fileutil))$`)
	linked := func(program string) (found []string) {
		cmd := exec.Command("go", "list", "-deps", "./cmd/"+program)
		cmd.Dir = root
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range strings.Fields(string(out)) {
			if foreign.MatchString(p) && !allowed.MatchString(p) {
				found = append(found, p)
			}
		}
		return found
	}
	for _, p := range linked("slowburn") {
		t.Errorf("cmd/slowburn links %s", p)
	}
	if len(linked("slowburn-demo")) == 0 {
		t.Error("nothing of the demo is found in cmd/slowburn-demo either: the rule cannot fail")
	}
}

// jsonElsewhere are packages whose structs may name JSON fields although they are not package api,
// with the reason. A name covers what is below it; one of a file covers that.
var jsonElsewhere = map[string]string{
	"internal/api":                 "the one place for what programs read",
	"alerting":                     "stored: incidents, states and acts",
	"budget":                       "stored: sums in events",
	"internal/ranking":             "stored with an incident's evidence",
	"internal/outbox":              "stored: what is owed",
	"internal/drills":              "stored: what came of drills",
	"internal/notify/paging.go":    "stored: which places cannot be reached",
	"internal/notify/alertmanager": "the form of Alertmanager",
	"internal/notify/pagerduty":    "the form of PagerDuty",
	"internal/notify/slack":        "the form of Slack",
	"internal/prom":                "the form of Prometheus' answers",
	"internal/rules":               "the form of Prometheus' rules",
	"internal/schema":              "the form of JSON Schema",
	"internal/fake":                "the forms of those it stands in for",
}

func TestEveryJSONShapeIsInOnePackage(t *testing.T) {
	for _, p := range product(t) {
		for _, f := range p.files {
			if file, _, _ := strings.Cut(p.at(f), ":"); mayNameJSON(p.path) || mayNameJSON(file) {
				continue
			}
			for _, field := range jsonFields(f) {
				t.Errorf("%s names a JSON field: what programs read is in internal/api alone", p.at(field))
			}
		}
	}
}

func mayNameJSON(pkg string) bool {
	for prefix := range jsonElsewhere {
		if under(pkg, prefix) {
			return true
		}
	}
	return false
}

// jsonFields returns the fields of structs that have a name in JSON.
func jsonFields(f *ast.File) []*ast.Field {
	var found []*ast.Field
	ast.Inspect(f, func(n ast.Node) bool {
		if field, ok := n.(*ast.Field); ok && field.Tag != nil && strings.Contains(field.Tag.Value, `json:"`) {
			found = append(found, field)
		}
		return true
	})
	return found
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	for _, p := range product(t) {
		if len(p.files) == 0 {
			continue
		}
		documented := slices.ContainsFunc(p.files, func(f *ast.File) bool { return f.Doc != nil && len(f.Doc.Text()) > 40 })
		if !documented {
			t.Errorf("%s: no package comment worth the name", p.path)
		}
		if slices.Contains([]string{"util", "utils", "types", "model", "models", "common", "helpers", "misc"}, path.Base(p.path)) {
			t.Errorf("%s: name a package for what it owns", p.path)
		}
	}
}

func TestEveryExportedNameHasAComment(t *testing.T) {
	for _, p := range product(t) {
		for _, f := range p.files {
			for _, decl := range f.Decls {
				for _, name := range undocumented(decl) {
					t.Errorf("%s: %s has no comment", p.at(decl), name)
				}
			}
		}
	}
}

// undocumented returns the exported names of a declaration that nothing explains. A comment on a
// group of values covers the group.
func undocumented(decl ast.Decl) []string {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Doc == nil && d.Name.IsExported() && exportedReceiver(d) {
			return []string{d.Name.Name}
		}
	case *ast.GenDecl:
		if d.Doc != nil {
			return nil
		}
		var names []string
		for _, spec := range d.Specs {
			names = append(names, undocumentedSpec(spec)...)
		}
		return names
	}
	return nil
}

func undocumentedSpec(spec ast.Spec) []string {
	var names []string
	switch s := spec.(type) {
	case *ast.TypeSpec:
		if s.Doc == nil && s.Comment == nil && s.Name.IsExported() {
			names = append(names, s.Name.Name)
		}
	case *ast.ValueSpec:
		for _, n := range s.Names {
			if s.Doc == nil && s.Comment == nil && n.IsExported() {
				names = append(names, n.Name)
			}
		}
	}
	return names
}

// wellKnown are methods of interfaces everybody knows: a comment on them would only repeat the
// interface.
var wellKnown = []string{
	"String", "Error", "Unwrap", "Is", "As", "Len", "Less", "Swap", "Write", "Close", "ServeHTTP",
	"MarshalJSON", "UnmarshalJSON", "MarshalText", "UnmarshalText", "MarshalYAML", "UnmarshalYAML", "Format", "LogValue",
}

// exportedReceiver says whether a reader of the documentation meets this function: it is no method,
// or one of an exported type that is not well known.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return true
	}
	if slices.Contains(wellKnown, d.Name.Name) {
		return false
	}
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}

func TestFunctionsFitOnAScreen(t *testing.T) {
	const longest, mean = 80, 20
	lines, count := 0, 0
	for _, p := range product(t) {
		functions(p.files, func(fn *ast.FuncDecl) {
			n := p.fset.Position(fn.End()).Line - p.fset.Position(fn.Pos()).Line + 1
			lines, count = lines+n, count+1
			if n > longest {
				t.Errorf("%s: %s has %d lines, the longest allowed has %d", p.at(fn), fn.Name.Name, n, longest)
			}
		})
	}
	if count > 0 {
		t.Logf("%d functions, %.1f lines each", count, float64(lines)/float64(count))
		if lines > mean*count {
			t.Errorf("a function has %.1f lines on average, want at most %d", float64(lines)/float64(count), mean)
		}
	}
}

func TestNothingRegistersItself(t *testing.T) {
	for _, p := range product(t) {
		functions(p.files, func(fn *ast.FuncDecl) {
			if fn.Name.Name == "init" && fn.Recv == nil {
				t.Errorf("%s: func init: wire values together where they are used", p.at(fn))
			}
		})
	}
}

func TestTestsDoNotSleep(t *testing.T) {
	for _, p := range product(t) {
		for _, where := range uses(p, p.tests, "time.Sleep") {
			// Inside a synctest bubble a sleep costs nothing and is the right tool.
			file, _, _ := strings.Cut(where, ":")
			if text, err := os.ReadFile(filepath.Join(root, file)); err == nil && strings.Contains(string(text), `"testing/synctest"`) {
				continue
			}
			t.Errorf("%s sleeps: wait for a condition, or use testing/synctest", where)
		}
	}
}

// requirement matches a direct requirement of go.mod.
var requirement = regexp.MustCompile(`(?m)^(?:require )?\t?([a-z0-9.-]+\.[a-z]+/\S+) v\S+$`)

func TestEveryDependencyIsExplained(t *testing.T) {
	gomod := read(t, "go.mod")
	for _, directive := range []string{"replace", "exclude"} {
		if regexp.MustCompile(`(?m)^` + directive + `\b`).MatchString(gomod) {
			t.Errorf("go.mod has a %s directive: `go install %s/cmd/slowburn@version` would refuse it", directive, module)
		}
	}
	var want []string
	for _, m := range requirement.FindAllStringSubmatch(gomod, -1) {
		want = append(want, m[1])
	}
	var got []string
	for _, m := range regexp.MustCompile(`(?m)^### (\S+)$`).FindAllStringSubmatch(read(t, "docs/dependencies.md"), -1) {
		got = append(got, m[1])
	}
	if len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("docs/dependencies.md explains %q,\nwant the direct requirements of go.mod in their order: %q", got, want)
	}
}

func TestEveryDocumentCanBeFound(t *testing.T) {
	readme := read(t, "README.md")
	docs, _ := filepath.Glob("../docs/*.md")
	if len(docs) == 0 {
		t.Fatal("no documents")
	}
	for _, doc := range docs {
		if name := "docs/" + filepath.Base(doc); !strings.Contains(readme, "]("+name+")") {
			t.Errorf("README.md leads nobody to %s", name)
		}
	}
}

func TestNoTraceOfOneMachine(t *testing.T) {
	// Written in pieces, so that this file does not find itself.
	traces := regexp.MustCompile(`(^|[^\w.-])/(` + `root|home/[a-z]+|work/main|work/shared` + `)/[\w.]`)
	for _, suffix := range []string{".go", ".md", ".yaml", ".yml", ".txtar", ".service"} {
		walk(t, suffix, func(file string) {
			for i, line := range strings.Split(read(t, file), "\n") {
				if traces.MatchString(line) {
					t.Errorf("%s:%d names a path of one machine: %s", file, i+1, strings.TrimSpace(line))
				}
			}
		})
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A rule that cannot fail protects nothing: each is shown something it must refuse.
func TestTheRulesCanFail(t *testing.T) {
	for _, imported := range []string{"net", "net/http", "os/exec", "log/slog", "database/sql", module + "/internal/prom", module + "/internal/evidence"} {
		if refusal(imported) == "" {
			t.Errorf("the core may import %s", imported)
		}
	}
	for _, imported := range []string{"net/url", "time", "strings", module + "/slo", "osmosis"} {
		if reason := refusal(imported); reason != "" {
			t.Errorf("the core may not import %s: %s", imported, reason)
		}
	}
	p := &pkg{path: "budget", fset: token.NewFileSet()}
	text := "package budget\nimport \"time\"\nfunc Now() time.Time { return time.Now() }\ntype T struct{ A, B int `json:\"a\"` }\n"
	f, err := parser.ParseFile(p.fset, "x.go", text, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	if got := uses(p, []*ast.File{f}, "time.Now"); !slices.Equal(got, []string{"x.go:3"}) {
		t.Errorf("time.Now was found at %v, want x.go:3", got)
	}
	if fields := jsonFields(f); len(fields) != 1 || p.at(fields[0]) != "x.go:4" {
		t.Errorf("%d fields with a name in JSON were found, want that of x.go:4", len(fields))
	}
	if mayNameJSON("cmd/slowburn") || mayNameJSON("internal/report") || mayNameJSON("internal/notifying") || !mayNameJSON("internal/notify/slack") {
		t.Error("the wrong packages may name JSON fields")
	}
	h, err := parser.ParseFile(p.fset, "z.go", `package budget
var a = "job=" + strconv.Quote(x)
var b = name + "=" + strconv.Quote(x)
var c = fmt.Sprintf("up{job=%q}", x)
var d = (&parser.VectorSelector{Name: x}).String()
var e = "by " + strconv.Quote(x) + fmt.Sprintf("%q", x)
`, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := quotedByHand(p, []*ast.File{h}); !slices.Equal(got, []string{"z.go:2", "z.go:3", "z.go:4", "z.go:5"}) {
		t.Errorf("selectors were found at %v, want lines 2 to 5", got)
	}
	var names []string
	for _, d := range f.Decls {
		names = append(names, undocumented(d)...)
	}
	if !slices.Equal(names, []string{"Now", "T"}) {
		t.Errorf("names without a comment: %v, want Now and T", names)
	}
}

// mostMethods is how many methods a type has at most: what has more owns more than one thing.
const mostMethods = 40

func TestTypesStaySmall(t *testing.T) {
	for _, p := range product(t) {
		methods := map[string]int{}
		functions(p.files, func(fn *ast.FuncDecl) {
			if fn.Recv == nil {
				return
			}
			of := strings.TrimLeft(source(fn.Recv.List[0].Type), "*")
			of, _, _ = strings.Cut(of, "[")
			if methods[of]++; methods[of] == mostMethods+1 {
				t.Errorf("%s: type %s has more than %d methods: give some of them a type of their own", p.at(fn), of, mostMethods)
			}
		})
	}
}

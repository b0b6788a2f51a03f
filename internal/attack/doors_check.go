package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
)

// checked is a folder that `slowburn check` is pointed at, as CI does with what somebody proposes.
type checked struct {
	files map[string]string
	make  func(dir string) error // what cannot be written down
}

// check runs `slowburn check` in a folder of its own.
func (k checked) check(ctx context.Context, c *camp) (out string, code int, err error) {
	if c.binary == "" {
		return "", 0, skip("needs the program: give -binary")
	}
	dir, err := os.MkdirTemp("", "slowburn-attack-")
	if err != nil {
		return "", 0, err
	}
	defer os.RemoveAll(dir)
	own := &castle{dir: dir, binary: c.binary, target: &target{}}
	if k.files["slowburn.yaml"] == "" && k.files != nil {
		k.files = merged(k.files, map[string]string{"slowburn.yaml": "slos: [slos/]\n"})
	}
	for name, text := range k.files {
		if err := own.write(name, text); err != nil {
			return "", 0, err
		}
	}
	if k.make != nil {
		if err := k.make(dir); err != nil {
			return "", 0, err
		}
	}
	return own.cli(ctx, []string{"GOMEMLIMIT=256MiB"}, "check")
}

// refused wants a check to fail in time, at a place in the file if it says so.
func refused(k checked, where string) func(context.Context, *camp) error {
	return func(ctx context.Context, c *camp) error {
		out, code, err := k.check(ctx, c)
		switch {
		case err != nil:
			return err
		case code == 0:
			return errors.New("taken: " + out)
		case where != "" && !regexp.MustCompile(where).MatchString(out):
			return errors.New("says: " + out)
		case strings.Contains(out, "panic"):
			return errors.New("panics: " + out)
		}
		return nil
	}
}

// place is how a mistake in a file is told.
const place = `slos/[a-z.]+:\d+:\d+`

// sloOf writes a good SLO file with some keys of its SLO in place of the usual ones.
func sloOf(objective, window, sli string) string {
	return "version: slowburn/v1\nservice: shop\nslos:\n  - name: availability\n    objective: " + objective + "\n    window: " + window + "\n    sli: " + sli + "\n"
}

const goodSLI = `{events: {total: 'x_total', bad: 'x_total{code="500"}'}}`

// yamlProbes feed the reader of files what breaks readers of YAML.
func yamlProbes() (all []probe) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for n := range 8 {
		bomb += fmt.Sprintf("%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", 'b'+n, 'b'+n, 'a'+n, 'a'+n, 'a'+n, 'a'+n, 'a'+n, 'a'+n, 'a'+n, 'a'+n, 'a'+n)
	}
	head := "version: slowburn/v1\nservice: shop\nslos: "
	for _, p := range []struct {
		name, text string
		input      int
	}{
		{"nine levels of aliases", "version: slowburn/v1\n" + bomb, 61},
		{"an anchor that holds itself", head + "&a [*a]\n", 62},
		{"100,000 brackets", head + strings.Repeat("[", 100_000), 63},
		{"100,000 question marks", head + strings.Repeat("? ", 100_000), 63},
		{"!!binary", head + "!!binary aGVsbG8=\n", 64},
		{"!!python/object", head + "!!python/object/apply:os.system [id]\n", 64},
		{"a merge key", head + "[{<<: {name: a}}]\n", 64},
		{"the same key twice", "version: slowburn/v1\nservice: shop\nservice: other\nslos: []\n", 65},
		{"two megabytes", "# " + strings.Repeat("x", 2<<20), 61},
	} {
		all = append(all, probe{door: "yaml", name: p.name + " is refused in time", inputs: []int{p.input}, try: refused(checked{files: map[string]string{"slos/a.yaml": p.text}}, "slos/a.yaml")})
	}
	for _, o := range []string{"yes", "no", "0o17", "1_000", "'99,9'", "NaN", ".inf", "100", "0", "-1", "101", "99.99999999999", "~", "[99]", "{a: 1}", "''"} {
		all = append(all, probe{door: "yaml", name: "an objective of " + o + " is refused", inputs: []int{65}, try: refused(checked{files: map[string]string{"slos/a.yaml": sloOf(o, "28d", goodSLI)}}, place)})
	}
	for _, w := range []string{"0s", "-1h", "1y", "30D", "''", "[]", "1e9d", "99999d"} {
		all = append(all, probe{door: "yaml", name: "a window of " + w + " is refused", inputs: []int{66}, try: refused(checked{files: map[string]string{"slos/a.yaml": sloOf("99", w, goodSLI)}}, place)})
	}
	return all
}

// promqlProbes write expressions that read, cost or make up too much.
func promqlProbes() (all []probe) {
	events := func(bad string) string {
		return fmt.Sprintf("{events: {total: 'sum(increase(x_total[$window]))', bad: %q}}", bad)
	}
	for _, p := range []struct {
		name, query string
		input       int
	}{
		{"a comment that hides the rest", "sum(increase(x_total[$window])) # hidden", 44},
		{"every metric there is", `sum(increase({__name__=~".+"}[$window]))`, 41},
		{"a join of every metric", `sum(increase(x_total[$window])) + 0*count({__name__=~".+"} * on() group_right {__name__=~".+"})`, 41},
		{"steps of a millisecond", "sum(max_over_time(x_total[$window:1ms]))", 43},
		{"a day in steps of a millisecond", "sum(max_over_time(x_total[1d:1ms]))", 43},
		{"a year in steps of a second", "sum(max_over_time(x_total[1y:1s]))", 43},
		{"ten years", "sum(increase(x_total[10y]))", 42},
		{"events out of nothing", "sum(increase(x_total[$window])) or on() vector(1e9)", 41},
		{"a number beyond all", "sum(increase(x_total[$window])) * 1e308", 41},
		{"a scalar", "scalar(x_total)", 40},
		{"a text", `"x"`, 40},
		{"a range", "x_total[5m]", 40},
		{"vector(1)", "vector(1)", 41},
		{"absent", "absent(x_total)", 41},
		{"1/0", "1/0", 41},
		{"a template", "{{ .Secret }}", 45},
		{"nothing but spaces", "   ", 40},
		{"a thousand brackets", strings.Repeat("(", 1000) + "x" + strings.Repeat(")", 1000), 40},
		{"9 kB", `sum(increase(x_total{a="` + strings.Repeat("x", 9000) + `"}[$window]))`, 40},
		{"a quote that breaks out", `x_total{a="b"} or vector(1) or x{a="`, 35},
	} {
		all = append(all, probe{door: "promql", name: p.name + " is refused", inputs: []int{p.input}, try: refused(checked{files: map[string]string{"slos/a.yaml": sloOf("99", "28d", events(p.query))}}, place)})
	}
	for _, label := range []string{"__name__", "''", "le"} {
		all = append(all, probe{door: "promql", name: "a budget for each value of " + label + " is refused", inputs: []int{38}, try: refused(checked{files: map[string]string{"slos/a.yaml": sloOf("99", "28d", goodSLI) + "    by: [" + label + "]\n"}}, place)})
	}
	return append(all, probe{door: "promql", name: "names as of UTF-8 metrics are read as what they are", inputs: []int{38, 39}, try: func(ctx context.Context, c *camp) error {
		out, code, err := checked{files: map[string]string{"slos/a.yaml": sloOf("99", "28d", `{events: {total: '{"a b\"} or vector(1)"}', bad: '{"a b\"} or vector(1)", code="500"}'}}`)}}.check(ctx, c)
		if err == nil && (code < 0 || strings.Contains(out, "panic")) {
			err = errors.New(out)
		}
		return err
	}})
}

// fileProbes put something else where a file should be.
func fileProbes() (all []probe) {
	const secret = "CANARY-of-the-host-99"
	link := func(to string) func(string) error {
		return func(dir string) error {
			if err := os.WriteFile(filepath.Join(dir, "secret"), []byte(secret+"\npassword: "+secret+"\n"), 0o600); err != nil {
				return err
			}
			return os.Symlink(to, filepath.Join(dir, "slos", "a.yaml"))
		}
	}
	fifo := func(name string) func(string) error {
		return func(dir string) error { return syscall.Mkfifo(filepath.Join(dir, name), 0o600) }
	}
	some := map[string]string{"slos/.keep": ""}
	for _, p := range []struct {
		name string
		k    checked
	}{
		{"a link to a secret", checked{some, link("../secret")}},
		{"a link to /etc/shadow", checked{some, link("/etc/shadow")}},
		{"a link to the environment", checked{some, link("/proc/self/environ")}},
		{"a link to the kernel's log", checked{some, link("/proc/kmsg")}},
		{"a link to /dev/zero", checked{some, link("/dev/zero")}},
		{"a link to itself", checked{some, link("a.yaml")}},
		{"a pipe", checked{some, fifo("slos/a.yaml")}},
		{"a configuration that is a pipe", checked{nil, fifo("slowburn.yaml")}},
		{"a configuration that is /dev/zero", checked{nil, func(dir string) error { return os.Symlink("/dev/zero", filepath.Join(dir, "slowburn.yaml")) }}},
		{"a template that is /dev/zero", checked{map[string]string{"slowburn.yaml": "slos: [slos/]\npostmortems: {path: p/, template: t.md}\n", "slos/a.yaml": sloOf("99", "28d", goodSLI)}, func(dir string) error { return os.Symlink("/dev/zero", filepath.Join(dir, "t.md")) }}},
		{"/etc/shadow among the SLOs", checked{map[string]string{"slowburn.yaml": "slos: [slos/, ../../../../../../etc/shadow]\n", "slos/a.yaml": sloOf("99", "28d", goodSLI)}, nil}},
	} {
		all = append(all, probe{door: "files", name: p.name + " is not read", inputs: []int{67}, try: func(ctx context.Context, c *camp) error {
			out, code, err := p.k.check(ctx, c)
			switch {
			case err != nil:
				return err
			case strings.Contains(out, secret) || strings.Contains(out, "root:") || strings.Contains(out, "HOME="):
				return errors.New("shows it: " + out)
			case code == 0:
				return errors.New("taken: " + out)
			}
			return nil
		}})
	}
	return append(all,
		probe{door: "files", name: "a mounted ConfigMap and a checkout are read", try: mounted},
		probe{door: "files", name: "a review that is /dev/zero is named, and the daemon lives", inputs: []int{67}, try: reviewOfZeroes},
		probe{door: "files", name: "a review that is dear to parse is named, and the daemon lives", try: dearReview},
		probe{door: "files", name: "the store is readable by its user alone", try: func(ctx context.Context, c *camp) error {
			own, err := c.castle(ctx, "bank")
			if err != nil {
				return err
			}
			return onlyOurs(own, "data", "data/slowburn.db")
		}},
	)
}

// mounted lays out a folder as Kubernetes does, and as git does beside it.
func mounted(ctx context.Context, c *camp) error {
	version := "slos/..2026_11_29_10_00_00.1234"
	out, code, err := checked{map[string]string{version + "/shop.yaml": sloOf("99", "28d", goodSLI), "slos/.git/config": "[core]", "slos/.github/workflows/ci.yml": "on: push"}, func(dir string) error {
		return errors.Join(os.Symlink("..2026_11_29_10_00_00.1234", filepath.Join(dir, "slos", "..data")), os.Symlink("..data/shop.yaml", filepath.Join(dir, "slos", "shop.yaml")))
	}}.check(ctx, c)
	if err == nil && code != 0 {
		err = errors.New(out)
	}
	return err
}

// review puts a file among the reviews of the bank and waits until its log names it.
func review(ctx context.Context, c *camp, name string, put func(path string) error) error {
	own, err := c.castle(ctx, "bank")
	if err != nil {
		return err
	}
	path := filepath.Join(own.dir, "postmortems", name)
	if err := put(path); err != nil {
		return err
	}
	defer os.Remove(path)
	if a, err := own.do(ctx, headToken, "/-/reload", nil); err != nil || a.status != 200 {
		return fmt.Errorf("the reload is answered %d: %s (%v)", a.status, a.body, err)
	}
	a, err := own.get(ctx, "/-/healthy")
	if err != nil {
		return err
	}
	return oneOf(a, 200)
}

func reviewOfZeroes(ctx context.Context, c *camp) error {
	return review(ctx, c, "zero.md", func(path string) error { return os.Symlink("/dev/zero", path) })
}

func dearReview(ctx context.Context, c *camp) error {
	return review(ctx, c, "dear.md", func(path string) error {
		return os.WriteFile(path, []byte("---\nid: shop/availability/page/1\n---\n"+strings.Repeat("> ", 100_000)), 0o600)
	})
}

package integration_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/slowburn-sre/slowburn/integration/servers"
)

// A browser loads every kind of page, wide and light, narrow and dark. It may complain about
// nothing, ask nobody else for anything, and never has to scroll sideways. SLOWBURN_SCREENSHOTS
// names a folder for pictures, of all variants then.
func TestPagesInABrowser(t *testing.T) {
	ctx := browser(t)
	pages := shopPages(t)
	var host string
	for _, address := range pages {
		u, err := url.Parse(address)
		must(t, err)
		host = u.Host
	}
	var mu sync.Mutex
	var complaints []string
	complain := func(text string) {
		mu.Lock()
		defer mu.Unlock()
		complaints = append(complaints, text)
	}
	must(t, chromedp.Listen(ctx, func(ev any) {
		switch ev := ev.(type) {
		case *cdpruntime.EventExceptionThrown:
			complain("exception: " + ev.ExceptionDetails.Text)
		case *cdpruntime.EventConsoleAPICalled:
			complain(fmt.Sprint("console: ", ev.Args))
		case *cdplog.EventEntryAdded:
			if ev.Entry.URL != pages["error"] { // which is not found
				complain(ev.Entry.Text + " " + ev.Entry.URL)
			}
		case *network.EventRequestWillBeSent:
			if !strings.HasPrefix(ev.Request.URL, "http://"+host+"/") {
				complain("asks for " + ev.Request.URL)
			}
		}
	}))
	_, err := chromedp.Call(ctx, cdplog.Enable, cdp.Empty{})
	must(t, err)
	_, err = chromedp.Call(ctx, network.Enable, network.EnableParams{})
	must(t, err)
	pictures := os.Getenv("SLOWBURN_SCREENSHOTS") != ""
	for name, address := range pages {
		if !pictures && !slices.Contains([]string{"overview", "slo-hostile", "incident-open", "service", "report", "status", "changes", "draft", "approvals", "error"}, name) {
			continue // the kinds of page are enough; the rest are their variants
		}
		look(ctx, t, address, name, 1280, "light")
		look(ctx, t, address, name, 390, "dark")
	}
	mu.Lock()
	defer mu.Unlock()
	slices.Sort(complaints)
	for _, c := range slices.Compact(complaints) {
		t.Error(c)
	}
}

// shopPages serves the pages that the tests of internal/web look at, with the hostile ones among
// them, from the test binary of that package: its TestServeTheShop prints their addresses and
// serves them until its input is closed.
func shopPages(t *testing.T) map[string]string {
	t.Helper()
	binary := filepath.Join(workDir, "web.test")
	if out, err := exec.Command("go", "test", "-C", root, "-c", "-o", binary, "./internal/web").CombinedOutput(); err != nil {
		t.Fatalf("build the tests of internal/web: %v\n%s", err, out)
	}
	cmd := exec.Command(binary, "-test.run=^TestServeTheShop$")
	cmd.Dir, cmd.Stderr, cmd.Env = filepath.Join(root, "internal", "web"), os.Stderr, append(os.Environ(), "SLOWBURN_SERVE=1")
	stdin, err := cmd.StdinPipe()
	must(t, err)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	must(t, err)
	var pages map[string]string
	must(t, json.Unmarshal(line, &pages))
	return pages
}

// outsideTheBar finds what can be seen of the bar of an incident and is not in it, or not on the
// first screen.
const outsideTheBar = `[...document.querySelectorAll("form.bar")].flatMap(bar => {
	const edge = bar.getBoundingClientRect();
	return [...bar.querySelectorAll("button, input, summary, .who")].filter(node => {
		const r = node.getBoundingClientRect();
		return node.checkVisibility() && (r.top < edge.top - 1 || r.bottom > edge.bottom + 1 || r.bottom > innerHeight);
	}).map(node => node.outerHTML.slice(0, 100));
})`

// higherThan finds the budgets of the overview that take more than so much of the screen.
const higherThan = `[...document.querySelectorAll("table.ov tbody tr:not(.grp)")].map(row => [row.getBoundingClientRect().height, row.innerText.slice(0, 60)])
	.filter(([high]) => high > %d).map(([high, text]) => high + " px: " + text)`

// look loads a page at a width and in a colour scheme.
func look(ctx context.Context, t *testing.T, address, name string, width int64, scheme string) {
	t.Helper()
	_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	must(t, err)
	must(t, chromedp.Do(ctx, chromedp.EmulateViewport(width, 900), chromedp.Navigate(address)))
	wide, err := chromedp.Run(ctx, chromedp.Evaluate[int64](`document.documentElement.scrollWidth`))
	must(t, err)
	if wide > width {
		t.Errorf("%s at %d px is %d px wide", name, width, wide)
	}
	if strings.HasPrefix(name, "overview") {
		least := map[bool]int64{true: 96, false: 40}[width < 700]
		high, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](fmt.Sprintf(higherThan, least)))
		must(t, err)
		for _, h := range high {
			t.Errorf("%s at %d px: a budget is higher than %d px: %s", name, width, least, h)
		}
	}
	outside, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](outsideTheBar))
	must(t, err)
	for _, o := range outside {
		t.Errorf("%s at %d px: what is to be done is not on the first screen, or outside of its bar: %s", name, width, o)
	}
	accessible(ctx, t, name)
	if dir := os.Getenv("SLOWBURN_SCREENSHOTS"); dir != "" {
		picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d-%s.png", name, width, scheme)), picture, 0o600))
	}
}

// accessible runs the axe rules on the page that is shown, if SLOWBURN_AXE names the script. What
// they find, of any level, fails the test.
func accessible(ctx context.Context, t *testing.T, name string) {
	t.Helper()
	path := os.Getenv("SLOWBURN_AXE")
	if path == "" {
		if os.Getenv("SLOWBURN_CI") != "" {
			t.Fatal("SLOWBURN_AXE does not name axe.min.js, and SLOWBURN_CI wants it")
		}
		return
	}
	script, err := os.ReadFile(path)
	must(t, err)
	findings, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](string(script)+`;
		axe.run().then(r => r.violations
			.flatMap(v => v.nodes.map(n => v.id + ": " + v.help + " " + n.html.slice(0, 200))))`, chromedp.EvalAwaitPromise))
	must(t, err)
	for _, f := range findings {
		t.Errorf("%s is not accessible: %s", name, f)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// browser starts a headless browser, or skips the test where there is none.
func browser(t *testing.T) context.Context {
	t.Helper()
	found := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			found = path
			break
		}
	}
	if found == "" {
		servers.Missing(t, "no browser in PATH")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(found), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

package web

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// A browser loads every page, wide and narrow, light and dark. It may complain about nothing, ask nobody
// else for anything, and never has to scroll sideways. SLOWBURN_SCREENSHOTS names a folder for pictures.
func TestPagesInABrowser(t *testing.T) {
	ctx := browser(t)
	s := newShop(t)
	srv := httptest.NewServer(s.handler())
	t.Cleanup(srv.Close)
	var mu sync.Mutex
	var complaints []string
	complain := func(text string) {
		mu.Lock()
		defer mu.Unlock()
		complaints = append(complaints, text)
	}
	chromedp.ListenTarget(ctx, func(ev any) {
		switch ev := ev.(type) {
		case *cdpruntime.EventExceptionThrown:
			complain(ev.ExceptionDetails.Error())
		case *cdpruntime.EventConsoleAPICalled:
			complain(fmt.Sprint("console: ", ev.Args))
		case *cdplog.EventEntryAdded:
			complain(ev.Entry.Text + " " + ev.Entry.URL)
		case *network.EventRequestWillBeSent:
			if !strings.HasPrefix(ev.Request.URL, srv.URL) {
				complain("asks for " + ev.Request.URL)
			}
		}
	})
	for name, path := range s.pagePaths(t) {
		for _, width := range []int64{1280, 390} {
			for _, scheme := range []string{"light", "dark"} {
				var scroll, wide int64
				var picture []byte
				err := chromedp.Run(ctx,
					cdplog.Enable(), network.Enable(),
					emulation.SetDeviceMetricsOverride(width, 900, 1, width < 500),
					emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
					chromedp.Navigate(srv.URL+path),
					chromedp.Evaluate(`document.documentElement.scrollWidth`, &scroll),
					chromedp.Evaluate(`document.documentElement.clientWidth`, &wide),
					chromedp.FullScreenshot(&picture, 100),
				)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if scroll > wide {
					t.Errorf("%s at %d px is %d px wide", name, width, scroll)
				}
				if dir := os.Getenv("SLOWBURN_SCREENSHOTS"); dir != "" {
					if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d-%s.png", name, width, scheme)), picture, 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for _, c := range complaints {
		t.Error(c)
	}
}

// browser starts a headless browser, or skips the test where there is none.
func browser(t *testing.T) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser takes its time")
	}
	found := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			found = path
			break
		}
	}
	switch {
	case found == "" && os.Getenv("SLOWBURN_CI") != "":
		t.Fatal("there is no browser, and SLOWBURN_CI wants one")
	case found == "":
		t.Skip("there is no browser")
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

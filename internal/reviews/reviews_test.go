package reviews

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/postmortem"
)

// monday is a Monday, ten o'clock UTC.
var monday = time.Date(2026, 11, 16, 10, 0, 0, 0, time.UTC)

// world is a keeper with a desk around it: what it is told, and what it says.
type world struct {
	*Keeper
	incidents []alerting.Incident
	required  map[string]bool
	drafts    int
	said      map[string]Word
	order     []string
	failTell  error
}

func newWorld(t *testing.T) *world {
	folder := filepath.Join(t.TempDir(), "postmortems")
	w := &world{required: map[string]bool{}, said: map[string]Word{}}
	w.Keeper = &Keeper{
		Folder:    func() string { return folder },
		Zone:      func() *time.Location { return nil },
		Incidents: func(context.Context, time.Time) ([]alerting.Incident, error) { return w.incidents, nil },
		Judge: func(i alerting.Incident) (postmortem.Verdict, bool) {
			return postmortem.Verdict{Required: w.required[i.ID]}, true
		},
		Draft: func(_ context.Context, i alerting.Incident) (string, error) {
			w.drafts++
			return fmt.Sprintf("---\nid: %q\nstatus: draft\nresolved: %s\n---\n\n# Draft\n", i.ID, i.Resolved.Format(time.RFC3339)), nil
		},
		Tell: func(_ context.Context, word Word) error {
			if w.failTell != nil {
				return w.failTell
			}
			if _, known := w.said[word.Key]; !known {
				w.said[word.Key] = word
				w.order = append(w.order, word.Key)
			}
			return nil
		},
		Log: slog.New(slog.DiscardHandler),
	}
	return w
}

func (w *world) happen(id string, resolved time.Time, required bool) alerting.Incident {
	i := alerting.Incident{ID: id, SLO: "shop/pay", Onset: resolved.Add(-time.Hour), Detected: resolved.Add(-50 * time.Minute), Resolved: resolved}
	w.incidents = append(w.incidents, i)
	w.required[id] = required
	return i
}

func (w *world) pass(t *testing.T, now time.Time) {
	t.Helper()
	if err := w.Pass(context.Background(), now); err != nil {
		t.Fatal(err)
	}
}

func (w *world) edit(t *testing.T, f func(string) string) {
	t.Helper()
	path := w.Reviews()[0].File
	data, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, []byte(f(string(data))), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestADraftIsWrittenOnceAndThenBelongsToPeople(t *testing.T) {
	w := newWorld(t)
	w.happen(`shop/pay{route="/a"}/page/1`, monday, true)
	w.happen("shop/pay/page/2", monday, false)
	w.pass(t, monday.Add(time.Minute))
	all := w.Reviews()
	if len(all) != 1 || all[0].Incident != `shop/pay{route="/a"}/page/1` || filepath.Base(all[0].File) != "2026-11-16-shop-pay-route-a-page-1.md" {
		t.Fatalf("reviews: %+v", all)
	}
	w.edit(t, func(s string) string { return strings.Replace(s, "status: draft", "status: in review", 1) })
	w.pass(t, monday.Add(2*time.Minute))
	if w.drafts != 1 || w.Reviews()[0].Status != postmortem.StatusInReview {
		t.Errorf("%d drafts; the review is %+v", w.drafts, w.Reviews()[0])
	}
	if len(w.order) != 1 || w.said[w.order[0]].Required == nil || w.said[w.order[0]].By.Format(time.DateOnly) != "2026-11-23" {
		t.Errorf("said: %+v", w.said)
	}
}

func TestAnIncidentThatCrossesTheLineLateIsDraftedThen(t *testing.T) {
	w := newWorld(t)
	i := w.happen("shop/pay/page/1", monday, false)
	w.pass(t, monday.Add(time.Minute))
	if len(w.Reviews()) != 0 {
		t.Fatal("drafted too early")
	}
	w.required[i.ID] = true
	w.pass(t, monday.Add(time.Hour))
	if len(w.Reviews()) != 1 || len(w.order) != 1 {
		t.Errorf("reviews %v, said %v", w.Reviews(), w.order)
	}
}

func TestAMovedFileIsStillTheReview(t *testing.T) {
	w := newWorld(t)
	w.happen("shop/pay/page/1", monday, true)
	w.pass(t, monday)
	old := w.Reviews()[0].File
	moved := filepath.Join(w.Folder(), "2026", "payments-outage.md")
	if err := errors.Join(os.Mkdir(filepath.Dir(moved), 0o755), os.Rename(old, moved)); err != nil {
		t.Fatal(err)
	}
	w.pass(t, monday.Add(time.Hour))
	if all := w.Reviews(); w.drafts != 1 || len(all) != 1 || all[0].File != moved {
		t.Errorf("%d drafts: %+v", w.drafts, all)
	}
}

func TestFilesThatAreNotOfTheFolderAreNamedAndTheOthersRead(t *testing.T) {
	w := newWorld(t)
	if err := os.MkdirAll(w.Folder(), 0o700); err != nil {
		t.Fatal(err)
	}
	put := func(name, text string) {
		if err := os.WriteFile(filepath.Join(w.Folder(), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const front = "---\nid: \"%s\"\nstatus: draft\n---\n"
	put("good.md", fmt.Sprintf(front, "a"))
	put("long.md", fmt.Sprintf(front, "b")+strings.Repeat("x\n", 200_000))
	put("nested.md", fmt.Sprintf(front, "c")+strings.Repeat("> ", 5000))
	put("signs.md", fmt.Sprintf(front, "d")+strings.Repeat("*a_ [a](\n", 10_000))
	if err := os.WriteFile(filepath.Join(w.Folder(), "..", "outside"), []byte(fmt.Sprintf(front, "e")), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"zero.md": "/dev/zero", "out.md": "../outside"} {
		if err := os.Symlink(to, filepath.Join(w.Folder(), name)); err != nil {
			t.Fatal(err)
		}
	}
	err := w.Look()
	for _, want := range []string{"zero.md: is a link", "out.md: is a link", "long.md: is larger than", "nested.md: line 5 stands in more than 100", "signs.md: the lines before line"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, which does not say %q", err, want)
		}
	}
	if all := w.Reviews(); len(all) != 1 || all[0].Incident != "a" {
		t.Errorf("read %+v", all)
	}
	if text, ok := w.File("a"); !ok || !strings.Contains(text, "status: draft") {
		t.Errorf("the file of a is %q", text)
	}
	put("good.md", fmt.Sprintf(front, "a")+strings.Repeat("> ", 5000)) // after it was read
	if _, ok := w.File("a"); ok {
		t.Error("a file that would take long to show is given out")
	}
}

func TestAWordThatCouldNotBeOwedIsSaidLater(t *testing.T) {
	w := newWorld(t)
	w.happen("shop/pay/page/1", monday, true)
	w.failTell = errors.New("disk full")
	if err := w.Pass(context.Background(), monday); err == nil {
		t.Fatal("the failure is hidden")
	}
	w.failTell = nil
	w.pass(t, monday.Add(time.Minute))
	if w.drafts != 1 || len(w.order) != 1 {
		t.Errorf("%d drafts, said %v", w.drafts, w.order)
	}
}

// Killed at any point of a round, the next process does what is missing and nothing twice.
func TestAKillBetweenTheFileAndTheWord(t *testing.T) {
	w := newWorld(t)
	w.happen("shop/pay/page/1", monday, true)
	w.failTell = errors.New("killed")
	_ = w.Pass(context.Background(), monday)
	for range 2 { // the second time the word is owed already
		after := newWorld(t)
		after.Folder, after.incidents, after.required, after.said = w.Folder, w.incidents, w.required, w.said
		after.pass(t, monday.Add(time.Minute))
		if after.drafts != 0 || len(after.said) != 1 || len(after.Reviews()) != 1 {
			t.Errorf("%d drafts, said %v, reviews %v", after.drafts, after.said, after.Reviews())
		}
	}
	if text, ok := w.File("shop/pay/page/1"); !ok || !strings.Contains(text, "# Draft") {
		t.Errorf("the file: %v, %q", ok, text)
	}
}

func TestWhatIsLateIsSaidOnceAWeekOnWorkingDays(t *testing.T) {
	w := newWorld(t)
	w.happen("shop/pay/page/1", monday, true)
	w.pass(t, monday)
	w.order = nil
	for at := monday; at.Before(monday.AddDate(0, 0, 21)); at = at.Add(time.Hour) {
		w.pass(t, at)
	}
	want := []string{"shop/pay/page/1/review/2026-W48", "shop/pay/page/1/review/2026-W49", "shop/pay/page/1/review/2026-W50"}
	if fmt.Sprint(w.order) != fmt.Sprint(want) {
		t.Errorf("said %v, want %v", w.order, want)
	}
	w.edit(t, func(s string) string {
		return strings.Replace(s, "status: draft", "status: closed", 1) +
			"\n## Action items\n\n| What | Owner | Due | Done |\n| --- | --- | --- | --- |\n| Retry | Ada | 2026-12-01 | no |\n| Alert | Ada | 2026-12-01 | yes |\n"
	})
	w.order = nil
	for at := monday.AddDate(0, 0, 21); at.Before(monday.AddDate(0, 0, 28)); at = at.Add(time.Hour) {
		w.pass(t, at)
	}
	if len(w.order) != 1 || len(w.said[w.order[0]].Overdue) != 1 || w.said[w.order[0]].Late {
		t.Errorf("said %v: %+v", w.order, w.said)
	}
}

func TestOtherFilesAreLeftAloneAndBrokenOnesAreNamed(t *testing.T) {
	w := newWorld(t)
	if err := os.MkdirAll(w.Folder(), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"README.md": "# Our postmortems\n", "notes.txt": "---\nid: x\n---\n", ".hidden.md": "---\nid: y\n---\n",
		"broken.md": "---\nid: shop/pay/page/9\nstatus: nearly\n---\n",
	} {
		if err := os.WriteFile(filepath.Join(w.Folder(), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	err := w.Pass(context.Background(), monday)
	if err == nil || !strings.Contains(err.Error(), "broken.md: the status") {
		t.Errorf("the broken file is not named: %v", err)
	}
	if all := w.Reviews(); len(all) != 1 || all[0].Incident != "shop/pay/page/9" {
		t.Errorf("reviews: %+v", all)
	}
}

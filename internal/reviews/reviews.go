// Package reviews keeps postmortems where people work on them: as Markdown files in a folder fit
// for a Git repository.
//
// A draft is written once, as a new file, when the error-budget policy requires it. From then on
// the file belongs to people: slowburn reads status and action items back from it and never writes
// to it again. What is late is said in the incident's thread, once a week.
//
// Keeper.Pass is one round of all that. It may be repeated at any time and after any crash: a file
// that is there is not written again, and a message is owed under a key that is its only copy.
package reviews

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/folder"
	"github.com/slowburn-sre/slowburn/internal/markdown"
	"github.com/slowburn-sre/slowburn/postmortem"
	"github.com/slowburn-sre/slowburn/slo"
)

// Keeper keeps the reviews of one folder. All fields are needed.
type Keeper struct {
	// Folder returns where the files are; "" keeps none: what is required is told, and drafted on
	// demand. Zone returns that of working days; nil is UTC.
	Folder func() string
	Zone   func() *time.Location
	// Incidents lists the incidents that were resolved since a time; Judge applies the policy to
	// one, and is false if its SLO is gone; Draft writes its postmortem.
	Incidents func(ctx context.Context, since time.Time) ([]alerting.Incident, error)
	Judge     func(alerting.Incident) (postmortem.Verdict, bool)
	Draft     func(context.Context, alerting.Incident) (string, error)
	// Tell owes a message. One whose key is known is passed over.
	Tell func(context.Context, Word) error
	Log  *slog.Logger

	mu      sync.RWMutex
	reviews []postmortem.Review
	told    map[string]bool // keys of words that were owed since the start
}

// Word is something to say about a review, in the thread of its incident.
type Word struct {
	Key      string
	Incident alerting.Incident
	Required *postmortem.Verdict // the policy requires a review, and a draft is ready
	File     string              // of the review, "" if there is none
	By       time.Time           // until when it should be reviewed
	Late     bool                // the draft is older than that
	Overdue  []postmortem.Action
}

// lookBack is how long after its end an incident may still come to require a review, because late
// data were counted.
const lookBack = 28 * slo.Day

// Reviews returns the reviews as they were last read, newest incident first.
func (k *Keeper) Reviews() []postmortem.Review {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return slices.Clone(k.reviews)
}

// File returns the review of an incident as it stands, and false if there is none.
func (k *Keeper) File(incident string) (text string, ok bool) {
	for _, r := range k.Reviews() {
		if r.Incident == incident {
			data, err := k.open(r.File)
			return string(data), err == nil // it may have been moved since; the next round finds it
		}
	}
	return "", false
}

// Run makes a round at once, and then whenever it is due, until ctx ends.
func (k *Keeper) Run(ctx context.Context, now func() time.Time, due <-chan struct{}) error {
	for {
		if err := k.Pass(ctx, now()); err != nil && ctx.Err() == nil {
			k.Log.Error("postmortems: not everything could be done; it is tried again", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-due:
		}
	}
}

// Pass reads the folder, drafts what is required and missing, and says what is late. One round at a
// time.
func (k *Keeper) Pass(ctx context.Context, now time.Time) error {
	all, problems := k.read()
	known := map[string]postmortem.Review{}
	for _, r := range all {
		known[r.Incident] = r
	}
	incidents, err := k.Incidents(ctx, now.Add(-lookBack))
	if err != nil {
		return errors.Join(append(problems, err)...)
	}
	for _, i := range incidents {
		_, drafted := known[i.ID]
		if err := k.require(ctx, i, drafted); err != nil {
			problems = append(problems, fmt.Errorf("postmortem of %s: %w", i.ID, err))
		}
	}
	all, _ = k.read() // with the new drafts; what is wrong was told above
	k.mu.Lock()
	k.reviews = all
	k.mu.Unlock()
	return errors.Join(append(problems, k.remind(ctx, all, incidents, now)...)...)
}

// Look reads the folder, and writes and tells nothing: another process does.
func (k *Keeper) Look() error {
	all, problems := k.read()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reviews = all
	return errors.Join(problems...)
}

// require drafts and tells what the policy requires.
func (k *Keeper) require(ctx context.Context, i alerting.Incident, drafted bool) error {
	if i.Open || i.Resolved.IsZero() {
		return nil
	}
	verdict, ok := k.Judge(i)
	if !ok || !verdict.Required {
		return nil
	}
	file := ""
	if where := k.Folder(); where != "" {
		file = fileIn(where, i)
	}
	if !drafted && file != "" {
		text, err := k.Draft(ctx, i)
		if err != nil {
			return err
		}
		if err := write(file, text); err != nil {
			return err
		}
	}
	return k.tell(ctx, Word{Key: i.ID + "/postmortem", Incident: i, Required: &verdict, File: file, By: postmortem.NextReview(i.Resolved, k.zone())})
}

// tell owes a word, once.
func (k *Keeper) tell(ctx context.Context, w Word) error {
	if k.told[w.Key] {
		return nil
	}
	if err := k.Tell(ctx, w); err != nil {
		return err
	}
	if k.told == nil {
		k.told = map[string]bool{}
	}
	k.told[w.Key] = true
	return nil
}

// remind says what is late, once per incident and week, on a working day after nine.
func (k *Keeper) remind(ctx context.Context, all []postmortem.Review, incidents []alerting.Incident, now time.Time) []error {
	local := now.In(k.zone())
	if d := local.Weekday(); d == time.Saturday || d == time.Sunday || local.Hour() < 9 {
		return nil
	}
	year, week := local.ISOWeek()
	var problems []error
	for _, r := range all {
		w := Word{Key: fmt.Sprintf("%s/review/%d-W%02d", r.Incident, year, week), Incident: incidentOf(r, incidents), File: r.File}
		w.By = postmortem.NextReview(r.Resolved, k.zone())
		w.Late = r.Status == postmortem.StatusDraft && !r.Resolved.IsZero() && now.After(w.By.AddDate(0, 0, 1))
		for _, a := range r.Actions {
			if a.Overdue(now) {
				w.Overdue = append(w.Overdue, a)
			}
		}
		if w.Late || len(w.Overdue) > 0 {
			problems = append(problems, k.tell(ctx, w))
		}
	}
	return problems
}

// incidentOf returns the incident of a review; of one that is long over, what the file says of it.
func incidentOf(r postmortem.Review, incidents []alerting.Incident) alerting.Incident {
	if n := slices.IndexFunc(incidents, func(i alerting.Incident) bool { return i.ID == r.Incident }); n >= 0 {
		return incidents[n]
	}
	return alerting.Incident{ID: r.Incident, SLO: r.SLO, Resolved: r.Resolved}
}

func (k *Keeper) zone() *time.Location {
	if zone := k.Zone(); zone != nil {
		return zone
	}
	return time.UTC
}

// fileIn returns where the review of an incident is written: the day, the budget and the time it
// began, as a name that any file system takes.
func fileIn(where string, i alerting.Incident) string {
	const most = 150
	name := strings.Join(strings.FieldsFunc(i.ID, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_')
	}), "-")
	name = name[max(len(name)-most, 0):] // the end tells incidents apart
	return filepath.Join(where, i.Detected.UTC().Format(time.DateOnly)+"-"+name+".md")
}

// write makes a file that is whole or not there at all, and leaves one that exists as it is. Who
// else may read it the umask says.
func write(path, text string) error {
	where := filepath.Dir(path)
	if err := os.MkdirAll(where, 0o755); err != nil {
		return err
	}
	draft := filepath.Join(where, ".draft-"+rand.Text())
	f, err := os.OpenFile(draft, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer os.Remove(draft)
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(draft, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// read reads every review of the folder and of the folders in it, newest first. Other Markdown
// files, such as a README, have no front matter that names an incident and are passed over. A file
// that cannot be read keeps no other from being read.
func (k *Keeper) read() (all []postmortem.Review, problems []error) {
	where := k.Folder()
	if where == "" {
		return nil, nil
	}
	in, err := folder.Open(where)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil // the first draft makes the folder
		}
		return nil, []error{fmt.Errorf("%s: %w", where, err)}
	}
	defer in.Close()
	names, err := in.Walk(func(name string) bool { return filepath.Ext(name) == ".md" })
	if err != nil {
		problems = append(problems, fmt.Errorf("%s: %w", where, err))
	}
	for _, name := range names {
		r, wrong := readFile(in, name)
		for _, w := range wrong {
			problems = append(problems, fmt.Errorf("%s: %w", in.Path(name), w))
		}
		if r.Incident != "" {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b postmortem.Review) int {
		return cmp.Or(b.Resolved.Compare(a.Resolved), cmp.Compare(a.Incident, b.Incident))
	})
	return all, problems
}

// readFile reads a review. A file that names no incident is none, whatever else is wrong with it.
func readFile(in *folder.Folder, name string) (postmortem.Review, []error) {
	data, err := in.Read(name, markdown.MaxSize)
	if err != nil {
		return postmortem.Review{}, []error{err}
	}
	if !bytes.Contains(data, []byte("\nid:")) {
		return postmortem.Review{}, nil
	}
	r, wrong := postmortem.ReadReview(data)
	r.File = in.Path(name)
	return r, wrong
}

// open reads the file of a review once more.
func (k *Keeper) open(path string) ([]byte, error) {
	where := k.Folder()
	name, err := filepath.Rel(where, path)
	if err != nil {
		return nil, err
	}
	in, err := folder.Open(where)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	data, err := in.Read(name, markdown.MaxSize)
	if err == nil {
		err = markdown.Check(data) // it may have been written since it was read
	}
	return data, err
}

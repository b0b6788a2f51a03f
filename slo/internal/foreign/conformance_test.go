package foreign_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slowburn-sre/slowburn/slo/file"
	"github.com/slowburn-sre/slowburn/slo/openslo"
	"github.com/slowburn-sre/slowburn/slo/pyrra"
	"github.com/slowburn-sre/slowburn/slo/sloth"
)

// readers returns all foreign formats, as strict as the reference tools.
func readers() []file.Reader {
	return []file.Reader{sloth.Reader(sloth.Options{}), pyrra.Reader(), openslo.Reader(openslo.Options{})}
}

// differences are the files about which slowburn and the reference tool disagree, with what
// slowburn says and why that is better. Each is described in docs/formats.md.
var differences = map[string]struct{ says, because string }{
	"sloth/alert-camel-typo.yaml": {`unknown key "ticketAlert"`, "Sloth ignores the key, so the ticket that was to be disabled stays on."},
	"sloth/unknown-key.yaml":      {`unknown key "windwo"`, "Sloth ignores the key, so the window that was meant is never used."},
	"sloth/obj-100.yaml":          {"leaves no error budget", "Sloth divides by the budget, which is zero."},
	"sloth/q-by-mismatch.yaml":    {"no alert could ever fire", "The quotient of series with different labels is empty: Sloth's rules load and never say anything."},
	"pyrra/prs-bad.yaml":          {`partial_response_strategy cannot be "maybe"`, "The cluster refuses the value; only Pyrra's file loader takes it."},
	"pyrra/ratio-and-bool.yaml":   {"both ratio and bool_gauge", "Pyrra takes the ratio and drops the gauge without a word."},
	"pyrra/ratio-same.yaml":       {"every event is bad", "Pyrra only warns, but such an SLO is always at 0 %."},
	"pyrra/target-100.yaml":       {"leaves no error budget", "Pyrra's thresholds become 0, and its budget is divided by zero."},
	"openslo/ap-neg.yaml":         {"this would always alert", "Every burn rate is above a negative threshold."},
	"openslo/dur-0d.yaml":         {"a window of 0s", "Nothing can be promised over no time."},
	"openslo/dur-1m.yaml":         {"did you mean 1M?", "m is minutes; a promise over a minute was meant to be one over a month."},
}

// TestVerdictsOfTheReferenceTools compares our verdict about each boundary case in
// testdata/conformance with the recorded one of the tool whose format it is. The cases are small
// files, each on one boundary of a format's rules; expected.tsv holds what Sloth 0.16, Pyrra 0.10
// and the OpenSLO SDK 0.9 said about them.
func TestVerdictsOfTheReferenceTools(t *testing.T) {
	table, err := os.ReadFile("testdata/conformance/expected.tsv")
	if err != nil {
		t.Fatal(err)
	}
	unused := map[string]bool{}
	for name := range differences {
		unused[name] = true
	}
	lines := strings.Split(strings.TrimSpace(string(table)), "\n")[1:]
	for _, line := range lines {
		field := strings.Split(line, "\t")
		name := field[0] + "/" + field[1]
		delete(unused, name)
		t.Run(name, func(t *testing.T) { compare(t, name, field[2] == "valid", line) })
	}
	for name := range unused {
		t.Errorf("the difference about %s is about no case", name)
	}
	found, _ := filepath.Glob("testdata/conformance/*/*.yaml")
	if len(found) != len(lines) || len(lines) < 70 {
		t.Errorf("%d files and %d verdicts", len(found), len(lines))
	}
}

// compare judges one file. A tool of two commands that disagree (generate=0,validate=1) counts as
// refusing, since one of them does.
func compare(t *testing.T, name string, valid bool, verdict string) {
	data, err := os.ReadFile("testdata/conformance/" + name)
	if err != nil {
		t.Fatal(err)
	}
	_, err = file.Load([]file.File{{Name: name, Data: data}}, readers()...)
	difference, listed := differences[name]
	switch agrees := (err == nil) == valid; {
	case agrees && listed:
		t.Errorf("listed as a difference, but there is none: %v", err)
	case !agrees && !listed:
		t.Errorf("slowburn and the reference disagree, and no reason is listed\nreference: %s\nslowburn: %v", verdict, err)
	case listed && (err == nil || !strings.Contains(err.Error(), difference.says) || difference.because == ""):
		t.Errorf("slowburn should say %q\nslowburn: %v", difference.says, err)
	}
}

// TestOneFolderOfAllFormats loads files of every format together, some of them in one file.
func TestOneFolderOfAllFormats(t *testing.T) {
	const native = "version: slowburn/v1\nservice: shop\nslos:\n  - {name: native, objective: 99, sli: {events: {total: a_total, bad: b_total}}}\n"
	read := func(name string) string {
		data, err := os.ReadFile("testdata/conformance/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	mixed := strings.Join([]string{native, read("sloth/two-docs.yaml"), read("pyrra/bool.yaml")}, "---\n")
	files := []file.File{{Name: "mixed.yaml", Data: []byte(mixed)}, {Name: "openslo.yaml", Data: []byte(read("openslo/ok.yaml"))}}
	set, err := file.Load(files, readers()...)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range set.Specs {
		got = append(got, string(s.ID()))
	}
	if want := "default/bool shop/native svc1/a1 svc2/a1 web/ok"; strings.Join(got, " ") != want {
		t.Errorf("%s, want %s", got, want)
	}
	for _, service := range []string{"default", "shop", "svc1", "svc2", "web"} {
		if set.Service(service) == nil {
			t.Errorf("nothing is known about the service %s", service)
		}
	}
	twin := strings.Replace(native, "service: shop", "service: web", 1)
	twin = strings.Replace(twin, "name: native", "name: ok", 1)
	if _, err := file.Load(append(files, file.File{Name: "twin.yaml", Data: []byte(twin)}), readers()...); err == nil || !strings.Contains(err.Error(), "the SLO web/ok exists twice") {
		t.Errorf("a twin in another format: %v", err)
	}
}

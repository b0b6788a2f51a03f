package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"golang.org/x/tools/txtar"

	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/goldentest"
	"github.com/slowburn-sre/slowburn/slo/file"
)

// convertArgs runs convert as its command line would, in the current folder.
func convertArgs(t *testing.T, args ...string) (out, told string, code int) {
	t.Helper()
	var c convertCmd
	parser, err := kong.New(&c, kong.Writers(io.Discard, io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(args); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	e := &env{surroundings: surroundings{out: &stdout, err: &stderr}}
	code = exitCode(c.Run(e), &stderr)
	return stdout.String(), stderr.String(), code
}

// TestConverted converts each folder of the archive by its file `args` and compares what is printed
// and told. UPDATE=1 go test writes it.
func TestConverted(t *testing.T) {
	name, err := filepath.Abs("testdata/convert.txtar")
	if err != nil {
		t.Fatal(err)
	}
	a, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range a.Files {
		folder, file := filepath.Split(f.Name)
		if file != "args" {
			continue
		}
		t.Run(filepath.Clean(folder), func(t *testing.T) {
			t.Chdir(t.TempDir())
			for _, g := range a.Files {
				if dir, name := filepath.Split(g.Name); dir == folder && strings.HasSuffix(name, ".yaml") {
					if err := os.WriteFile(name, g.Data, 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}
			out, told, code := convertArgs(t, strings.Fields(string(f.Data))...)
			for j, got := range []string{out, told + exitWords[code] + "\n"} {
				goldentest.Section(t, &a.Files[i+1+j], got)
			}
		})
	}
	goldentest.Check(t, name, txtar.Format(a))
}

var exitWords = map[int]string{exitGood: "exit: good", exitNo: "exit: no", exitUnknown: "exit: unknown"}

// Every file of the other formats that is read at all can be converted, into SLOs that are the same
// (convert insists on that itself), the same bytes every time; and what is lost is in both outputs.
func TestWhateverIsReadIsConverted(t *testing.T) {
	if raceDetector {
		t.Skip("one goroutine reads all the files")
	}
	t.Chdir("../../slo")
	names := conformance(t)
	converted := 0
	for _, name := range names {
		set, err := config.LoadSLOs([]string{name}, config.Formats(true)...)
		if err != nil || len(set.Specs) == 0 {
			continue
		}
		converted++
		out, told, code := convertArgs(t, name, "--openslo=lenient")
		if code != exitGood {
			t.Errorf("%s: %s", name, told)
		}
		if again, _, _ := convertArgs(t, name, "--openslo=lenient"); again != out {
			t.Errorf("%s is converted in two ways", name)
		}
		for _, m := range regexp.MustCompile(`(?m)^(\S+:\d+):\d+: warning: `).FindAllStringSubmatch(told, -1) {
			if !strings.Contains(out, m[1]) {
				t.Errorf("%s: the output does not tell about %s\n%s", name, m[1], out)
			}
		}
		if _, _, strict := convertArgs(t, name, "--openslo=lenient", "--strict"); (strict == exitNo) != (told != "") {
			t.Errorf("%s: --strict answers %d", name, strict)
		}
		if out, told, code = convertArgs(t, name, "--openslo=lenient", "--to=openslo"); code != exitGood {
			t.Errorf("%s to OpenSLO: %s", name, told)
		}
		if _, err := file.Load([]file.File{{Name: "back.yaml", Data: []byte(out)}}, config.Formats(false)...); err != nil {
			t.Errorf("%s to OpenSLO is refused: %v\n%s", name, err, out)
		}
	}
	if converted < 25 {
		t.Errorf("only %d of %d files were read", converted, len(names))
	}
}

// conformance is the boundary files of the other formats, and what stands in the archives of their
// tests.
func conformance(t *testing.T) []string {
	names, err := filepath.Glob("internal/foreign/testdata/conformance/*/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatal("there are no files", err)
	}
	dir := t.TempDir()
	archives, _ := filepath.Glob("*/testdata/files.txtar")
	for _, archive := range archives {
		a, err := txtar.ParseFile(archive)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range a.Files {
			if !strings.HasSuffix(f.Name, ".yaml") {
				continue
			}
			folder := filepath.Join(dir, strings.ReplaceAll(filepath.Dir(archive), "/", "-"), filepath.Dir(f.Name))
			if err := os.MkdirAll(folder, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(folder, filepath.Base(f.Name)), f.Data, 0o644); err != nil {
				t.Fatal(err)
			}
			names = append(names, folder)
		}
	}
	return slices.Compact(names)
}

func TestFormatNamesAreThoseOfTheReaders(t *testing.T) {
	for i, version := range []string{"prometheus/v1", "pyrra.dev/v1alpha1", "openslo/v1"} {
		if readers := config.Formats(false); len(readers) != len(formatNames) || !readers[i].Recognises(version, "ServiceLevelObjective") {
			t.Errorf("%s is not what %s is recognised by", version, formatNames[i])
		}
	}
}

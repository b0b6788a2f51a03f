// Package goldentest compares what tests make with files; `make golden` writes them anew.
package goldentest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// writes says that files are written and not compared.
var writes = os.Getenv("UPDATE") != ""

// Check fails unless a file has the content; with UPDATE=1 it writes the file.
func Check(t testing.TB, file string, got []byte) {
	t.Helper()
	if writes {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (UPDATE=1 go test writes it)", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (UPDATE=1 go test accepts it), -want +got\n%s", file, diff)
	}
}

// Section fails unless a file of an archive has the content; with UPDATE=1 it changes the section,
// and [Check] of the whole archive writes it.
func Section(t testing.TB, section *txtar.File, got string) {
	t.Helper()
	if writes {
		section.Data = []byte(got)
	} else if diff := cmp.Diff(string(section.Data), got); diff != "" {
		t.Errorf("%s differs (UPDATE=1 go test accepts it), -want +got\n%s", section.Name, diff)
	}
}

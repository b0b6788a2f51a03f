package file

import (
	"flag"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", os.Getenv("UPDATE") != "", "write what the files say instead of comparing it")

// TestWhatIsToldAboutFiles loads each folder of each archive in testdata and compares what is said,
// word by word, with the folder's file `told`: one folder, one mistake.
func TestWhatIsToldAboutFiles(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal("no archives", err)
	}
	for _, name := range archives {
		a, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range a.Files {
			if path.Base(f.Name) != "told" {
				continue
			}
			folder := path.Dir(f.Name)
			t.Run(folder, func(t *testing.T) {
				got := told(filesIn(a, folder))
				if *update {
					a.Files[i].Data = []byte(got)
				} else if diff := cmp.Diff(string(f.Data), got); diff != "" {
					t.Errorf("%s, -want +got\n%s", name, diff)
				}
			})
		}
		if *update {
			if err := os.WriteFile(name, txtar.Format(a), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func filesIn(a *txtar.Archive, folder string) (files []File) {
	for _, f := range a.Files {
		if path.Dir(f.Name) == folder && strings.HasSuffix(f.Name, ".yaml") {
			files = append(files, File{Name: path.Base(f.Name), Data: f.Data})
		}
	}
	return files
}

// told returns everything that Load says about the files.
func told(files []File) string {
	set, err := Load(files)
	if err != nil {
		return err.Error() + "\n"
	}
	if len(set.Warnings) == 0 {
		return "good\n"
	}
	return set.Warnings.Error() + "\n"
}

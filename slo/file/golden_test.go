package file

import (
	"path"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/slowburn-sre/slowburn/internal/goldentest"
)

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
				goldentest.Section(t, &a.Files[i], told(filesIn(a, folder)))
			})
		}
		goldentest.Check(t, name, txtar.Format(a))
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

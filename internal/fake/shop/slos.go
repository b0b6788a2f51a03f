package shop

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed slos/*.yaml
var sloFS embed.FS

// SLOFiles returns the SLO files of the shop by file name (checkout.yaml, …). They are also the
// examples of this repository.
func SLOFiles() map[string]string {
	out := map[string]string{}
	err := fs.WalkDir(sloFS, "slos", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := sloFS.ReadFile(path)
		out[strings.TrimPrefix(path, "slos/")] = string(text)
		return err
	})
	if err != nil {
		panic(err) // the files are part of the binary
	}
	return out
}

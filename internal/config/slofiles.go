package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slowburn-sre/slowburn/internal/folder"
	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
	"github.com/slowburn-sre/slowburn/slo/openslo"
	"github.com/slowburn-sre/slowburn/slo/pyrra"
	"github.com/slowburn-sre/slowburn/slo/sloth"
)

// LoadAll reads the configuration and the files that it names.
func LoadAll(path string) (Config, *slo.Set, error) {
	cfg, err := Load(path)
	if err != nil {
		return cfg, nil, err
	}
	set, err := cfg.LoadSet()
	return cfg, set, err
}

// LoadSet reads the SLO files and the files of corrections that the configuration names: together,
// because corrections name SLOs.
func (c *Config) LoadSet(foreign ...file.Reader) (*slo.Set, error) {
	return loadFrom(slices.Concat(c.SLOs, c.Corrections), c.Abs, c.blame, foreign)
}

// blame returns a problem with a path of slos or corrections, at its line of the configuration.
func (c *Config) blame(path, message, hint string) slo.Problem {
	if at := c.paths[path]; at.Given() {
		if slices.Contains(c.Corrections, path) {
			hint = "write the file, see docs/slo-file.md, or remove the entry"
		}
		return at.Describe(strictyaml.Error, path+": "+message, hint)
	}
	return slo.Problem{File: Shown(c.file), Severity: strictyaml.Error, Hint: hint, Message: fmt.Sprintf("slos is not written, and its default %s cannot be read: %s", path, message)}
}

// LoadSLOs reads the SLO files that the command line names.
func LoadSLOs(paths []string, foreign ...file.Reader) (*slo.Set, error) {
	blame := func(path, message, _ string) slo.Problem { // whoever has just typed it needs no advice
		return slo.Problem{File: Shown(path), Severity: strictyaml.Error, Message: message}
	}
	return loadFrom(paths, func(p string) string { return p }, blame, foreign)
}

// loadFrom reads every SLO file that the paths name: files, folders (all *.yaml and *.yml below)
// and globs. Its error holds every problem of every file, the unreadable ones included; blame puts
// those of a path where it was written.
func loadFrom(paths []string, abs func(string) string, blame func(path, message, hint string) slo.Problem, foreign []file.Reader) (*slo.Set, error) {
	files, problems := readFiles(paths, abs, blame)
	if len(foreign) == 0 {
		foreign = Formats(false)
	}
	set, err := file.Load(files, foreign...)
	var more slo.Problems
	switch {
	case errors.As(err, &more):
		problems = append(problems, more...)
	case err != nil:
		return nil, err
	}
	if err := problems.Sorted().Err(); err != nil {
		return nil, err
	}
	return set, nil
}

// Formats returns the readers of other people's SLO files; lenient puts up with what OpenSLO's own
// examples get wrong.
func Formats(lenient bool) []file.Reader {
	return []file.Reader{sloth.Reader(sloth.Options{}), pyrra.Reader(), openslo.Reader(openslo.Options{Lenient: lenient})}
}

func readFiles(paths []string, abs func(string) string, blame func(path, message, hint string) slo.Problem) ([]file.File, slo.Problems) {
	const advice = "; slowburn suggest --output-dir DIR writes files for what Prometheus has, and docs/slo-file.md describes them"
	var problems slo.Problems
	read := map[string]file.File{} // by path: two entries may name the same file
	for _, p := range paths {
		found, err := look(abs(p), func(in *folder.Folder, name string) {
			path := in.Path(name)
			if _, twice := read[path]; twice {
				return
			}
			data, err := in.Read(name, strictyaml.MaxSize)
			if err != nil {
				problems = append(problems, slo.Problem{File: Shown(path), Severity: strictyaml.Error, Message: err.Error()})
			}
			read[path] = file.File{Name: Shown(path), Data: data}
		})
		switch {
		case errors.Is(err, fs.ErrNotExist):
			problems = append(problems, blame(p, err.Error(), "create it, or name the file or folder where the SLOs are"+advice))
		case err != nil:
			problems = append(problems, blame(p, err.Error(), ""))
		case found == 0 && isPattern(p):
			problems = append(problems, blame(p, "there are no SLO files here: nothing matches the pattern", "* does not reach into folders; a folder is read with everything below it"))
		case found == 0:
			problems = append(problems, blame(p, "there are no SLO files here", "they end with .yaml or .yml"+advice))
		}
	}
	var files []file.File
	for _, path := range slices.Sorted(maps.Keys(read)) {
		if read[path].Data != nil {
			files = append(files, read[path])
		}
	}
	return files, problems
}

// Holds reports whether a file, a folder or a pattern of the configuration stands for any file.
func Holds(path string) (bool, error) {
	found, err := look(path, func(*folder.Folder, string) {})
	return found > 0, err
}

// look opens the folder of what the configuration names, and shows each file that is meant: the
// file itself, those that a pattern matches, or every YAML file below a folder.
func look(path string, show func(in *folder.Folder, name string)) (found int, err error) {
	base, names := path, func(f *folder.Folder) ([]string, error) { return f.Walk(isYAML) }
	if isPattern(path) {
		var pattern string
		base, pattern = cutPattern(path)
		names = func(f *folder.Folder) ([]string, error) { return f.Match(pattern) }
	} else if info, err := os.Stat(path); err == nil && !info.IsDir() {
		var name string
		base, name = filepath.Split(path)
		names = func(*folder.Folder) ([]string, error) { return []string{name}, nil }
	}
	in, err := folder.Open(cmp.Or(base, "."))
	switch {
	case errors.Is(err, fs.ErrNotExist) && isPattern(path):
		return 0, nil
	case err != nil:
		return 0, err
	}
	defer in.Close()
	list, err := names(in)
	for _, name := range list {
		show(in, name)
	}
	return len(list), err
}

func isPattern(path string) bool { return strings.ContainsAny(path, "*?[") }

// cutPattern divides a pattern into the folder that it surely names, and the rest.
func cutPattern(path string) (base, pattern string) {
	slashed := filepath.ToSlash(path)
	end := strings.LastIndexByte(slashed[:strings.IndexAny(slashed, "*?[")], '/') + 1
	return filepath.FromSlash(slashed[:end]), slashed[end:]
}

func isYAML(name string) bool { return slices.Contains([]string{".yaml", ".yml"}, filepath.Ext(name)) }

// Shown returns the name under which a file appears in messages: relative to the working directory
// if it is below it.
func Shown(name string) string {
	wd, err := os.Getwd()
	if err != nil {
		return name
	}
	rel, err := filepath.Rel(wd, name)
	if err != nil || strings.HasPrefix(rel, "..") {
		return name
	}
	return rel
}

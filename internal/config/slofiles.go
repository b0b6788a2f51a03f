package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

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
	var names []string
	for _, p := range paths {
		found, err := Expand(abs(p))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			problems = append(problems, blame(p, err.Error(), "create it, or name the file or folder where the SLOs are"+advice))
		case err != nil:
			problems = append(problems, blame(p, err.Error(), ""))
		case len(found) == 0 && isPattern(p):
			problems = append(problems, blame(p, "there are no SLO files here: nothing matches the pattern", "* does not reach into folders; a folder is read with everything below it"))
		case len(found) == 0:
			problems = append(problems, blame(p, "there are no SLO files here", "they end with .yaml or .yml"+advice))
		}
		names = append(names, found...)
	}
	slices.Sort(names)
	var files []file.File
	for _, name := range slices.Compact(names) {
		data, err := ReadBounded(name)
		if err != nil {
			problems = append(problems, slo.Problem{File: Shown(name), Severity: strictyaml.Error, Message: err.Error()})
			continue
		}
		files = append(files, file.File{Name: Shown(name), Data: data})
	}
	return files, problems
}

// maxFiles bounds what a glob or a folder may bring in by mistake.
const maxFiles = 10_000

// Expand lists the files that a file, a folder or a pattern of the configuration stands for.
func Expand(path string) ([]string, error) {
	if isPattern(path) {
		names, err := filepath.Glob(path)
		if err != nil {
			return nil, fmt.Errorf("the pattern is malformed: %w", err)
		}
		return names, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, unwrapPath(err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	var names []string
	err = filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && isYAML(name) {
			names = append(names, name)
		}
		if len(names) > maxFiles {
			return fmt.Errorf("holds more than %d files", maxFiles)
		}
		return err
	})
	return names, err
}

func isPattern(path string) bool { return strings.ContainsAny(path, "*?[") }

func isYAML(name string) bool {
	ext := filepath.Ext(name)
	return (ext == ".yaml" || ext == ".yml") && !strings.HasPrefix(filepath.Base(name), ".")
}

// ReadBounded reads a regular file no larger than a reader of YAML accepts: not a device, not a
// pipe.
func ReadBounded(name string) ([]byte, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, unwrapPath(err)
	case !info.Mode().IsRegular():
		return nil, errors.New("is not a regular file")
	case info.Size() > strictyaml.MaxSize:
		return nil, fmt.Errorf("is larger than %d bytes", strictyaml.MaxSize)
	}
	data, err := os.ReadFile(name)
	return data, unwrapPath(err)
}

// unwrapPath leaves out the path, which a Problem shows already.
func unwrapPath(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

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

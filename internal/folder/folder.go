// Package folder reads files that somebody else may have put there: SLO files and reviews of a
// repository that many may write to.
//
// A link can lead anywhere, to the secrets of the host or to a device that never ends. So a folder
// is opened as a root: links are followed as long as they stay in it, as those of a mounted
// ConfigMap do; only regular files are read, and only so many bytes of them. Names that begin with
// a dot are passed over with everything below them: .git, and the folders in which Kubernetes keeps
// versions of a ConfigMap.
//
// The files that an operator names for slowburn alone are read by [ReadOwn], whose links may lead
// anywhere. [Replace] writes one.
package folder

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// maxFiles bounds what a pattern or a folder may bring in by mistake.
const maxFiles = 10_000

// Folder is an open folder.
type Folder struct {
	root *os.Root
	name string
}

// Open opens a folder, which may itself be reached by a link. Its errors leave out the name.
func Open(name string) (*Folder, error) {
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, inWords(err)
	}
	return &Folder{root: root, name: name}, nil
}

// Close lets go of the folder.
func (f *Folder) Close() { f.root.Close() }

// Path returns the path of a file of the folder.
func (f *Folder) Path(name string) string { return filepath.Join(f.name, filepath.FromSlash(name)) }

// Walk lists the files below the folder that are to be kept, in order, by their names in it.
func (f *Folder) Walk(keep func(name string) bool) (names []string, err error) {
	err = fs.WalkDir(f.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return inWords(err)
		case d.IsDir() && name != "." && hidden(name):
			return fs.SkipDir
		case d.IsDir() || hidden(name) || !keep(name):
			return nil
		case len(names) == maxFiles:
			return fmt.Errorf("holds more than %d files", maxFiles)
		}
		names = append(names, name)
		return nil
	})
	return names, err
}

// hidden reports whether the last part of a name begins with a dot.
func hidden(name string) bool { return strings.HasPrefix(path.Base(name), ".") }

// Match lists the files of the folder whose names a pattern matches, in order.
func (f *Folder) Match(pattern string) (names []string, err error) {
	found, err := fs.Glob(f.root.FS(), pattern)
	if err != nil {
		return nil, fmt.Errorf("the pattern is malformed: %w", err)
	}
	for _, name := range found {
		if !leaks(name, pattern) {
			names = append(names, name)
		}
	}
	if len(names) > maxFiles {
		return nil, fmt.Errorf("matches more than %d files", maxFiles)
	}
	return names, nil
}

// leaks reports whether a part of the name begins with a dot that the pattern does not ask for.
func leaks(name, pattern string) bool {
	parts := strings.Split(pattern, "/")
	for i, part := range strings.Split(name, "/") {
		if strings.HasPrefix(part, ".") && !(i < len(parts) && strings.HasPrefix(parts[i], ".")) {
			return true
		}
	}
	return false
}

// Read reads a file of the folder, of at most that many bytes.
func (f *Folder) Read(name string, most int64) ([]byte, error) {
	name = filepath.FromSlash(name)
	return read(most, func() (fs.FileInfo, error) { return f.root.Stat(name) }, func(flag int) (*os.File, error) {
		return f.root.OpenFile(name, flag, 0)
	})
}

// Read reads one file. Links may lead it to files of its own folder only.
func Read(name string, most int64) ([]byte, error) {
	f, err := Open(filepath.Dir(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Read(filepath.Base(name), most)
}

// ReadOwn reads a file that an operator keeps for slowburn, wherever links lead.
func ReadOwn(name string, most int64) ([]byte, error) {
	return read(most, func() (fs.FileInfo, error) { return os.Stat(name) }, func(flag int) (*os.File, error) {
		return os.OpenFile(name, flag, 0)
	})
}

// maxSecret bounds a file that holds a secret, or several.
const maxSecret = 64 << 10

// ReadSecret reads the secret that a file holds, without the space around it. It is for tokens,
// passwords and addresses with a password in them, of the operator's own. A file that holds
// nothing is an error: it was named by somebody who believes that it does.
func ReadSecret(name string) (string, error) {
	data, err := ReadOwn(name, maxSecret)
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(data))
	if secret == "" {
		return "", errors.New("is empty")
	}
	return secret, nil
}

// read reads a regular file. It looks before it opens, since opening a pipe waits for a writer, and
// once more at what was opened, since the two may differ.
func read(most int64, stat func() (fs.FileInfo, error), open func(flag int) (*os.File, error)) ([]byte, error) {
	info, err := stat()
	if err != nil {
		return nil, inWords(err)
	}
	if err := check(info, most); err != nil {
		return nil, err
	}
	file, err := open(os.O_RDONLY | syscall.O_NONBLOCK)
	if err != nil {
		return nil, inWords(err)
	}
	defer file.Close()
	if info, err = file.Stat(); err != nil {
		return nil, inWords(err)
	}
	if err := check(info, most); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, most+1))
	if int64(len(data)) > most { // it has grown, or does not tell its size
		return nil, tooLarge(most)
	}
	return data, inWords(err)
}

func check(info fs.FileInfo, most int64) error {
	switch {
	case !info.Mode().IsRegular():
		return errors.New("is not a regular file")
	case info.Size() > most:
		return tooLarge(most)
	}
	return nil
}

func tooLarge(most int64) error { return fmt.Errorf("is larger than %d bytes", most) }

// Replace puts a file in the place of whatever has its name, at once: who reads meanwhile finds all
// of what was there before, or all of this.
func Replace(name string, mode fs.FileMode, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*") // with 0600, and hidden
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// inWords leaves out the path, which whoever tells the error shows already, and says which link it
// is about.
func inWords(err error) error {
	var at *fs.PathError
	if !errors.As(err, &at) {
		return err
	}
	if at.Err.Error() == "path escapes from parent" { // the standard library does not name this error
		return errors.New("is a link that leads out of its folder, or a link by an absolute path: links may lead to files of the folder only")
	}
	return at.Err
}

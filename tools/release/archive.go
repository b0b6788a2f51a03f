package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"os"
	"path"
	"path/filepath"
	"time"
)

// file is an entry of an archive. One whose name ends in a slash is a folder.
type file struct {
	name  string
	mode  int64
	owner int // user and group
	text  []byte
}

// pack makes a tar archive whose bytes depend on nothing but the files and the time.
func pack(files []file, at time.Time) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{
			Name: f.name, Mode: f.mode, Size: int64(len(f.text)), ModTime: at, Typeflag: tar.TypeReg,
			Uid: f.owner, Gid: f.owner, Format: tar.FormatPAX,
		}
		if f.name[len(f.name)-1] == '/' {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.text); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// beside are the files of the repository that an archive holds beside the binaries.
var beside = []string{"LICENSE", "NOTICE", "README.md", "CHANGELOG.md", "SECURITY.md", "deploy/systemd/slowburn.service"}

// archive writes the archive of a platform and its SBOM.
func (r release) archive(p platform) error {
	top := r.name(p) + "/"
	files := []file{{name: top, mode: 0o755}}
	add := func(name string, mode int64, text []byte) {
		files = append(files, file{name: top + name, mode: mode, text: text})
	}
	binaries, err := filepath.Glob(filepath.Join(p.folder, "slowburn*"))
	if err != nil {
		return err
	}
	for _, binary := range binaries {
		text, err := os.ReadFile(binary)
		if err != nil {
			return err
		}
		add(filepath.Base(binary), 0o755, text)
	}
	for _, name := range beside {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		add(path.Base(name), 0o644, text)
	}
	linked, err := modulesOf(binaries)
	if err != nil {
		return err
	}
	licences, err := linked.licences()
	if err != nil {
		return err
	}
	add("LICENSES-THIRD-PARTY", 0o644, licences)
	parts, err := linked.bom(r)
	if err != nil {
		return err
	}
	add("slowburn.cdx.json", 0o644, parts)
	if err := os.WriteFile(filepath.Join(r.dir, r.name(p)+".cdx.json"), parts, 0o644); err != nil {
		return err
	}
	packed, err := pack(files, r.at)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := z.Write(packed); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.dir, r.name(p)+".tar.gz"), b.Bytes(), 0o644)
}

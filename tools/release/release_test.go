package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// first is a release that the tests share, in the folder of its name.
var first string

// TestMain makes it, in the root of the repository, where the command runs.
func TestMain(m *testing.M) {
	if err := os.Chdir(filepath.Join("..", "..")); err != nil {
		panic(err)
	}
	temporary, err := os.MkdirTemp("", "release")
	if err != nil {
		panic(err)
	}
	first = filepath.Join(temporary, "dist")
	if err := publish(first, temporary); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(temporary)
	os.Exit(code)
}

// publish makes a release of the program that runs these tests.
func publish(dir, temporary string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	binaries := filepath.Join(temporary, "bin")
	if err := os.MkdirAll(binaries, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(binaries, "slowburn"), text, 0o755); err != nil {
		return err
	}
	return run([]string{dir, "v1.2.3", "1795000000", "linux/amd64=" + binaries, "linux/arm64=" + binaries}, io.Discard)
}

// TestTheSameBinariesGiveTheSameBytes: whoever builds a release again can compare it.
func TestTheSameBinariesGiveTheSameBytes(t *testing.T) {
	second := t.TempDir()
	if err := publish(filepath.Join(second, "dist"), second); err != nil {
		t.Fatal(err)
	}
	a, b := sumsIn(t, first), sumsIn(t, filepath.Join(second, "dist"))
	if a != b {
		t.Errorf("twice the same\n%s\nand\n%s", a, b)
	}
	for _, name := range []string{
		"image.digest", "slowburn-1.2.3.linux-amd64.cdx.json", "slowburn-1.2.3.linux-amd64.tar.gz",
		"slowburn-1.2.3.linux-arm64.cdx.json", "slowburn-1.2.3.linux-arm64.tar.gz", "slowburn-1.2.3.oci.tar",
	} {
		if !strings.Contains(a, "  "+name+"\n") {
			t.Errorf("%s is missing in\n%s", name, a)
		}
	}
}

// TestTheImageIsWhole: the layout holds an image for each platform, whose blobs are what their
// digests say, and which does not listen openly unless it is told to.
func TestTheImageIsWhole(t *testing.T) {
	files := unpack(t, contents(t, filepath.Join(first, "slowburn-1.2.3.oci.tar")))
	folder := t.TempDir()
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(folder, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	index, err := layout.ImageIndexFromPath(folder)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	if slices.Contains(command, "--web.insecure") || !strings.Contains(strings.Join(command, " "), "--web.config.file=") {
		t.Errorf("the image runs %q", command)
	}
	if n := bytes.Count(authorities(), []byte("BEGIN CERTIFICATE")); n < 100 {
		t.Errorf("%d authorities are trusted", n)
	}
}

// TestAnArchiveSaysWhatIsInIt: beside the binary lie its licences, those of others, and its SBOM.
func TestAnArchiveSaysWhatIsInIt(t *testing.T) {
	z, err := gzip.NewReader(bytes.NewReader(contents(t, filepath.Join(first, "slowburn-1.2.3.linux-amd64.tar.gz"))))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	files := unpack(t, text)
	const top = "slowburn-1.2.3.linux-amd64/"
	for name, want := range map[string]string{
		"slowburn": "", "LICENSE": "Apache License", "NOTICE": "slowburn", "SECURITY.md": "vulnerability", "slowburn.service": "[Service]",
		"LICENSES-THIRD-PARTY": "---- github.com/google/go-containerregistry ", "slowburn.cdx.json": "pkg:golang/github.com/google/go-containerregistry@",
	} {
		if !bytes.Contains(files[top+name], []byte(want)) || len(files[top+name]) == 0 {
			t.Errorf("%s does not hold %q", name, want)
		}
	}
}

// TestWhatIsWrongIsSaid: nothing is written over, and nothing is published that was not built.
func TestWhatIsWrongIsSaid(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "x"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"usage":               {"dist"},
		"write for example":   {"dist", "1", "0", "linux"},
		"the time of":         {"dist", "1", "now", "linux/amd64=x"},
		"is not empty":        {full, "1", "0", "linux/amd64=x"},
		"no binary was built": {t.TempDir(), "1", "0", "linux/amd64=" + t.TempDir()},
	} {
		if err := run(args, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q says %v, want %q", args, err, want)
		}
	}
}

func sumsIn(t *testing.T, dir string) string {
	return string(contents(t, filepath.Join(dir, "sha256sums.txt")))
}

func contents(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// unpack returns the files of a tar archive.
func unpack(t *testing.T, text []byte) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(text)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

// Command release makes what is published of a version, from binaries that were built before:
//
//   - slowburn-VERSION.OS-ARCH.tar.gz: the binaries, the licences and what a service needs;
//   - slowburn-VERSION.OS-ARCH.cdx.json: an SBOM in the format of CycloneDX, of what the linker
//     wrote into them;
//   - slowburn-VERSION.oci.tar: an image for every Linux of the platforms, as an OCI layout;
//   - image.digest, which names the image, and sha256sums.txt over all of them.
//
// The same binaries give the same bytes, on every machine and at every time. Neither Docker nor a
// network is needed.
//
//	release DIR VERSION SECONDS OS/ARCH=FOLDER…
//
// SECONDS is the time of the commit, since 1970. A FOLDER holds the binaries of a platform. It runs
// in the root of the repository.
package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// release is a version that is being published.
type release struct {
	dir       string // of what is made
	version   string // without a leading v
	at        time.Time
	platforms []platform
}

// platform is an operating system on a processor, with the folder of its binaries.
type platform struct{ os, arch, folder string }

// name is how the files of a platform are called.
func (r release) name(p platform) string { return "slowburn-" + r.version + "." + p.os + "-" + p.arch }

// run writes everything into the folder that the arguments name, which must be empty or missing,
// and prints what it has written.
func run(args []string, out io.Writer) error {
	r, err := read(args)
	if err != nil {
		return err
	}
	if left, err := os.ReadDir(r.dir); err == nil && len(left) > 0 {
		return fmt.Errorf("%s is not empty; a release is made anew: remove it", r.dir)
	}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return err
	}
	for _, p := range r.platforms {
		if err := r.archive(p); err != nil {
			return fmt.Errorf("%s/%s: %w", p.os, p.arch, err)
		}
	}
	if err := r.images(); err != nil {
		return fmt.Errorf("image: %w", err)
	}
	return r.sums(out)
}

// read reads the arguments.
func read(args []string) (r release, err error) {
	if len(args) < 4 {
		return r, errors.New("usage: release DIR VERSION SECONDS OS/ARCH=FOLDER…")
	}
	seconds, err := strconv.ParseInt(args[2], 10, 64)
	if err != nil {
		return r, fmt.Errorf("the time of the commit: %w", err)
	}
	r = release{dir: args[0], version: strings.TrimPrefix(args[1], "v"), at: time.Unix(seconds, 0).UTC()}
	for _, arg := range args[3:] {
		name, folder, _ := strings.Cut(arg, "=")
		goos, arch, ok := strings.Cut(name, "/")
		if !ok || folder == "" {
			return r, fmt.Errorf("%q: write for example linux/amd64=bin/linux-amd64", arg)
		}
		r.platforms = append(r.platforms, platform{goos, arch, folder})
	}
	return r, nil
}

// sums writes the checksums of all files, and prints them.
func (r release) sums(out io.Writer) error {
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		return err
	}
	var lines []string
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(r.dir, e.Name()))
		if err != nil {
			return err
		}
		lines = append(lines, fmt.Sprintf("%x  %s\n", sha256.Sum256(text), e.Name()))
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[sha256.Size*2:], b[sha256.Size*2:]) })
	text := strings.Join(lines, "")
	fmt.Fprint(out, text)
	return os.WriteFile(filepath.Join(r.dir, "sha256sums.txt"), []byte(text), 0o644)
}

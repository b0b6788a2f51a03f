package main

import (
	"bytes"
	"encoding/pem"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// user is who the container runs as, without any right.
const user = 65532

// images writes an OCI layout with an image for each Linux, in one index, as an archive that
// skopeo, podman, crane, containerd and Docker from 25 on load. The base is empty.
func (r release) images() error {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	images := 0
	for _, p := range r.platforms {
		if p.os != "linux" {
			continue
		}
		image, err := r.image(p)
		if err != nil {
			return err
		}
		images++
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: p.os, Architecture: p.arch}},
		})
	}
	if images == 0 {
		return nil
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	folder := filepath.Join(r.dir, "oci")
	defer os.RemoveAll(folder)
	l, err := layout.Write(folder, empty.Index)
	if err != nil {
		return err
	}
	if err := l.AppendIndex(index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": r.version})); err != nil {
		return err
	}
	if err := r.packFolder(folder, filepath.Join(r.dir, "slowburn-"+r.version+".oci.tar")); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.dir, "image.digest"), []byte(digest.String()+"\n"), 0o644)
}

// packFolder writes an archive of a folder's files, in the order of their names.
func (r release) packFolder(folder, to string) error {
	var files []file
	err := fs.WalkDir(os.DirFS(folder), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(folder, name))
		files = append(files, file{name: name, mode: 0o644, text: text})
		return err
	})
	if err != nil {
		return err
	}
	packed, err := pack(files, r.at)
	if err != nil {
		return err
	}
	return os.WriteFile(to, packed, 0o644)
}

// image makes the image of a platform: the binary, the certificates of the authorities that
// browsers trust, a folder for the store, and nothing else. Time zones are in the binary.
func (r release) image(p platform) (v1.Image, error) {
	binary, err := os.ReadFile(filepath.Join(p.folder, "slowburn"))
	if err != nil {
		return nil, err
	}
	packed, err := pack([]file{
		{name: "bin/", mode: 0o755},
		{name: "bin/slowburn", mode: 0o755, text: binary},
		{name: "data/", mode: 0o700, owner: user},
		{name: "etc/", mode: 0o755},
		{name: "etc/group", mode: 0o644, text: []byte("slowburn:x:65532:\n")},
		{name: "etc/passwd", mode: 0o644, text: []byte("slowburn:x:65532:65532::/data:/sbin/nologin\n")},
		{name: "etc/ssl/", mode: 0o755},
		{name: "etc/ssl/certs/", mode: 0o755},
		{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, text: authorities()},
		{name: "tmp/", mode: 0o1777},
	}, r.at)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(packed)), nil }, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	image, err := mutate.Append(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON),
		mutate.Addendum{Layer: layer, History: v1.History{CreatedBy: "make release", Created: v1.Time{Time: r.at}}})
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = p.os, p.arch, v1.Time{Time: r.at}
	config.Config = v1.Config{
		Entrypoint: []string{"/bin/slowburn"}, Cmd: command, User: "65532:65532", WorkingDir: "/data",
		ExposedPorts: map[string]struct{}{"7569/tcp": {}},
		Volumes:      map[string]struct{}{"/data": {}},
		Labels: map[string]string{
			"org.opencontainers.image.title":    "slowburn",
			"org.opencontainers.image.version":  r.version,
			"org.opencontainers.image.licenses": "Apache-2.0",
		},
	}
	return mutate.ConfigFile(image, config)
}

// command is what the image runs unless it is told otherwise. It refuses to listen beyond loopback
// without a web configuration: who starts it says who may come in.
var command = []string{
	"serve", "--config.file=/etc/slowburn/slowburn.yaml", "--storage.path=/data/slowburn.db",
	"--web.listen-address=0.0.0.0:7569", "--web.config.file=/etc/slowburn/web.yaml",
}

// authorities returns the certificates of the authorities, in PEM.
func authorities() []byte {
	var b bytes.Buffer
	for root := range bundle.Roots() {
		pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
	}
	return b.Bytes()
}

package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// modules is what is linked into binaries.
type modules struct {
	main string   // the module of the binaries
	goes string   // the version of Go, without "go"
	all  []module // by path, without main
}

type module struct{ path, version string }

// modulesOf reads what the linker wrote into binaries.
func modulesOf(binaries []string) (m modules, err error) {
	if len(binaries) == 0 {
		return m, errors.New("no binary was built; make release builds them")
	}
	for _, name := range binaries {
		info, err := buildinfo.ReadFile(name)
		if err != nil {
			return m, err
		}
		m.main, m.goes, _ = info.Main.Path, strings.TrimPrefix(info.GoVersion, "go"), name
		m.goes, _, _ = strings.Cut(m.goes, " ")
		for _, d := range info.Deps {
			if d.Replace != nil {
				d = d.Replace
			}
			m.all = append(m.all, module{d.Path, d.Version})
		}
	}
	slices.SortFunc(m.all, func(a, b module) int { return strings.Compare(a.path+"@"+a.version, b.path+"@"+b.version) })
	m.all = slices.Compact(m.all)
	return m, nil
}

// bom returns the SBOM, in JSON. It has no serial number, which would be another each time.
func (m modules) bom(r release) ([]byte, error) {
	b := cdx.NewBOM()
	b.Metadata = &cdx.Metadata{
		Timestamp: r.at.Format(time.RFC3339),
		Component: &cdx.Component{
			BOMRef: "slowburn", Type: cdx.ComponentTypeApplication, Name: "slowburn", Version: r.version,
			PackageURL: "pkg:golang/" + m.main + "@" + r.version,
		},
	}
	components := []cdx.Component{component(module{"std", m.goes})}
	for _, one := range m.all {
		components = append(components, component(one))
	}
	b.Components = &components
	var out bytes.Buffer
	err := cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON).SetPretty(true).Encode(b)
	return out.Bytes(), err
}

func component(m module) cdx.Component {
	url := "pkg:golang/" + m.path + "@" + m.version
	return cdx.Component{BOMRef: url, Type: cdx.ComponentTypeLibrary, Name: m.path, Version: m.version, PackageURL: url}
}

// lawful recognises the files that a copy of a module must be accompanied by.
var lawful = regexp.MustCompile(`(?i)^(licen[cs]e|notice|copying|patents)`)

// licences returns the licences and notices of everything that is linked. A module without one is
// an error: it may not be published.
func (m modules) licences() ([]byte, error) {
	folders, err := folders(m.main)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString("What is linked into these binaries besides slowburn, with its licences and notices.\n")
	for _, one := range append([]module{{"std", m.goes}}, m.all...) {
		entries, err := os.ReadDir(folders[one.path])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", one.path, err)
		}
		found := false
		for _, e := range entries {
			if e.IsDir() || !lawful.MatchString(e.Name()) {
				continue
			}
			text, err := os.ReadFile(filepath.Join(folders[one.path], e.Name()))
			if err != nil {
				return nil, err
			}
			found = true
			fmt.Fprintf(&b, "\n---- %s %s: %s\n\n%s\n", one.path, one.version, e.Name(), bytes.TrimSpace(text))
		}
		if !found {
			return nil, fmt.Errorf("%s has no licence", one.path)
		}
	}
	return b.Bytes(), nil
}

// homes are the folders of the modules whose binaries are published.
var homes = map[string]string{
	"github.com/slowburn-sre/slowburn":       ".",
	"github.com/slowburn-sre/slowburn/tools": "tools", // in tests, which publish themselves
}

// folders tells where the source of each module lies that the main one requires, and of Go itself
// as "std".
func folders(main string) (map[string]string, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	list, err := exec.Command("go", "-C", homes[main], "list", "-m", "-json", "all").Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	all := map[string]string{"std": strings.TrimSpace(string(root))}
	for d := json.NewDecoder(bytes.NewReader(list)); ; {
		var one struct{ Path, Dir string }
		if err := d.Decode(&one); err == io.EOF {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all[one.Path] = one.Dir
	}
}

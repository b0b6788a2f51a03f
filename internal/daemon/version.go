package daemon

import (
	"runtime/debug"
	"strings"

	"github.com/prometheus/common/version"
)

// Stamp gives a program that was built without a version, by `go build` or `go install`, the one
// that Go has written into it. It changes variables of package version, which all parts of the
// program read, so it is called first of all.
func Stamp() {
	if info, ok := debug.ReadBuildInfo(); ok {
		stamp(info)
	}
}

func stamp(info *debug.BuildInfo) {
	if version.Version != "" {
		return // make build, or a release, has written more
	}
	version.Version, version.Branch = strings.TrimPrefix(info.Main.Version, "v"), "unknown"
	if version.Version == "" || version.Version == "(devel)" {
		version.Version = "devel"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.time" {
			version.BuildDate = s.Value
		}
	}
}

package daemon

import (
	"runtime/debug"
	"testing"

	"github.com/prometheus/common/version"
)

// `go install …@latest` links no version, but Go writes one into the program.
func TestAProgramOfGoInstallHasAVersion(t *testing.T) {
	before := []string{version.Version, version.Branch, version.BuildDate}
	t.Cleanup(func() { version.Version, version.Branch, version.BuildDate = before[0], before[1], before[2] })
	at := []debug.BuildSetting{{Key: "vcs", Value: "git"}, {Key: "vcs.time", Value: "2026-11-20T08:00:00Z"}}
	for _, c := range []struct{ linked, module, want, date string }{
		{"", "v1.4.2", "1.4.2", "2026-11-20T08:00:00Z"},
		{"", "v1.4.3-0.20261120080000-ec3e9b4dc9f0+dirty", "1.4.3-0.20261120080000-ec3e9b4dc9f0+dirty", "2026-11-20T08:00:00Z"},
		{"", "(devel)", "devel", "2026-11-20T08:00:00Z"},
		{"", "", "devel", "2026-11-20T08:00:00Z"},
		{"1.4.0-7-gec3e9b4", "v1.4.2", "1.4.0-7-gec3e9b4", "set by the linker"},
	} {
		version.Version, version.BuildDate = c.linked, "set by the linker"
		stamp(&debug.BuildInfo{Main: debug.Module{Version: c.module}, Settings: at})
		if version.Version != c.want || version.BuildDate != c.date {
			t.Errorf("linked %q, module %q: %q of %q, want %q of %q", c.linked, c.module, version.Version, version.BuildDate, c.want, c.date)
		}
	}
}

package main

import (
	"fmt"
	"runtime"

	"github.com/prometheus/common/version"

	"github.com/slowburn-sre/slowburn/internal/api"
)

type versionCmd struct{ printer }

// Run prints the version.
func (c *versionCmd) Run(e *env) error {
	v := api.Version{
		Version: version.Version, Revision: version.GetRevision(), Branch: version.Branch, BuildDate: version.BuildDate,
		Go: version.GoVersion, Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	return c.print(e, v, func() error {
		_, err := fmt.Fprintln(e.out, version.Print("slowburn"))
		return err
	})
}

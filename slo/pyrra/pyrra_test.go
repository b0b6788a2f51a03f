package pyrra_test

import (
	"testing"

	"github.com/slowburn-sre/slowburn/internal/foreigntest"
	"github.com/slowburn-sre/slowburn/slo/pyrra"
)

func TestFilesBecomeSpecs(t *testing.T) { foreigntest.Golden(t, pyrra.Reader()) }

func FuzzRead(f *testing.F) {
	foreigntest.Fuzz(f, "../internal/foreign/testdata/conformance/pyrra/*.yaml", pyrra.Reader())
}

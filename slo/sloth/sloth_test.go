package sloth_test

import (
	"testing"

	"github.com/slowburn-sre/slowburn/internal/foreigntest"
	"github.com/slowburn-sre/slowburn/slo/sloth"
)

func TestFilesBecomeSpecs(t *testing.T) { foreigntest.Golden(t, sloth.Reader(sloth.Options{})) }

func FuzzRead(f *testing.F) {
	foreigntest.Fuzz(f, "../internal/foreign/testdata/conformance/sloth/*.yaml", sloth.Reader(sloth.Options{}))
}

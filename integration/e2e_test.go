package integration_test

// What the tests of this package share, and how to write another:
//
//   - program builds cmd/slowburn once and returns the path of the binary.
//   - newDaemon starts the daemon's parts on a clock that the test moves.
//   - servers.Prometheus with a scraped httptest target gives live data, with
//     OpenMetrics text gives history; Stop and Start stage an outage.
//   - servers.VictoriaMetrics with Import does the same for an engine that is
//     not Prometheus.
//   - servers.Alertmanager with the URL of an httptest server shows what would
//     have been forwarded to a person.
//
// A test waits for a condition with a deadline, never for a time to pass.

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// root is the directory of the product's module.
const root = ".."

// build compiles the daemon once for all tests of this package, into the directory that TestMain
// removes.
var build = sync.OnceValues(func() (string, error) {
	path := filepath.Join(workDir, "slowburn")
	out, err := exec.Command("go", "build", "-C", root, "-o", path, "./cmd/slowburn").CombinedOutput()
	return path + "\n" + string(out), err
})

// workDir holds the binary under test.
var workDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "slowburn-integration-")
	if err != nil {
		panic(err)
	}
	workDir = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// program returns the path of the daemon built from this source tree.
func program(t *testing.T) string {
	t.Helper()
	answer, err := build()
	path, output, _ := strings.Cut(answer, "\n")
	if err != nil {
		t.Fatalf("build the program: %v\n%s", err, output)
	}
	return path
}

func TestTheProgramTellsItsVersion(t *testing.T) {
	out, err := exec.Command(program(t), "version").CombinedOutput()
	if err != nil {
		t.Fatalf("slowburn version: %v\n%s", err, out)
	}
	if !strings.Contains(string(out), "slowburn") {
		t.Errorf("slowburn version prints %q", out)
	}
}

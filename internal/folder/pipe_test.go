//go:build unix

package folder

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestAPipeIsRefusedWithoutWaiting(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "x.yaml"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, read := range []func(string, int64) ([]byte, error){Read, ReadOwn} {
		if _, err := read(filepath.Join(dir, "x.yaml"), 10); err == nil || !strings.Contains(err.Error(), "is not a regular file") {
			t.Errorf("a pipe gave %v", err)
		}
	}
}

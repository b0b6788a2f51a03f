package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/slowburn-sre/slowburn/cmd/slowburn-demo/flags"
)

// demoCmd runs the demo, which is a program of its own: the daemon's binary carries no shop and no
// stand-ins.
type demoCmd struct {
	flags.Demo
}

// Run runs slowburn-demo and returns its exit code.
func (c *demoCmd) Run(e *env) error {
	path, err := demoProgram()
	if err != nil {
		return cannotFindOut(err)
	}
	args := append(c.Args(), "--log.format="+e.cli.LogFormat)
	if e.cli.LogLevel != "info" { // by default the stage is left to the story
		args = append(args, "--log.level="+e.cli.LogLevel)
	}
	p := exec.CommandContext(e.ctx, path, args...)
	p.Stdin, p.Stdout, p.Stderr = os.Stdin, e.screens.out, e.screens.err
	p.Cancel = func() error { return p.Process.Signal(syscall.SIGTERM) }
	p.WaitDelay = 10 * time.Second // it stops within that time, or is killed
	err = p.Run()
	var exit *exec.ExitError
	switch {
	case e.ctx.Err() != nil:
		return nil // stopped by whoever watched it
	case errors.As(err, &exit):
		return exitError{code: exit.ExitCode()} // it has said why
	case err != nil:
		return cannotFindOut(err)
	}
	return nil
}

// demoProgram finds slowburn-demo beside this program, or where programs are found.
func demoProgram() (string, error) {
	name := "slowburn-demo"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	if self, err := os.Executable(); err == nil {
		if path := filepath.Join(filepath.Dir(self), name); isFile(path) {
			return path, nil
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("the demo is a program of its own, and %s stands neither beside slowburn nor in PATH "+
			"(go install github.com/slowburn-sre/slowburn/cmd/slowburn-demo@latest; in a checkout: make demo)", name)
	}
	return path, nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

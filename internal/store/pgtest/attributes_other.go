//go:build unix && !linux

package pgtest

import "syscall"

// attributes keeps the signals of a terminal from the server.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

package api

import (
	"net"

	"golang.org/x/sys/unix"
)

// tcpClose is the state of a connection that was reset (TCP_CLOSE in Linux' tcp_states.h).
const tcpClose = 7

// isReset reports whether the other side has reset a connection.
func isReset(c *net.TCPConn) bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	reset := false
	err = raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		reset = err == nil && info.State == tcpClose
	})
	return err == nil && reset
}

// descriptors is how many files the process may have open. Go has raised the limit to the
// highest that is allowed when the program started.
func descriptors() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return defaultDescriptors
	}
	return int(min(limit.Cur, 1<<20))
}

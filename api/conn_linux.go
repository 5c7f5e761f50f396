package api

import (
	"cmp"
	"io"
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

// canRefuseEarly: there are the system calls for refuseEarly.
const canRefuseEarly = true

// maxHeld is how much of a body that is skipped waits in the kernel at most, in bytes.
const maxHeld = 128 << 10

// skip discards the next n bytes that are received; the kernel does not copy them (MSG_TRUNC, tcp(7)), and wakes the
// goroutine only when all of them are there, or maxHeld (SO_RCVLOWAT, socket(7)).
func (c *conn) skip(n int) error {
	if n == 0 {
		return nil
	}
	lowest := 1
	var failed error
	err := c.raw.Read(func(fd uintptr) (done bool) {
		for n > 0 {
			skipped, _, errno := unix.Syscall6(unix.SYS_RECVFROM, fd, 0, uintptr(n), unix.MSG_TRUNC, 0, 0)
			switch {
			case errno == unix.EINTR:
			case errno == unix.EAGAIN:
				if enough := min(n, maxHeld); enough != lowest {
					lowest = enough
					failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT, lowest) // reports at once what is there already
				}
				return failed != nil
			case errno != 0:
				failed = errno
				return true
			case skipped == 0:
				failed = io.ErrUnexpectedEOF
				return true
			default:
				n -= int(skipped)
			}
		}
		if lowest != 1 {
			failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT, 1)
		}
		return true
	})
	return cmp.Or(failed, err)
}

// writeAtOnce writes what the kernel has room for, unless its client does not read.
func (c *conn) writeAtOnce(p []byte) error {
	failed := errAnswerUnread
	err := c.raw.Control(func(fd uintptr) {
		for {
			n, errno := unix.Write(int(fd), p)
			switch {
			case errno == unix.EINTR:
				continue
			case errno != nil && errno != unix.EAGAIN:
				failed = errno
			case n == len(p):
				failed = nil
			}
			return
		}
	})
	return cmp.Or(err, failed)
}

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// visitor is one client of a flood: a non-blocking connection, which is opened when it is first needed and again after it
// was closed. It costs a system call to send a request, and one to read the answer.
type visitor struct {
	number int
	from   netip.Addr

	fd int // -1 while not connected
	// connected is whether the connection has taken a byte, and reused whether it has had an answer.
	connected, reused bool

	// busy is from sending a request until the connection may take the next one.
	busy bool
	// begun counts the exchanges, so that a timer of an earlier one is recognized.
	begun uint64
	// due and sent are those of the request under way, since the beginning of the flood.
	due, sent time.Duration
	// request are its parts, and unsent what of them the kernel has not taken. writeErr is why it takes no more.
	request, unsent [][]byte
	writeErr        error
	// received is the beginning of an answer that came in pieces. answered is whether the whole answer was received, and
	// keep whether the server keeps the connection.
	received       []byte
	answered, keep bool
	// arrived is when the kernel has received what was read last; the zero time where that is unknown, as
	// it is until a moment after the first connection.
	arrived time.Time
}

// prepare begins an exchange.
func (v *visitor) prepare() {
	v.begun++
	v.unsent = slices.Clone(v.request)
	v.writeErr, v.received, v.answered = nil, v.received[:0], false
}

// open connects, and has epoll report each change under the visitor's number. The connection may be not established yet:
// until then, it takes nothing. The error is errNoConnection.
func (v *visitor) open(epoll int, to netip.AddrPort) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("%w: %v", errNoConnection, err)
	}
	v.fd, v.connected, v.reused = fd, false, false
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer),
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
		unix.Bind(fd, &unix.SockaddrInet4{Addr: v.from.As4()}),
		unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{
			Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET, Fd: int32(v.number)}),
	)
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()})
	}
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		v.close()
		return fmt.Errorf("%w: %v", errNoConnection, err)
	}
	return nil
}

// close closes the connection, which removes it from epoll.
func (v *visitor) close() {
	if v.fd >= 0 {
		_ = unix.Close(v.fd) // nothing is pending
		v.fd = -1
	}
}

// write sends what the kernel takes. A connection that takes no more may still have an answer.
func (v *visitor) write() {
	for len(v.unsent) > 0 && v.writeErr == nil {
		n, err := unix.SendmsgBuffers(v.fd, v.unsent, nil, nil, unix.MSG_NOSIGNAL)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return // epoll reports when there is room
		case err != nil:
			v.writeErr = err
		default:
			v.connected = true
			for len(v.unsent) > 0 && n >= len(v.unsent[0]) {
				n -= len(v.unsent[0])
				v.unsent = v.unsent[1:]
			}
			if n > 0 {
				v.unsent[0] = v.unsent[0][n:]
			}
		}
	}
}

// errNothing: the connection has nothing to read now.
var errNothing = errors.New("nothing to read")

// read reads into the buffer, and notes when that has arrived. Errors: errNothing, errStale for the end or a failure of the connection.
func (v *visitor) read(buffer []byte) (int, error) {
	for {
		var control [64]byte
		n, controls, _, _, err := unix.Recvmsg(v.fd, buffer, control[:], 0)
		v.arrived = arrival(control[:max(0, controls)])
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return 0, errNothing
		case err != nil || n == 0:
			return 0, errStale
		default:
			return n, nil
		}
	}
}

// arrival is the time in the control messages of what was read (SCM_TIMESTAMPNS, socket(7)); the zero time without one.
func arrival(control []byte) time.Time {
	for len(control) > 0 {
		header, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			return time.Time{}
		}
		var at unix.Timespec
		if header.Level == unix.SOL_SOCKET && header.Type == unix.SCM_TIMESTAMPNS && len(data) >= int(unsafe.Sizeof(at)) {
			copy((*[unsafe.Sizeof(at)]byte)(unsafe.Pointer(&at))[:], data)
			return time.Unix(at.Unix())
		}
		control = rest
	}
	return time.Time{}
}

package telemetry

import (
	"bytes"
	"errors"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// keptPipe reads whole lines from a pipe, and removes what it has returned from it only once it is asked for more: until then it is
// not logged, and the process that reads the pipe after a crash has it.
type keptPipe struct {
	conn syscall.RawConn
	// copies is a pipe to which tee(2) copies; returned is how much of the first one was returned.
	copies   [2]int
	returned int
	// ended is set once the rest was returned.
	ended bool
}

// newKeptPipe returns one that must be closed.
func newKeptPipe(pipe *os.File) (*keptPipe, error) {
	conn, err := pipe.SyscallConn()
	if err != nil {
		return nil, err
	}
	k := &keptPipe{conn: conn}
	return k, unix.Pipe2(k.copies[:], unix.O_CLOEXEC|unix.O_NONBLOCK)
}

// Read implements io.Reader. It waits for a whole line, or one that is longer than p, as the pipe's own Read does; when that ends,
// it returns what there is.
func (k *keptPipe) Read(p []byte) (n int, err error) {
	if err := k.remove(p); err != nil {
		return 0, err
	}
	waiting := k.conn.Read(func(pipe uintptr) (done bool) {
		if n, err = k.look(pipe, p); err != nil || n == 0 {
			return !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR)
		}
		line := bytes.LastIndexByte(p[:n], '\n') + 1
		if line > 0 {
			n = line
		}
		return line > 0 || n == len(p)
	})
	if waiting != nil && !k.ended {
		k.ended = true
		waiting = errors.Join(k.conn.Control(func(pipe uintptr) { n, err = k.look(pipe, p) }))
	}
	switch {
	case waiting != nil:
		return 0, waiting
	case err != nil:
		return 0, err
	case n == 0:
		return 0, io.EOF
	}
	k.returned = n
	return n, nil
}

// look copies what is in the pipe, which stays there.
func (k *keptPipe) look(pipe uintptr, p []byte) (int, error) {
	copied, err := unix.Tee(int(pipe), k.copies[1], len(p), unix.SPLICE_F_NONBLOCK)
	if err != nil || copied == 0 {
		return 0, err
	}
	return unix.Read(k.copies[0], p[:copied])
}

// remove removes what was returned.
func (k *keptPipe) remove(buffer []byte) (err error) {
	if k.returned == 0 {
		return nil
	}
	controlled := k.conn.Control(func(pipe uintptr) { _, err = unix.Read(int(pipe), buffer[:k.returned]) })
	k.returned = 0
	return errors.Join(controlled, err)
}

func (k *keptPipe) close() error {
	return errors.Join(unix.Close(k.copies[0]), unix.Close(k.copies[1]))
}

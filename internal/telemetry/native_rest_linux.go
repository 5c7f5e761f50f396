package telemetry

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// restScript waits until this process has ended, which closes the other end of descriptor 3, and then prints what is left in the
// pipe, descriptor 4: what was written just before a crash, such as the reason why a library aborted, or why Go's runtime did. The
// stacks of goroutines are left out, which Go has written to the original standard error itself. Signals to the process group do not
// end it.
const restScript = `trap '' HUP INT TERM; read -r _ <&3; exec sed '/^goroutine /,$d' <&4`

// restTimeout is how long the end of the process that prints the rest may take.
const restTimeout = time.Second

// rest is a small process that outlives this one, and prints what of the pipe this one could not log any more.
type rest struct {
	pid int
	// alive is held open as long as this process lives.
	alive int
}

// startRest starts it; lines is the end of the pipe that is read.
func startRest(lines, original int) (*rest, error) {
	nothing, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer nothing.Close()
	var life [2]int
	if err := unix.Pipe2(life[:], unix.O_CLOEXEC); err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(life[0]) }() // of a copy
	pid, err := syscall.ForkExec("/bin/sh", []string{"sh", "-c", restScript}, &syscall.ProcAttr{
		Dir: "/", Env: []string{"PATH=/usr/bin:/bin"}, Files: []uintptr{nothing.Fd(), uintptr(original), nothing.Fd(), uintptr(life[0]), uintptr(lines)},
	})
	if err != nil {
		return nil, errors.Join(err, unix.Close(life[1]))
	}
	return &rest{pid: pid, alive: life[1]}, nil
}

// stop ends the process, once the pipe has no more writers.
func (r *rest) stop() error {
	if err := unix.Close(r.alive); err != nil {
		return err
	}
	for deadline := time.Now().Add(restTimeout); ; time.Sleep(time.Millisecond) {
		pid, err := unix.Wait4(r.pid, nil, unix.WNOHANG, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return err
		case pid == r.pid:
			return nil
		case time.Now().After(deadline):
			_ = unix.Kill(r.pid, unix.SIGKILL) // it has not been waited for, so the number is its own
		}
	}
}

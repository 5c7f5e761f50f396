package telemetry

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"
)

// stderrFD is the standard error, which native libraries write to.
const stderrFD = 2

// nativePipe is how many bytes may wait until they are logged. What does not fit is lost, so that no library, and no crash,
// waits for the log.
const nativePipe = 256 << 10

// drainTimeout is how long Close waits for what was written last.
const drainTimeout = 100 * time.Millisecond

// Native has what native libraries write to standard error in the log, line by line.
type Native struct {
	original *os.File
	lines    *os.File
	kept     *keptPipe
	rest     *rest // nil where it could not be started
	reading  sync.WaitGroup
	close    func() error
}

// CaptureNative leads standard error, the file descriptor 2, to a Native. What is left of it when the process crashes is printed
// on the Original, which is where standard error led before, and so is Go's own report. It concerns the whole process, so there must be one at a time.
func CaptureNative() (*Native, error) {
	original, err := unix.FcntlInt(stderrFD, unix.F_DUPFD_CLOEXEC, stderrFD+1)
	if err != nil {
		return nil, fmt.Errorf("keep standard error: %w", err)
	}
	n := &Native{original: os.NewFile(uintptr(original), "stderr")}
	if err := debug.SetCrashOutput(n.original, debug.CrashOptions{}); err != nil {
		return nil, fmt.Errorf("keep standard error for crashes: %w", errors.Join(err, n.original.Close()))
	}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, fmt.Errorf("capture standard error: %w", errors.Join(err, n.restore()))
	}
	n.lines = os.NewFile(uintptr(pipe[0]), "native libraries")
	_, _ = unix.FcntlInt(uintptr(pipe[1]), unix.F_SETPIPE_SZ, nativePipe) // else it has its usual size
	err = unix.Dup3(pipe[1], stderrFD, 0)
	_ = unix.Close(pipe[1]) // of a copy
	if err != nil {
		return nil, fmt.Errorf("capture standard error: %w", errors.Join(err, n.lines.Close(), n.restore()))
	}
	if n.kept, err = newKeptPipe(n.lines); err != nil {
		return nil, fmt.Errorf("capture standard error: %w", errors.Join(err, unix.Dup3(original, stderrFD, 0), n.lines.Close(), n.restore()))
	}
	n.rest, _ = startRest(pipe[0], original) // without a shell, the last lines before a crash may be lost
	n.close = sync.OnceValue(n.stop)
	return n, nil
}

// Original is where standard error led, for logs.
func (n *Native) Original() *os.File { return n.original }

// LogTo logs what was and will be captured, until Close.
func (n *Native) LogTo(log *slog.Logger, metrics prometheus.Registerer) {
	lines := newNativeLog(log, metrics)
	n.reading.Go(func() { lines.copyFrom(n.kept) })
}

// Close leads standard error to where it led before, and returns when what was written has been logged.
func (n *Native) Close() error { return n.close() }

func (n *Native) stop() error {
	err := unix.Dup3(int(n.original.Fd()), stderrFD, 0)
	// Processes that were started meanwhile may hold the other end of the pipe, so there may be no end of it.
	err = errors.Join(err, n.lines.SetReadDeadline(time.Now().Add(drainTimeout)))
	n.reading.Wait()
	err = errors.Join(err, n.lines.Close(), n.kept.close())
	if n.rest != nil {
		err = errors.Join(err, n.rest.stop())
	}
	return errors.Join(err, n.restore())
}

// restore has crashes written to standard error alone, and closes the copy of it.
func (n *Native) restore() error {
	return errors.Join(debug.SetCrashOutput(nil, debug.CrashOptions{}), n.original.Close())
}

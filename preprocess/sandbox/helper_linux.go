package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"edgelens"
	"edgelens/internal/background"
	"edgelens/models"
	"edgelens/preprocess"
)

const (
	// startTimeout is how long a helper may take to be up: on a slow card, while the machine boots, it takes seconds.
	startTimeout = 30 * time.Second
	// slack is what a helper may take for itself besides its image: for threads and heaps
	// that grow.
	slack = 24 << 20
	// cpuSlack is added to the processor time that an image may take, because whole seconds
	// are counted.
	cpuSlack = 2 * time.Second
)

// helper is a process that decodes one image at a time. Only who has taken it from its pool may
// call decode and death.
type helper struct {
	command    *exec.Cmd
	words      *limitedBuffer // what it has written to standard error
	socket     int
	in, out    region
	protection protection
	baseline   baseline
	sequence   uint64
	packet     []byte
	// targets are those of the last task, and text is what describes them.
	targets []target
	text    []byte
	// largest are the limits above which none can be set (getrlimit(2)).
	largest struct{ data, addresses, cpu uint64 }
	// condemned is set once it is to be killed.
	condemned atomic.Bool
	messages  atomic.Uint64
	ended     chan struct{}

	// The rest is guarded by the pool's lock. used is set once it was taken.
	busy, used, dead, dismissed, closed bool
	since                               time.Time // idle since then
}

// launch has the options of helpers.
type launch struct {
	settings   preprocess.Config
	background bool
	// program is what is started, "" for this program, and timeout is startTimeout: other values are for tests.
	program string
	timeout time.Duration
}

// errStartTimeout is about a helper that was not up in time.
var errStartTimeout = errors.New("it was not up in time, and was killed")

// introduction is the first packet to a helper.
type introduction struct {
	Settings preprocess.Config
}

// introduced is its answer, before it has seen an image.
type introduced struct {
	Protection protection
	Baseline   baseline
	Error      string
}

// baseline is how large a helper was when it was up: VmData and VmSize (proc(5)), in bytes.
type baseline struct{ Data, Size uint64 }

// starter is a thread that starts a helper. It makes way for others, and so do all threads of the helper from their first moment on: a start
// takes some 50 ms of a core. No one who waits for the pool's lock may wait for such a thread, so it does nothing else. The kernel ends
// a helper with the thread that started it.
type starter struct {
	work  chan func()
	ended chan struct{}
}

// starter returns a thread that makes way as the executors do, of which one waits for the image. end must be called after the helper's end.
func (l launch) starter() *starter {
	s := &starter{work: make(chan func()), ended: make(chan struct{})}
	makeWay := background.Yield
	if l.background {
		makeWay = background.YieldToAll
	}
	go func() {
		defer close(s.ended)
		runtime.LockOSThread() // it ends with the goroutine
		_ = makeWay()          // else the helper has the usual priority
		for f := range s.work {
			f()
		}
	}()
	return s
}

// run starts a process on the thread.
func (s *starter) run(command *exec.Cmd) error {
	started := make(chan error)
	s.work <- func() { started <- command.Start() }
	return <-started
}

// end ends the thread.
func (s *starter) end() {
	close(s.work)
	<-s.ended
}

// start starts a helper and waits until it is up, for l.timeout at most; begun gets it once its process runs, to kill
// it before that. With an error, the helper is that process, which has ended, or nil. The thread must live as long as it.
func (l launch) start(thread *starter, begun func(*helper)) (_ *helper, err error) {
	h := &helper{words: &limitedBuffer{left: 8 << 10}, ended: make(chan struct{}), packet: make([]byte, maxMessage)}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socketpair: %w", err)
	}
	h.socket = pair[0]
	theirs := os.NewFile(uintptr(pair[1]), "socket")
	defer theirs.Close()
	defer func() {
		if err != nil {
			h.close()
		}
	}()
	if h.in, err = newRegion("edgelens-image"); err != nil {
		return nil, err
	}
	if h.out, err = newRegion("edgelens-tensors"); err != nil {
		return nil, err
	}
	path := l.program
	if path == "" {
		if path, err = program(); err != nil {
			return nil, err
		}
	}
	h.command = exec.Command(path, childArgument)
	h.command.Env = environment()
	h.command.Stderr = h.words
	h.command.ExtraFiles = []*os.File{theirs, h.in.file, h.out.file}
	h.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	h.command.WaitDelay = time.Second
	if err := thread.run(h.command); err != nil {
		return nil, err
	}
	theirs.Close() // so that the end of the process closes its last copy
	begun(h)
	if err := h.introduce(l); err != nil {
		h.kill()
		_ = h.command.Wait() // the first error is more specific
		return h, fmt.Errorf("%w (%s)", err, h.words.line())
	}
	return h, nil
}

// introduce exchanges the first packets.
func (h *helper) introduce(l launch) error {
	text, err := json.Marshal(introduction{l.settings})
	if err != nil {
		return err
	}
	if err := h.send(text); err != nil {
		return err
	}
	answer, err := h.receive(time.Now().Add(l.timeout))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("%w, after %v", errStartTimeout, l.timeout)
	}
	if err != nil {
		return fmt.Errorf("it did not start: %w", err)
	}
	var in introduced
	if err := json.Unmarshal(answer, &in); err != nil {
		return fmt.Errorf("it did not start: %w", err)
	}
	if in.Error != "" {
		return errors.New(in.Error)
	}
	h.protection, h.baseline = in.Protection, in.Baseline
	pid := h.command.Process.Pid
	h.largest.data, h.largest.addresses, h.largest.cpu = largestLimit(pid, unix.RLIMIT_DATA), largestLimit(pid, unix.RLIMIT_AS), largestLimit(pid, unix.RLIMIT_CPU)
	return nil
}

// largestLimit is the hard limit of a process; 0 where it is unknown.
func largestLimit(pid, resource int) uint64 {
	var now unix.Rlimit
	if err := unix.Prlimit(pid, resource, nil, &now); err != nil {
		return 0
	}
	return now.Max
}

// environment is that of a helper: only what finds libraries, as ours may contain secrets.
// Blocks of 16 MB and more are returned to the kernel when they are freed, and so is what
// is free at the end of the heap.
func environment() []string {
	env := []string{childVariable + "=" + childArgument, "GOTRACEBACK=none", "GOMAXPROCS=1", "MALLOC_ARENA_MAX=1", "MALLOC_MMAP_THRESHOLD_=16777216", "MALLOC_TRIM_THRESHOLD_=16777216"}
	for _, name := range []string{"LD_LIBRARY_PATH", "GORACE"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// program is this program, also where its file was replaced since.
func program() (string, error) {
	const self = "/proc/self/exe"
	if _, err := os.Stat(self); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("find this program: %w", err)
	} else if err != nil {
		return os.Executable()
	}
	return self, nil
}

// grant sets the limits for the next image: its memory, that of its tensors, and a processor
// for longer than its time. The helper cannot raise them. The pool's lock must be held, and
// the helper must not have been reaped.
//
// Memory that C allocates is limited as data. Go reserves addresses, and then allocates
// there, which the kernel does not count before it has happened (mmap(2), MAP_FIXED); so
// addresses are limited, too: they are reserved in arenas of 64 MB, and shared memory is mapped.
func (h *helper) grant(memory int64, tensors int, timeout time.Duration) {
	const arena = 64 << 20
	// What is mapped is of a power of two bytes; the image is part of memory.
	shared := uint64(h.in.size+h.out.size) + 2*uint64(tensors)
	h.limit(unix.RLIMIT_DATA, h.baseline.Data+slack+uint64(memory), h.largest.data)
	h.limit(unix.RLIMIT_AS, h.baseline.Size+slack+arena+2*uint64(memory)+shared, h.largest.addresses)
	h.limit(unix.RLIMIT_CPU, uint64((h.processorTime()+timeout+cpuSlack)/time.Second), h.largest.cpu)
}

// limit sets a soft limit. Where that fails, the former limit stays: a helper is killed at
// the deadline all the same.
func (h *helper) limit(resource int, value, largest uint64) {
	if largest == 0 { // unknown
		return
	}
	_ = unix.Prlimit(h.command.Process.Pid, resource, &unix.Rlimit{Cur: min(value, largest), Max: largest}, nil)
}

// answerShare is the part of the timeout, as its reciprocal, that is left to end the helper and to answer: the client is to
// have its answer within the timeout.
const answerShare = 50

// decode has the helper fill the buffers. After an error, but for that of the image, the
// helper has ended.
func (h *helper) decode(timeout time.Duration, plan preprocess.Plan, encoded []byte, into []models.InputBuffer) (models.Filled, error) {
	deadline := time.Now().Add(timeout - timeout/answerShare)
	targets := targetsOf(into)
	starts, total := layout(targets)
	h.sequence++
	if !slices.EqualFunc(targets, h.targets, target.equal) {
		text, err := describe(targets)
		if err != nil {
			return models.Filled{}, err
		}
		h.targets, h.text = targets, text
	}
	t := task{sequence: h.sequence, size: uint64(len(encoded)), targets: h.text}
	if err := errors.Join(h.out.hold(total), h.in.write(encoded)); err != nil {
		return models.Filled{}, fmt.Errorf("decode the image: %w", &edgelens.Busy{RetryAfter: time.Second, Reason: fmt.Sprintf("there is no memory for it (%v)", err)})
	}
	defer h.in.shrink(len(encoded))
	begin := h.processorTime()
	if h.send(t.append(h.packet[:0])) != nil {
		return models.Filled{}, h.death()
	}
	packet, err := h.receive(deadline)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return models.Filled{}, h.overdue(h.processorTime()-begin, timeout)
	}
	if err != nil {
		return models.Filled{}, h.death()
	}
	a, err := parseAnswer(packet, h.sequence, targets)
	if err != nil {
		h.kill()
		return models.Filled{}, &death{crashed, err.Error()}
	}
	if before := h.messages.Load(); a.messages > before {
		h.messages.Store(min(a.messages, before+maxMessages))
	}
	if err := a.err(); err != nil {
		return models.Filled{}, err
	}
	return h.collect(a, starts, plan, into)
}

// messageCount is how many messages its decoders had: those that it counts, and the lines that it has written to standard
// error, such as OpenCV's, which are nowhere else.
func (h *helper) messageCount() uint64 { return h.messages.Load() + h.words.lines.Load() }

// maxMessages limits what one image can add to the counter of messages.
const maxMessages = 100_000_000

// collect reads the tensors of an answer.
func (h *helper) collect(a answer, starts []int, plan preprocess.Plan, into []models.InputBuffer) (models.Filled, error) {
	filled := models.Filled{Image: plan.Image, View: edgelens.ShownView{View: into[0].View, Count: int(a.parts)}}
	filled.Image.Damaged = a.damaged
	filled.Timings.Preprocess = a.preprocess
	for i, buffer := range into {
		if err := h.out.read(buffer.Bytes, starts[i]); err != nil {
			return models.Filled{}, fmt.Errorf("decode the image: %w: its tensor cannot be read (%v)", edgelens.ErrInference, err)
		}
	}
	size := into[0].Spec.Bytes()
	for part := 1; part < int(a.parts); part++ {
		tensor := make([]byte, size)
		if err := h.out.read(tensor, starts[0]+part*size); err != nil {
			return models.Filled{}, fmt.Errorf("decode the image: %w: its tensor cannot be read (%v)", edgelens.ErrInference, err)
		}
		filled.More = append(filled.More, tensor)
	}
	return filled, nil
}

// overdue ends the helper at the deadline. Where it had a processor for less than half of the
// time, the machine is to blame, and not the image.
func (h *helper) overdue(used, timeout time.Duration) error {
	h.kill()
	if used < timeout/2 {
		return fmt.Errorf("decode the image: %w", &edgelens.Busy{RetryAfter: time.Second, Reason: fmt.Sprintf("decoding the image got %v of processor time in %v", used.Round(time.Millisecond), timeout)})
	}
	return &death{timedOut, fmt.Sprintf("%v of processor time", used.Round(time.Millisecond))}
}

// processorTime is how much the helper has used; it may be called while it is in use.
func (h *helper) processorTime() time.Duration {
	var used unix.Timespec
	if err := unix.ClockGettime(int32(^h.command.Process.Pid<<3|2), &used); err != nil {
		return 0
	}
	return time.Duration(used.Nano())
}

// outOfMemoryWords are those of a runtime that gets no more memory.
var outOfMemoryWords = regexp.MustCompile(`bad_alloc|out of memory|annot allocate memory|failed to create new OS thread|pthread_create failed|cannot map pages|too many address space collisions`)

// death waits for the end of a helper that does not answer, and returns why it ended.
func (h *helper) death() error {
	killed := h.condemned.Load()
	h.kill() // it may have closed its socket only
	<-h.ended
	status, _ := h.command.ProcessState.Sys().(syscall.WaitStatus)
	words := h.words.line()
	end := &death{crashed, strings.TrimSpace(h.command.ProcessState.String() + " " + words)}
	switch {
	case status.Signaled() && status.Signal() == syscall.SIGXCPU:
		end.reason = timedOut
	case outOfMemoryWords.MatchString(words):
		end.reason = outOfMemory
	case status.Signaled() && status.Signal() == syscall.SIGKILL && !killed:
		end.reason = outOfMemory // by the kernel
	}
	return end
}

// kill ends the process. It may be called by anyone, and at any time.
func (h *helper) kill() {
	h.condemned.Store(true)
	_ = h.command.Process.Kill() // it fails where the process has ended
}

// dismiss ends a helper that is not needed, and is not replaced: by a signal, since one that
// an image has taken over need not end when its socket does. The pool's lock must be held.
func (h *helper) dismiss() {
	h.dismissed = true
	h.kill()
}

// awaitEnd waits until the process has ended, and leaves its number in use.
func (h *helper) awaitEnd() {
	for {
		err := unix.Waitid(unix.P_PID, h.command.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// reap collects the process, which has ended. The pool's lock must be held.
func (h *helper) reap() {
	_ = h.command.Wait() // the state is in ProcessState
	h.dead = true
	close(h.ended)
}

// close closes the files. The pool's lock must be held, or the helper not be in a pool.
func (h *helper) close() {
	if h.closed {
		return
	}
	h.closed = true
	_ = unix.Close(h.socket) // nothing is lost
	h.in.close()
	h.out.close()
}

// send sends a packet.
func (h *helper) send(packet []byte) error {
	for {
		_, err := unix.SendmsgN(h.socket, packet, nil, nil, unix.MSG_NOSIGNAL)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// receive returns the next packet, which is valid until the next call of send or receive.
// The error wraps os.ErrDeadlineExceeded, or is about a helper that has ended.
//
// It blocks the thread: a goroutine that waits for the network poller is woken by another
// thread, which costs as much as a small image.
func (h *helper) receive(deadline time.Time) ([]byte, error) {
	for {
		left := time.Until(deadline)
		if left <= 0 {
			return nil, os.ErrDeadlineExceeded
		}
		ready, err := unix.Poll([]unix.PollFd{{Fd: int32(h.socket), Events: unix.POLLIN}}, int((left+time.Millisecond-1)/time.Millisecond))
		if err == nil && ready == 0 || errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, err
		}
		n, err := unix.Read(h.socket, h.packet)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return nil, err
		case n == 0:
			return nil, errors.New("it has closed its socket")
		default:
			return h.packet[:n], nil
		}
	}
}

// limitedBuffer keeps the first bytes that are written to it, and drops the rest. os/exec
// has finished writing when Wait returns.
type limitedBuffer struct {
	kept bytes.Buffer // not embedded: it would be read into past the limit
	left int
	// lines is how many were written, also of those that were dropped; it may be read at any time.
	lines atomic.Uint64
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	b.lines.Add(uint64(bytes.Count(p, []byte{'\n'})))
	n := min(len(p), b.left)
	b.left -= n
	b.kept.Write(p[:n]) // never fails
	return len(p), nil
}

// line is the text in one line.
func (b *limitedBuffer) line() string {
	const most = 500
	text := strings.ToValidUTF8(strings.Join(strings.Fields(b.kept.String()), " "), "?")
	return text[:min(len(text), most)]
}

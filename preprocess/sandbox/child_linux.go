package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"edgelens/models"
	"edgelens/preprocess"
)

const (
	// childArgument is the only argument of a helper, and childVariable marks its environment,
	// so that a user's argument of the same name is not taken for one.
	childArgument = "decode-helper"
	childVariable = "EDGELENS_DECODE_HELPER"
)

// The files of a helper besides the standard ones.
const (
	childSocket = 3 + iota
	childIn
	childOut
)

// gcPercent is how much the heap of Go may grow before it is collected. It is small: only the
// decoders for GIF and TIFF allocate much, without pointers, and what they take is limited.
const gcPercent = 10

// hooked is whether Main was called: only such a program can be a helper.
var hooked atomic.Bool

// onTest is what a test has a helper do in place of decoding, for a packet that begins with
// testPacket; nil but in tests.
var onTest func(what string) string

const testPacket = "test "

// Main enables the program, or a test binary, to decode in helpers: if the process was started
// for that, Main does it and ends the process; otherwise it returns at once. To be called
// first in main or TestMain.
func Main() {
	if len(os.Args) == 2 && os.Args[1] == childArgument && os.Getenv(childVariable) == childArgument {
		os.Exit(child())
	}
	hooked.Store(true)
}

// child is the main function of a helper. It returns when its parent closes the socket.
func child() int {
	runtime.LockOSThread()
	debug.SetGCPercent(gcPercent)
	packet := make([]byte, maxMessage)
	n, err := unix.Read(childSocket, packet)
	if err != nil {
		return 1
	}
	var intro introduction
	var up introduced
	var preprocessor *preprocess.Preprocessor
	err = json.Unmarshal(packet[:n], &intro)
	if err == nil {
		preprocessor, err = prepare(intro)
	}
	if err == nil {
		up.Protection, up.Baseline, err = confine()
	}
	if err != nil {
		up.Error = err.Error()
	}
	text, err := json.Marshal(up)
	if err != nil {
		return 1
	}
	if _, err := unix.Write(childSocket, text); err != nil || up.Error != "" {
		return 1
	}
	c := helperLoop{preprocessor: preprocessor, packet: packet}
	if err := c.run(); err != nil {
		fmt.Fprintln(os.Stderr, err) // its parent logs it
		return 1
	}
	return 0
}

// prepare makes the preprocessor, and has each decoder do what it does the first time.
func prepare(intro introduction) (*preprocess.Preprocessor, error) {
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0) // optional: the kernel's first choice if memory runs out
	if err := closeInherited(); err != nil {
		return nil, err
	}
	if err := warmUp(); err != nil {
		return nil, err
	}
	return preprocess.New(intro.Settings)
}

// closeInherited closes the files that this process has from its parent's parents, such as
// the pipe of a shell: all but its own and those of Go's runtime.
func closeInherited() error {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("list the open files: %w", err)
	}
	for _, entry := range entries {
		fd, err := strconv.Atoi(entry.Name())
		if err != nil || fd <= childOut {
			continue
		}
		name, err := os.Readlink("/proc/self/fd/" + entry.Name())
		if err != nil || strings.HasPrefix(name, "anon_inode:") || strings.HasPrefix(name, "/sys/fs/cgroup/") {
			continue
		}
		_ = unix.Close(fd) // of a copy of the parent's
	}
	return nil
}

// helperLoop answers tasks.
type helperLoop struct {
	preprocessor *preprocess.Preprocessor
	packet       []byte
	in, out      mapping
	// text and targets are those of the last task, and starts and total their layout.
	text    []byte
	targets []target
	starts  []int
	total   int
}

func (c *helperLoop) run() error {
	for {
		n, err := unix.Read(childSocket, c.packet)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		if n == 0 { // the parent needs it no more, or is gone
			return nil
		}
		reply, err := c.reply(c.packet[:n])
		if err != nil {
			return err
		}
		if _, err := unix.Write(childSocket, reply); err != nil {
			return err
		}
	}
}

// reply does a task.
func (c *helperLoop) reply(packet []byte) ([]byte, error) {
	if onTest != nil && bytes.HasPrefix(packet, []byte(testPacket)) {
		return []byte(onTest(string(packet[len(testPacket):]))), nil
	}
	t, err := parseTask(packet)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(t.targets, c.text) {
		if c.targets, err = t.read(); err != nil {
			return nil, err
		}
		c.text = bytes.Clone(t.targets)
		c.starts, c.total = layout(c.targets)
	}
	encoded, err := c.in.hold(childIn, int(t.size), unix.PROT_READ)
	if err != nil {
		return nil, err
	}
	tensors, err := c.out.hold(childOut, c.total, unix.PROT_READ|unix.PROT_WRITE)
	if err != nil {
		return nil, err
	}
	into := make([]models.InputBuffer, len(c.targets))
	for i, target := range c.targets {
		into[i] = models.InputBuffer{Spec: target.Spec, View: target.View, Bytes: tensors[c.starts[i]:][:target.Spec.Bytes()]}
	}
	filled, err := c.preprocessor.Tensors(encoded, into...)
	for i, tensor := range filled.More {
		copy(tensors[c.starts[0]+(i+1)*len(tensor):], tensor)
	}
	a := answerOf(t.sequence, filled, err)
	a.messages = preprocess.Messages()
	return a.append(nil), nil
}

// mapping is memory that is shared with the parent.
type mapping struct{ bytes []byte }

// hold returns the first size bytes of the file, which the parent has made large enough.
func (m *mapping) hold(file, size, access int) ([]byte, error) {
	if size > len(m.bytes) {
		rounded := 1 << bits.Len(uint(size-1)) // as the parent rounds it
		if m.bytes != nil {
			if err := unix.Munmap(m.bytes); err != nil {
				return nil, fmt.Errorf("munmap: %w", err)
			}
			m.bytes = nil
		}
		mapped, err := unix.Mmap(file, 0, rounded, access, unix.MAP_SHARED)
		if err != nil {
			return nil, fmt.Errorf("mmap: %w", err)
		}
		m.bytes = mapped
	}
	return m.bytes[:size:size], nil
}

// measure returns how large this process is.
func measure() (b baseline, err error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return b, err
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[0] != "VmData:" && fields[0] != "VmSize:" {
			continue
		}
		kilobytes, err := strconv.ParseUint(fields[1], 10, 54)
		if err != nil {
			return b, err
		}
		if fields[0] == "VmData:" {
			b.Data = kilobytes << 10
		} else {
			b.Size = kilobytes << 10
		}
	}
	if b.Data == 0 || b.Size == 0 {
		return b, errors.New("no VmData and VmSize in /proc/self/status")
	}
	return b, nil
}

package probe

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// The memory of a trial: no more than this, and no more than half of the machine's.
const (
	maxTrialBytes     = 2 << 30
	unknownTrialBytes = 512 << 20 // if the machine's memory is unknown
)

// addressSlack is how much more address space than memory a process may have:
// reserved but unused.
const addressSlack = 2 << 30

// limit bounds the memory and processor time of this process, and makes it the
// kernel's first choice if memory runs out.
func limit(memory int64, seconds uint64) error {
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0) // optional: the limit below is the essential one
	used := statusBytes("/proc/self/status")
	for resource, value := range map[int]uint64{
		unix.RLIMIT_DATA: uint64(used["VmData"] + memory),
		unix.RLIMIT_AS:   uint64(used["VmSize"] + memory + addressSlack),
		unix.RLIMIT_CPU:  seconds * uint64(runtime.NumCPU()),
		unix.RLIMIT_CORE: 0,
	} {
		var now unix.Rlimit
		if err := unix.Getrlimit(resource, &now); err != nil {
			return err
		}
		value = min(value, now.Max)
		if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: value, Max: value}); err != nil {
			return err
		}
	}
	return nil
}

// trialBytes returns the memory that a trial may use on this machine, or in this
// container.
func trialBytes() int64 {
	memory := statusBytes("/proc/meminfo")["MemTotal"]
	for _, file := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n > 0 && (memory == 0 || n < memory) {
			memory = n
		}
	}
	if memory == 0 {
		return unknownTrialBytes
	}
	return min(maxTrialBytes, memory/2)
}

// statusBytes reads the sizes of a file of lines such as "VmData:  123 kB"
// (proc(5)).
func statusBytes(file string) map[string]int64 {
	sizes := map[string]int64{}
	text, err := os.ReadFile(file)
	if err != nil {
		return sizes
	}
	for line := range bytes.Lines(text) {
		fields := strings.Fields(string(line))
		if len(fields) != 3 || fields[2] != "kB" {
			continue
		}
		if n, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
			sizes[strings.TrimSuffix(fields[0], ":")] = n << 10
		}
	}
	return sizes
}

// peakBytes returns the maximum memory that a process had in use (getrusage(2)).
func peakBytes(state *os.ProcessState) int64 {
	if usage, ok := state.SysUsage().(*syscall.Rusage); ok {
		return int64(usage.Maxrss) << 10
	}
	return 0
}

// attributes makes the kernel end the child when the thread that started it ends.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
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

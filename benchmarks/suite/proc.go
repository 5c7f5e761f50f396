package suite

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of times in /proc/PID/stat: USER_HZ is 100 on all present Linux architectures (proc(5), sysconf(3)).
const tick = 10 * time.Millisecond

// process is the content of /proc/PID/stat.
type process struct {
	parent int
	// own is the process's CPU time, and gone that of its ended children.
	own, gone time.Duration
}

// treeCPU returns the CPU time of a process and its descendants.
func treeCPU(root int) (time.Duration, error) {
	processes, err := tree(root)
	if err != nil {
		return 0, fmt.Errorf("read the CPU time of process %d: %w", root, err)
	}
	var sum time.Duration
	for _, p := range processes {
		sum += p.own + p.gone
	}
	return sum, nil
}

// treeMemory returns the resident memory of a process and its descendants; shared pages count once (Pss of
// proc_pid_smaps(5)).
func treeMemory(root int) (int64, error) {
	processes, err := tree(root)
	if err != nil {
		return 0, fmt.Errorf("read the memory of process %d: %w", root, err)
	}
	var sum int64
	for pid := range processes {
		if bytes, err := kilobytesIn(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Pss:"); err == nil { // an error means it ended meanwhile
			sum += bytes
		}
	}
	if sum == 0 {
		return 0, fmt.Errorf("read the memory of process %d: it has none", root)
	}
	return sum, nil
}

// tree returns a process and its descendants.
func tree(root int) (map[int]process, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	processes := map[int]process{}
	for _, file := range files {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file))) // digits, by the pattern
		if data, err := os.ReadFile(file); err == nil {           // an error means it ended meanwhile
			if p, ok := parseStat(string(data)); ok {
				processes[pid] = p
			}
		}
	}
	if _, ok := processes[root]; !ok {
		return nil, errors.New("it has ended")
	}
	all := maps.Clone(processes)
	maps.DeleteFunc(processes, func(pid int, _ process) bool { return !below(all, pid, root) })
	return processes, nil
}

func below(processes map[int]process, pid, root int) bool {
	for range processes { // bounded by their number: they are not read atomically
		if pid == root {
			return true
		}
		pid = processes[pid].parent
	}
	return false
}

// parseStat parses proc(5)'s /proc/PID/stat. The name, in parentheses, can contain any characters.
func parseStat(text string) (process, bool) {
	at := strings.LastIndexByte(text, ')')
	fields := strings.Fields(text[at+1:])
	if at < 0 || len(fields) < 15 {
		return process{}, false
	}
	number := func(n int) int64 { // as proc(5) counts, where the state is 3
		v, _ := strconv.ParseInt(fields[n-3], 10, 64) // the kernel's
		return v
	}
	return process{parent: int(number(4)), own: time.Duration(number(14)+number(15)) * tick, gone: time.Duration(number(16)+number(17)) * tick}, true
}

// resident returns the resident memory of a process.
func resident(pid int) (int64, error) {
	return kilobytesIn(fmt.Sprintf("/proc/%d/status", pid), "VmRSS:")
}

// private returns the memory of a process that no other shares (Private_Clean and
// Private_Dirty of proc_pid_smaps(5)).
func private(pid int) (int64, error) {
	file := fmt.Sprintf("/proc/%d/smaps_rollup", pid)
	clean, err := kilobytesIn(file, "Private_Clean:")
	if err != nil {
		return 0, err
	}
	dirty, err := kilobytesIn(file, "Private_Dirty:")
	return clean + dirty, err
}

// kilobytesIn returns the value of the line with that name in a file in /proc, in bytes.
func kilobytesIn(file, name string) (int64, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0, fmt.Errorf("read the memory of a process: %w", err)
	}
	for line := range strings.SplitSeq(string(data), "\n") {
		if value, ok := strings.CutPrefix(line, name); ok {
			kilobytes, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(value, " kB")), 10, 64)
			return kilobytes << 10, err
		}
	}
	return 0, fmt.Errorf("read the memory of a process: %s has no %s: it has ended", file, name)
}

// Package proc reads the CPU time and the memory of processes and their descendants from /proc (Linux).
package proc

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of times in /proc/PID/stat: USER_HZ is 100 on all present Linux architectures (proc(5), sysconf(3)).
const tick = 10 * time.Millisecond

// Process is the content of /proc/PID/stat.
type Process struct {
	// Name is that of the executable, at most 15 bytes.
	Name   string
	Parent int
	// Own is the process's CPU time, and Gone that of its ended children.
	Own, Gone time.Duration
	// Start is when it started, in clock ticks since boot: together with its number it identifies a process. 0 is unknown.
	Start uint64
}

// CPU returns the CPU time of a process and its descendants.
func CPU(root int) (time.Duration, error) {
	processes, err := Tree(root)
	if err != nil {
		return 0, fmt.Errorf("read the CPU time of process %d: %w", root, err)
	}
	var sum time.Duration
	for _, p := range processes {
		sum += p.Own + p.Gone
	}
	return sum, nil
}

// Memory returns the resident memory of a process and its descendants in bytes; shared pages count once (Pss of
// proc_pid_smaps(5)).
func Memory(root int) (int64, error) {
	processes, err := Tree(root)
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

// Tree returns a process and its descendants, by their numbers.
func Tree(root int) (map[int]Process, error) {
	processes, err := all()
	if err != nil {
		return nil, err
	}
	if _, ok := processes[root]; !ok {
		return nil, errors.New("it has ended")
	}
	whole := maps.Clone(processes)
	maps.DeleteFunc(processes, func(pid int, _ Process) bool { return !below(whole, pid, root) })
	return processes, nil
}

// all returns every process of the machine.
func all() (map[int]Process, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	processes := map[int]Process{}
	for _, file := range files {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file))) // digits, by the pattern
		if data, err := os.ReadFile(file); err == nil {           // an error means it ended meanwhile
			if p, ok := parseStat(string(data)); ok {
				processes[pid] = p
			}
		}
	}
	return processes, nil
}

// Running reports whether the process with that number is still the one that was read.
func (p Process) Running(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	now, ok := parseStat(string(data))
	return ok && now.Start == p.Start
}

// Runnable returns how many threads of a process and its descendants run or wait for a processor now.
func Runnable(root int) (int, error) {
	processes, err := Tree(root)
	if err != nil {
		return 0, fmt.Errorf("read the threads of process %d: %w", root, err)
	}
	n := 0
	for pid := range processes {
		files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		if err != nil {
			return 0, err
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				continue // it ended meanwhile
			}
			if at := strings.LastIndexByte(string(data), ')'); at >= 0 && strings.HasPrefix(string(data)[at:], ") R") {
				n++
			}
		}
	}
	return n, nil
}

func below(processes map[int]Process, pid, root int) bool {
	for range processes { // bounded by their number: they are not read atomically
		if pid == root {
			return true
		}
		pid = processes[pid].Parent
	}
	return false
}

// parseStat parses proc(5)'s /proc/PID/stat. The name, in parentheses, can contain any characters.
func parseStat(text string) (Process, bool) {
	at := strings.LastIndexByte(text, ')')
	fields := strings.Fields(text[at+1:])
	if at < 0 || len(fields) < 15 {
		return Process{}, false
	}
	number := func(n int) int64 { // as proc(5) counts, where the state is 3
		if n-3 >= len(fields) {
			return 0
		}
		v, _ := strconv.ParseInt(fields[n-3], 10, 64) // the kernel's
		return v
	}
	_, name, _ := strings.Cut(text[:at], "(")
	return Process{
		Name: name, Parent: int(number(4)), Start: uint64(number(22)),
		Own: time.Duration(number(14)+number(15)) * tick, Gone: time.Duration(number(16)+number(17)) * tick,
	}, true
}

// Resident returns the resident memory of a process in bytes.
func Resident(pid int) (int64, error) {
	return kilobytesIn(fmt.Sprintf("/proc/%d/status", pid), "VmRSS:")
}

// PeakResident returns the largest resident memory of a process in bytes, since its start or ResetPeak.
func PeakResident(pid int) (int64, error) {
	return kilobytesIn(fmt.Sprintf("/proc/%d/status", pid), "VmHWM:")
}

// ResetPeak has PeakResident start again (clear_refs of proc_pid_clear_refs(5)).
func ResetPeak(pid int) error {
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
		return fmt.Errorf("reset the peak of the memory of a process: %w", err)
	}
	return nil
}

// Written returns how many bytes a process and its descendants, the ended ones included, have had the kernel write to disks, without
// those of files that were removed before that (proc_pid_io(5)).
func Written(root int) (int64, error) {
	processes, err := Tree(root)
	if err != nil {
		return 0, fmt.Errorf("read what process %d has written: %w", root, err)
	}
	var sum int64
	for pid := range processes {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
		if errors.Is(err, fs.ErrNotExist) {
			continue // it ended meanwhile
		}
		if err != nil {
			return 0, fmt.Errorf("read what process %d has written: %w", pid, err)
		}
		sum += parseWritten(string(text))
	}
	return sum, nil
}

// parseWritten returns write_bytes without cancelled_write_bytes.
func parseWritten(text string) int64 {
	var sum int64
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		bytes, _ := strconv.ParseInt(value, 10, 64) // the kernel's
		switch name {
		case "write_bytes":
			sum += bytes
		case "cancelled_write_bytes":
			sum -= bytes
		}
	}
	return sum
}

// Private returns the memory of a process that no other shares, in bytes (Private_Clean and
// Private_Dirty of proc_pid_smaps(5)).
func Private(pid int) (int64, error) {
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

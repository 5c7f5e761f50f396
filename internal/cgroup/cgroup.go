// Package cgroup reads how much memory this process may have: that of its control group
// (cgroups(7)), which a container has.
package cgroup

import (
	"math"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// Memory is the memory of a control group.
type Memory struct {
	// Limit is how many bytes the group may have, and Used how many it has, without file
	// contents that the kernel drops when memory is needed.
	Limit, Used int64
}

// Free is how many bytes are left.
func (m Memory) Free() int64 { return m.Limit - m.Used }

// Reader reads the files of the kernel.
type Reader struct {
	// Root is the parent of /proc and /sys: "/" except in tests.
	Root string
}

// hierarchy is where the kernel shows groups, and how the files are called.
type hierarchy struct {
	// mount is the folder of the topmost group below Root, controller the line of
	// /proc/self/cgroup.
	mount, controller string
	limit, used       string
	// reclaimable is the statistic of file contents that were not read lately.
	reclaimable string
}

var hierarchies = []hierarchy{
	{mount: "sys/fs/cgroup", controller: "", limit: "memory.max", used: "memory.current", reclaimable: "inactive_file"},
	{mount: "sys/fs/cgroup/memory", controller: "memory", limit: "memory.limit_in_bytes", used: "memory.usage_in_bytes", reclaimable: "total_inactive_file"},
}

// Memory returns the memory of this process's group, or of the one above it that has the least
// left. ok is false where none has a limit.
func (r Reader) Memory() (least Memory, ok bool) {
	for _, h := range hierarchies {
		for group, known := r.group(h.controller); known; group = path.Dir(group) {
			if m, limited := r.read(h, group); limited && (!ok || m.Free() < least.Free()) {
				least, ok = m, true
			}
			if group == "/" {
				break
			}
		}
	}
	return least, ok
}

// group returns the path of this process's group; of the second version for "".
func (r Reader) group(controller string) (string, bool) {
	text, err := os.ReadFile(filepath.Join(r.Root, "proc/self/cgroup"))
	if err != nil {
		return "", false
	}
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		for _, name := range strings.Split(parts[1], ",") {
			if name == controller {
				return path.Clean("/" + parts[2]), true
			}
		}
	}
	return "", false
}

// read reads the files of a group. In a container its path may be that on the host, where
// the topmost group of the container is its own.
func (r Reader) read(h hierarchy, group string) (m Memory, ok bool) {
	folder := filepath.Join(r.Root, h.mount, group)
	limit, ok := number(filepath.Join(folder, h.limit))
	if !ok {
		return Memory{}, false
	}
	used, ok := number(filepath.Join(folder, h.used))
	if !ok {
		return Memory{}, false
	}
	return Memory{Limit: limit, Used: max(0, used-statistic(filepath.Join(folder, "memory.stat"), h.reclaimable))}, true
}

// number reads a file with a number. It is false for "max", and for what the first version
// has in place of it.
func number(file string) (int64, bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	const none = math.MaxInt64 >> 1
	return n, err == nil && n >= 0 && n < none
}

// statistic reads a line such as "inactive_file 4096"; 0 where there is none.
func statistic(file, name string) int64 {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, name+" "); found {
			n, _ := strconv.ParseInt(strings.TrimSpace(value), 10, 64) // 0 where it is not one
			return n
		}
	}
	return 0
}

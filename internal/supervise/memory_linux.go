package supervise

import "syscall"

// totalMemory is the machine's memory in bytes, 0 where unknown.
func totalMemory() int64 {
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err != nil {
		return 0
	}
	return int64(uint64(info.Totalram) * uint64(info.Unit)) // 32 bits on some boards
}

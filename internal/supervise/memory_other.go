//go:build !linux

package supervise

// totalMemory is the machine's memory in bytes, 0 where unknown.
func totalMemory() int64 { return 0 }

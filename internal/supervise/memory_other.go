//go:build !linux

package supervise

// totalMemory is the machine's memory in bytes, 0 where it cannot be known.
func totalMemory() int64 { return 0 }

//go:build !linux

package inference

// residentBytes is known on Linux only.
func residentBytes() int64 { return 0 }

package kernelcheck

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// identifying are the fields of /proc/cpuinfo that differ between processors with other instructions
// or another design, on x86 and on ARM.
var identifying = []string{
	"vendor_id", "cpu family", "model", "stepping", "flags",
	"CPU implementer", "CPU architecture", "CPU variant", "CPU part", "CPU revision", "Features",
}

// Processor returns a digest of what identifies the processor's cores and their features.
// The kernel's list of features in the auxiliary vector is part of it: an emulator may show
// the machine's /proc/cpuinfo.
func Processor() (string, error) { return processor() }

var processor = sync.OnceValues(func() (string, error) {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "", err
	}
	auxiliary, err := os.ReadFile("/proc/self/auxv")
	if err != nil {
		return "", err
	}
	return processorOf(info, auxiliary)
})

// processorOf returns the digest for the contents of /proc/cpuinfo and /proc/self/auxv.
func processorOf(info, auxiliary []byte) (string, error) {
	var lines []string
	features := false
	for line := range strings.Lines(string(info)) {
		name, value, _ := strings.Cut(line, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if value == "" || !slices.Contains(identifying, name) {
			continue
		}
		features = features || name == "flags" || name == "Features"
		lines = append(lines, name+":"+value)
	}
	if !features {
		return "", errors.New("/proc/cpuinfo has neither flags nor features")
	}
	slices.Sort(lines) // once for each kind of core
	lines = slices.Compact(lines)
	lines = append(lines, capabilities(auxiliary)...)
	sum := sha256.Sum256([]byte(runtime.GOARCH + "\n" + strings.Join(lines, "\n")))
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// capabilities returns the lists of features in an auxiliary vector (AT_HWCAP and those
// that continue it, getauxval(3)).
func capabilities(auxiliary []byte) (list []string) {
	word := func(b []byte) uint64 { return binary.NativeEndian.Uint64(b) }
	size := 8
	if runtime.GOARCH == "arm" || runtime.GOARCH == "386" {
		size = 4
		word = func(b []byte) uint64 { return uint64(binary.NativeEndian.Uint32(b)) }
	}
	for ; len(auxiliary) >= 2*size; auxiliary = auxiliary[2*size:] {
		switch tag := word(auxiliary); tag {
		case 16, 26, 29, 30: // AT_HWCAP, AT_HWCAP2, AT_HWCAP3, AT_HWCAP4
			list = append(list, fmt.Sprintf("hwcap%d:%x", tag, word(auxiliary[size:])))
		}
	}
	return list
}

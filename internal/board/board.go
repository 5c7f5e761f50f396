// Package board describes the machine, and its state: hot, throttled, busy with other work.
package board

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Facts are constant while a benchmark runs. Unknown ones are empty.
type Facts struct {
	// Model is from the device tree ("Raspberry Pi 4 Model B Rev 1.4") or the PC's firmware.
	Model string `json:"model"`
	CPU   string `json:"cpu"`
	// Features are the CPU features that matter to matrix code.
	Features     []string `json:"features"`
	Architecture string   `json:"architecture"`
	Cores        int      `json:"cores"`
	MemoryBytes  int64    `json:"memory_bytes"`
	Kernel       string   `json:"kernel"`
	OS           string   `json:"os"`
}

// State is the state of the machine at a moment.
type State struct {
	At time.Time `json:"at"`
	// Governor is cpufreq's of the first core; MHz, MinMHz and MaxMHz are its frequencies; 0 where the kernel does not
	// report them.
	Governor string `json:"governor"`
	MHz      int    `json:"mhz"`
	MinMHz   int    `json:"min_mhz"`
	MaxMHz   int    `json:"max_mhz"`
	// Celsius is the hottest thermal zone's temperature; nil where there is none.
	Celsius *float64 `json:"celsius"`
	// Throttled are the flags of the Raspberry Pi's firmware (`vcgencmd
	// get_throttled`); nil where there is no such firmware.
	Throttled *uint32 `json:"throttled"`
	// Throttles is how often the cores of a PC were throttled since boot; nil where the kernel does not report it.
	Throttles       *int64  `json:"throttles"`
	Load            float64 `json:"load"` // of one minute
	MemoryFreeBytes int64   `json:"memory_free_bytes"`
}

// Prober reads the machine's state.
type Prober struct {
	// Root is the parent of /proc and /sys: "/" except in tests.
	Root string
	// Command runs a program and returns what it prints; nil runs it really.
	Command func(ctx context.Context, name string, args ...string) (string, error)
}

// Facts returns the constant facts.
func (p Prober) Facts() Facts {
	f := Facts{Architecture: runtime.GOARCH, Cores: runtime.NumCPU(), Features: []string{}}
	f.Model = p.text("sys/firmware/devicetree/base/model")
	if f.Model == "" {
		f.Model = strings.TrimSpace(p.text("sys/class/dmi/id/sys_vendor") + " " + p.text("sys/class/dmi/id/product_name"))
	}
	cpu := p.table("proc/cpuinfo", ":")
	f.CPU = first(cpu["model name"], cpu["Model"], cpu["CPU part"])
	known := []string{"neon", "asimd", "asimddp", "asimdhp", "i8mm", "sse4_1", "avx", "avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8"}
	for _, feature := range strings.Fields(first(cpu["flags"], cpu["Features"])) {
		if slices.Contains(known, feature) {
			f.Features = append(f.Features, feature)
		}
	}
	f.MemoryBytes = kilobytes(p.table("proc/meminfo", ":")["MemTotal"])
	f.Kernel = p.text("proc/sys/kernel/osrelease")
	f.OS = strings.Trim(p.table("etc/os-release", "=")["PRETTY_NAME"], `"`)
	return f
}

// State returns the present state.
func (p Prober) State(ctx context.Context) State {
	const cpufreq = "sys/devices/system/cpu/cpu0/cpufreq/"
	s := State{
		At: time.Now(), Governor: p.text(cpufreq + "scaling_governor"), MHz: p.number(cpufreq+"scaling_cur_freq") / 1000,
		MinMHz: p.number(cpufreq+"scaling_min_freq") / 1000, MaxMHz: p.number(cpufreq+"scaling_max_freq") / 1000,
		MemoryFreeBytes: kilobytes(p.table("proc/meminfo", ":")["MemAvailable"]),
	}
	if load := strings.Fields(p.text("proc/loadavg")); len(load) > 0 {
		s.Load, _ = strconv.ParseFloat(load[0], 64) // 0 where it is not a number
	}
	s.Celsius = p.Celsius()
	s.Throttled = p.throttled(ctx)
	for _, core := range p.glob("sys/devices/system/cpu/cpu*/thermal_throttle/core_throttle_count") {
		if s.Throttles == nil {
			s.Throttles = new(int64)
		}
		*s.Throttles += int64(p.number(core))
	}
	return s
}

// throttled reads the Raspberry Pi's firmware flags: through sysfs, or by vcgencmd.
func (p Prober) throttled(ctx context.Context) *uint32 {
	for _, file := range []string{"sys/devices/platform/soc/soc:firmware/get_throttled", "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled"} {
		if flags, ok := parseThrottled(p.text(file)); ok {
			return &flags
		}
	}
	command := p.Command
	if command == nil {
		command = output
	}
	text, err := command(ctx, "vcgencmd", "get_throttled")
	if err != nil {
		return nil
	}
	if flags, ok := parseThrottled(text); ok {
		return &flags
	}
	return nil
}

// parseThrottled parses "throttled=0x50000" (vcgencmd), or "50000" (sysfs).
func parseThrottled(text string) (uint32, bool) {
	text = strings.TrimPrefix(strings.TrimSpace(text), "throttled=")
	flags, err := strconv.ParseUint(strings.TrimPrefix(text, "0x"), 16, 32)
	return uint32(flags), err == nil
}

func output(ctx context.Context, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).Output()
	return string(out), err
}

func (p Prober) text(name string) string {
	data, err := os.ReadFile(filepath.Join(p.Root, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(strings.TrimRight(string(data), "\x00\n"))
}

func (p Prober) number(name string) int {
	n, _ := strconv.Atoi(p.text(name)) // 0 where there is none
	return n
}

// glob returns the names of files below Root, without it.
func (p Prober) glob(pattern string) []string {
	names, _ := filepath.Glob(filepath.Join(p.Root, pattern)) // the pattern is valid
	for i, name := range names {
		names[i], _ = filepath.Rel(p.Root, name) // it is below
	}
	return names
}

// table parses lines such as "MemTotal: 1 kB"; of duplicate names, the first.
func (p Prober) table(name, separator string) map[string]string {
	values := map[string]string{}
	lines := bufio.NewScanner(strings.NewReader(p.text(name)))
	lines.Buffer(nil, 1<<20) // flags are long
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), separator)
		key = strings.TrimSpace(key)
		if _, known := values[key]; !known {
			values[key] = strings.TrimSpace(value)
		}
	}
	return values
}

func kilobytes(text string) int64 {
	n, _ := strconv.ParseInt(strings.TrimSuffix(text, " kB"), 10, 64) // 0 where it is not one
	return n << 10
}

func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

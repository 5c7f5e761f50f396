//go:build cgo

package tflite

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// compile makes a program or library of C files with the compiler that cgo uses.
func compile(t *testing.T, out string, arguments ...string) {
	t.Helper()
	compiler := os.Getenv("CC")
	if compiler == "" {
		compiler = "cc"
	}
	command := exec.Command(compiler, append([]string{"-O1", "-Wall", "-Werror", "-Wno-unused-function", "-D_GNU_SOURCE", "-Iinclude", "-o", out}, arguments...)...)
	if words, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", command.Args, err, words)
	}
}

// A library of each layout gets both flags where it looks for them, its own defaults
// elsewhere, and no flags where it keeps something else. It gets shared weights where it
// looks for those, if its own cache of weights looks as it is known.
func TestXNNPACKLayouts(t *testing.T) {
	const own, own220 = " cache=0 path=0", " descriptor=-1 provider=0"
	for name, c := range map[string]struct {
		layout, defaults, cache string
		found                   string
		last                    string // delegate that was made
	}{
		"2.9":                       {"209", "0", "", "word=1 shares=0", "threads=3 flags=3"},
		"2.9 with a cache":          {"209", "0", "function", "word=1 shares=0", "threads=3 flags=3"},
		"2.17":                      {"217", "3", "function", "word=1 shares=1", "threads=3 flags=3 cache=1 path=0"},
		"2.17 without defaults":     {"217", "0", "function", "word=1 shares=1", "threads=3 flags=3 cache=1 path=0"},
		"2.17 without a cache":      {"217", "3", "", "word=1 shares=0", "threads=3 flags=3" + own},
		"2.17 with another cache":   {"217", "3", "(void (*)(void))puts", "word=1 shares=0", "threads=3 flags=3" + own},
		"2.17 with less of a cache": {"217", "3", "0", "word=1 shares=0", "threads=3 flags=3" + own},
		"2.20":                      {"220", "3", "function", "word=2 shares=1", "threads=3 flags=3 runtime=0" + own220 + " cache=1 path=0"},
		"2.20 without defaults":     {"220", "0", "function", "word=2 shares=1", "threads=3 flags=3 runtime=0" + own220 + " cache=1 path=0"},
		"2.20 without a cache":      {"220", "3", "", "word=2 shares=0", "threads=3 flags=3 runtime=0" + own220 + own},
		"unknown":                   {"999", "3", "function", "word=0 shares=0", ""},
		"unknown without defaults":  {"999", "0", "function", "word=0 shares=0", ""},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			library, program := filepath.Join(folder, "libxnnpack.so"), filepath.Join(folder, "caller")
			arguments := []string{"-shared", "-fPIC", "-DLAYOUT=" + c.layout, "-DDEFAULT_FLAGS=" + c.defaults, "testdata/xnnpack_library.c"}
			if c.cache != "" {
				arguments = append(arguments, "-DCACHE="+c.cache)
			}
			compile(t, library, arguments...)
			compile(t, program, "testdata/xnnpack_caller.c", "-Wl,--no-as-needed", library, "-Wl,-rpath,"+folder)
			out, err := exec.Command(program).Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			at := slices.Index(lines, c.found)
			if at < 0 || c.last != "" && lines[len(lines)-1] != c.last || c.last == "" && at != len(lines)-1 {
				t.Errorf("got %q, want %s, then %q", lines, c.found, c.last)
			}
			for _, line := range lines[:max(at, 0)] { // while trying
				if c.layout == "217" && strings.Contains(line, "cache=1") {
					t.Errorf("the pointer behind the flags was overwritten: %s", line)
				}
			}
		})
	}
	t.Run("no XNNPACK", func(t *testing.T) {
		program := filepath.Join(t.TempDir(), "caller")
		compile(t, program, "testdata/xnnpack_caller.c")
		if out, err := exec.Command(program).Output(); err != nil || strings.TrimSpace(string(out)) != "word=-1 shares=0" {
			t.Errorf("%v: %s", err, out)
		}
	})
}

// The library of this build has a layout that is known, whichever it is.
func TestXNNPACKOfThisLibrary(t *testing.T) {
	x, err := newXNNPACK(1, nil)
	if err != nil {
		t.Fatal(err)
	}
	x.Delete()
	x.Delete()
}

// The cache keeps weights once, in one place, and tells where it lacks memory.
func TestWeightsCache(t *testing.T) {
	program := filepath.Join(t.TempDir(), "caller")
	compile(t, program, "testdata/weights_caller.c")
	if out, err := exec.Command(program).CombinedOutput(); err != nil || string(out) != "ok\n" {
		t.Errorf("%v: %s", err, out)
	}
}

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
	command := exec.Command(compiler, append([]string{"-O1", "-Wall", "-Werror", "-Iinclude", "-o", out}, arguments...)...)
	if words, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", command.Args, err, words)
	}
}

// A library of each layout gets both flags where it looks for them, its own defaults
// elsewhere, and no flags where it keeps something else.
func TestXNNPACKLayouts(t *testing.T) {
	const own220 = " descriptor=-1 provider=0 cache=0 path=0"
	for name, c := range map[string]struct {
		layout, defaults, word string
		last                   string // delegate that was made
	}{
		"2.9":                      {"209", "0", "word=1", "threads=3 flags=3"},
		"2.17":                     {"217", "3", "word=1", "threads=3 flags=3 cache=0 path=0"},
		"2.17 without defaults":    {"217", "0", "word=1", "threads=3 flags=3 cache=0 path=0"},
		"2.20":                     {"220", "3", "word=2", "threads=3 flags=3 runtime=0" + own220},
		"2.20 without defaults":    {"220", "0", "word=2", "threads=3 flags=3 runtime=0" + own220},
		"unknown":                  {"999", "3", "word=0", ""},
		"unknown without defaults": {"999", "0", "word=0", ""},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			library, program := filepath.Join(folder, "libxnnpack.so"), filepath.Join(folder, "caller")
			compile(t, library, "-shared", "-fPIC", "-DLAYOUT="+c.layout, "-DDEFAULT_FLAGS="+c.defaults, "testdata/xnnpack_library.c")
			compile(t, program, "testdata/xnnpack_caller.c", "-Wl,--no-as-needed", library, "-Wl,-rpath,"+folder)
			out, err := exec.Command(program).Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			at := slices.Index(lines, c.word)
			if at < 0 || c.last != "" && lines[len(lines)-1] != c.last || c.last == "" && at != len(lines)-1 {
				t.Errorf("got %q, want %s, then %q", lines, c.word, c.last)
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
		if out, err := exec.Command(program).Output(); err != nil || strings.TrimSpace(string(out)) != "word=-1" {
			t.Errorf("%v: %s", err, out)
		}
	})
}

// The library of this build has a layout that is known, whichever it is.
func TestXNNPACKOfThisLibrary(t *testing.T) {
	x, err := newXNNPACK(1)
	if err != nil {
		t.Fatal(err)
	}
	x.Delete()
	x.Delete()
}

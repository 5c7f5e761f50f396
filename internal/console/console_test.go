package console_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edgelens/internal/console"
)

func TestProgressWithoutTerminalIsLines(t *testing.T) {
	for lines, want := range map[int]int{1: 2, 2: 3, 5: 6, 100: 11} {
		var out strings.Builder
		progress := console.NewProgress(&out, lines)
		for done := range 11 {
			progress(done, 10, fmt.Sprint("step ", done))
		}
		if got := strings.Count(out.String(), "\n"); got != want || !strings.HasPrefix(out.String(), "0 of 10: step 0\n") {
			t.Errorf("%d lines: %d, want %d:\n%s", lines, got, want, &out)
		}
	}
}

func TestIsTerminal(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() // never written
	if console.IsTerminal(file) || console.IsTerminal(&strings.Builder{}) {
		t.Error("a file or a buffer is taken for a terminal")
	}
}

func TestPlural(t *testing.T) {
	for n, want := range map[int]string{0: "figures", 1: "figure", 2: "figures"} {
		if got := console.Plural(n, "figure"); got != want {
			t.Errorf("%d %s, want %s", n, got, want)
		}
	}
}

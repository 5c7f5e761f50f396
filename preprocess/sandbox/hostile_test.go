//go:build cgo && linux

package sandbox

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Files that were made to take long or much are answered within the time, and within the
// memory that their headers call for. The folder EDGELENS_TEST_HOSTILE has them; the slow ones
// are logged.
func TestHostileFiles(t *testing.T) {
	folder := os.Getenv("EDGELENS_TEST_HOSTILE")
	if folder == "" {
		t.Skip("EDGELENS_TEST_HOSTILE is not set, so there are no hostile files")
	}
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s (%v)", folder, err)
	}
	const slow = 500 * time.Millisecond
	for _, name := range files {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f := newFixture(t, func(c *Config) { c.Timeout = DefaultConfig().Timeout })
		begin := time.Now()
		plan, err := f.local.Plan(file)
		checked := time.Since(begin)
		if checked > slow/5 {
			t.Logf("%s: %v to check its header (%v)", filepath.Base(name), checked.Round(time.Millisecond), err)
		}
		if err == nil {
			peak, used, wall, err := decodeMeasured(t, f, file)
			var end *death
			if used > slow || errors.As(err, &end) {
				t.Logf("%s: %v of processor time, %d MB of %d (%v)", filepath.Base(name), used.Round(time.Millisecond), peak>>20, plan.Memory>>20, err)
			}
			if peak > plan.Memory && end == nil {
				t.Errorf("%s took %d bytes, %d were worked out", filepath.Base(name), peak, plan.Memory)
			}
			if wall+checked > f.config.Timeout+slow {
				t.Errorf("%s was answered after %v", filepath.Base(name), wall)
			}
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestGenerateGate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gate")
	var out, errs strings.Builder
	if status := execute(t.Context(), []string{"dataset", "generate", "gate", dir, "--site", "7", "--count", "3", "--conditions", "dusk", "--json"}, nil, &out, &errs); status != statusOK {
		t.Fatalf("the exit status is %d: %s", status, errs.String())
	}
	var got jsonGenerated
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
		t.Fatal(err)
	}
	for label, want := range map[string]int{"open": 2, "closed": 1} {
		files, err := os.ReadDir(filepath.Join(dir, label))
		if err != nil {
			t.Fatal(err)
		}
		if len(files) != want || got.Images[label] != want {
			t.Errorf("%s: %d files, and %d by the JSON, not %d", label, len(files), got.Images[label], want)
		}
	}
	if !strings.Contains(errs.String(), "3 of 3") {
		t.Errorf("the progress is %q", errs.String())
	}
}

func TestGenerateGateRefuses(t *testing.T) {
	for name, args := range map[string][]string{"no folder": {}, "site": {"x", "--site", "0"}, "count": {"x", "--count", "0"}, "condition": {"x", "--conditions", "snow"}} {
		t.Chdir(t.TempDir())
		var out, errs strings.Builder
		if status := execute(t.Context(), append([]string{"dataset", "generate", "gate"}, args...), nil, &out, &errs); status != statusUsage {
			t.Errorf("%s: the exit status is %d: %s", name, status, errs.String())
		}
		if entries, err := os.ReadDir("."); err != nil || len(entries) > 0 {
			t.Errorf("%s: files were written: %v, %v", name, entries, err)
		}
	}
}

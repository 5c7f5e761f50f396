package report

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"edgelens/benchmarks/record"
)

// Make reads the folder's raw records and writes report.md and the plots into it; it overwrites existing ones.
func Make(dir string) (*Summary, error) {
	records, err := record.Read(dir)
	if err != nil {
		return nil, err
	}
	summary := Summarize(records)
	plots, err := summary.Plots(dir)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if err := summary.Markdown(&text, plots); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "report.md"), text.Bytes(), 0o644); err != nil {
		return nil, fmt.Errorf("write the report: %w", err)
	}
	return summary, nil
}

package report

import (
	"edgelens/benchmarks/record"
	"edgelens/benchmarks/table"
)

// File is the metric of a model's file.
const File = "file"

// variantGrid compares quantization variants: the model with its own float32 variant, with the same weights, and a
// legacy one with its int8 variant. It is false where none was measured.
func (s *Summary) variantGrid() (table.Table, bool) {
	g := table.Table{Title: "Quantization variants of the model, alternately (published for the reference service: a quarter of the size, 2.3 times as fast)", Rows: [][]string{
		{"variant", "file", "file, variant / model", "mean", "mean, variant / model"}}}
	for _, c := range s.Cases {
		if c.Mode != record.ModeModel || c.Variant == "" {
			continue
		}
		model := s.Find(func(other record.Case) bool {
			return other.Mode == record.ModeModel && other.Variant == "" && other.Runtime == c.Runtime && other.Delegate == c.Delegate && other.Threads == c.Threads && other.Interpreters == c.Interpreters
		})
		if model == nil {
			continue
		}
		row := []string{c.Name, "-", medianRatio(c, model, File), "-", medianRatio(c, model, "mean")}
		for i, name := range map[int]string{1: File, 3: "mean"} {
			if m, ok := c.Metric(name); ok {
				row[i] = m.text()
			}
		}
		g.Rows = append(g.Rows, row)
	}
	return g, len(g.Rows) > 1
}

package report

import "edgelens/benchmarks/record"

// File is the metric of a model's file.
const File = "file"

// formGrid says what quantization saves: the model beside its own float32
// form, with the same weights, and a legacy one beside its int8 form. It is
// false where none was measured.
func (s *Summary) formGrid() (grid, bool) {
	g := grid{title: "What quantization saves: forms of the model, by turns (the article: a quarter of the size, 2.3 times as fast)", rows: [][]string{
		{"form", "file", "file, form / model", "mean", "mean, form / model"}}}
	for _, c := range s.Cases {
		if c.Mode != record.ModeModel || c.Form == "" {
			continue
		}
		model := s.Find(func(other record.Case) bool {
			return other.Mode == record.ModeModel && other.Form == "" && other.Delegate == c.Delegate && other.Threads == c.Threads && other.Interpreters == c.Interpreters
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
		g.rows = append(g.rows, row)
	}
	return g, len(g.rows) > 1
}

package history

import (
	"bytes"
	"fmt"
	"io"

	"edgelens/benchmarks/table"
)

// maxGrowth is how many times a figure of the largest history may be that of the smallest.
const maxGrowth = 3

// Growth is how many times the value of one size is that of another, with less than the floor counted as that.
func (f Figure) Growth(from Figure) float64 {
	return max(f.Value, f.Floor) / max(from.Value, from.Floor)
}

// Print writes the table: a row for each figure, a column for each size.
func (r Result) Print(out io.Writer) error {
	header := []string{""}
	for _, size := range r.Sizes {
		header = append(header, fmt.Sprint(size))
	}
	rows := [][]string{append(header, "growth")}
	last := len(r.Figures) - 1
	for i, figure := range r.Figures[0] {
		row := []string{figure.Name + " (" + figure.Unit + ")"}
		for _, of := range r.Figures {
			row = append(row, fmt.Sprintf("%.3g", of[i].Value))
		}
		rows = append(rows, append(row, fmt.Sprintf("%.1f", r.Figures[last][i].Growth(figure))))
	}
	return table.Text(out, rows)
}

// Check returns an error where a figure grows more than threefold from the smallest history to the largest.
func (r Result) Check() error {
	last := len(r.Figures) - 1
	for i, figure := range r.Figures[0] {
		if growth := r.Figures[last][i].Growth(figure); growth > maxGrowth {
			return fmt.Errorf("%q grows %.1f times from %d to %d items; %d are the most", figure.Name, growth, r.Sizes[0], r.Sizes[last], maxGrowth)
		}
	}
	return nil
}

// reader returns a reader of a body; nil for none.
func reader(body []byte) io.Reader {
	if body == nil {
		return nil
	}
	return bytes.NewReader(body)
}

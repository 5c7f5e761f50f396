package history

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"edgelens/benchmarks/table"
)

// maxGrowth is how many times a figure of the largest history may be that of the smallest.
const maxGrowth = 3

// Row is a line of the table.
type Row struct {
	Name string
	// Values has one for each size, in Unit: ms, s, %, B or KiB.
	Values []float64
	Unit   string
	// Floor is the least that a value counts as for Growth: less is noise.
	Floor float64
	// Wanted is what a million items may cost; 0 for no such figure. It decides nothing, since machines differ.
	Wanted float64
	// Tries is how often it was measured.
	Tries int
}

// Growth is how many times the value of the largest history is that of the smallest.
func (r Row) Growth() float64 {
	smallest, largest := max(r.Values[0], r.Floor), max(r.Values[len(r.Values)-1], r.Floor)
	if largest == smallest {
		return 1 // even where both are 0
	}
	return largest / smallest
}

// Result has the rows, with the values in the order of the sizes.
type Result struct {
	Sizes []int
	Rows  []Row
}

// Print writes the table: a column for each size.
func (r Result) Print(out io.Writer) error {
	header := []string{""}
	for _, size := range r.Sizes {
		header = append(header, fmt.Sprint(size))
	}
	lines := [][]string{append(header, "growth", "wanted at 1000000", "measured")}
	for _, row := range r.Rows {
		line := []string{row.Name + " (" + row.Unit + ")"}
		for _, value := range row.Values {
			line = append(line, fmt.Sprintf("%.3g", value))
		}
		wanted := ""
		if row.Wanted > 0 {
			wanted = strconv.FormatFloat(row.Wanted, 'g', -1, 64)
		}
		lines = append(lines, append(line, fmt.Sprintf("%.1f", row.Growth()), wanted, fmt.Sprint(row.Tries)+"x"))
	}
	return table.Text(out, lines)
}

// Check returns an error for each figure that grows more than threefold from the smallest history to the largest.
func (r Result) Check() error {
	var errs []error
	for _, row := range r.Rows {
		if growth := row.Growth(); growth > maxGrowth {
			errs = append(errs, fmt.Errorf("%q grows %.1f times from %d to %d items, in each of %d tries; %d are the most",
				row.Name, growth, r.Sizes[0], r.Sizes[len(r.Sizes)-1], row.Tries, maxGrowth))
		}
	}
	return errors.Join(errs...)
}

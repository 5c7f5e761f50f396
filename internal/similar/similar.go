// Package similar finds the known name that is closest to a misspelled one.
package similar

// Name returns the known name that is closest to name, or "" where all differ in a third of their letters or more.
func Name(name string, known []string) string {
	best, distance := "", len(name)/3+1
	for _, k := range known {
		if max(len(name)-len(k), len(k)-len(name)) >= distance {
			continue // as many bytes to insert or delete; a name of megabytes costs seconds below
		}
		if d := Distance(name, k); d < distance {
			best, distance = k, d
		}
	}
	return best
}

// Distance is the number of bytes to insert, delete, replace or swap with their
// neighbor to make b of a (optimal string alignment).
func Distance(a, b string) int {
	// Three rows of the table: two above the current one.
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, above, row = above, row, before
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}

package vector

import (
	"cmp"
	"container/heap"
	"slices"
)

// best keeps the most similar matches, the least similar of them on top of a heap.
type best struct {
	Search
	matches matches
}

// matches implements heap.Interface.
type matches []Match

// compare orders matches: the less similar first, of equal ones that with the smaller id.
func compare(a, b Match) int {
	return cmp.Or(cmp.Compare(a.Similarity, b.Similarity), cmp.Compare(a.ID, b.ID))
}

func (m matches) Len() int           { return len(m) }
func (m matches) Less(i, j int) bool { return compare(m[i], m[j]) < 0 }
func (m matches) Swap(i, j int)      { m[i], m[j] = m[j], m[i] }
func (m *matches) Push(x any)        { *m = append(*m, x.(Match)) }
func (m *matches) Pop() any {
	last := len(*m) - 1
	x := (*m)[last]
	*m = (*m)[:last]
	return x
}

// wants reports whether a match is among the best so far.
func (b *best) wants(m Match) bool {
	return m.Similarity >= b.MinSimilarity && (len(b.matches) < b.Limit || compare(m, b.matches[0]) > 0)
}

// add adds a match if it is among the best.
func (b *best) add(m Match) {
	switch {
	case !b.wants(m):
	case len(b.matches) < b.Limit:
		heap.Push(&b.matches, m)
	default:
		b.matches[0] = m
		heap.Fix(&b.matches, 0)
	}
}

// sorted returns the matches, the most similar first.
func (b *best) sorted() []Match {
	slices.SortFunc(b.matches, func(x, y Match) int { return compare(y, x) })
	return b.matches
}

package vector

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"edgelens"
)

// blockVectors is how many vectors are allocated at a time: with 1024 dimensions, 256 KiB.
const blockVectors = 256

// Index has vectors of equal dimensions in memory, by id, a byte for each dimension. It is safe for use by many goroutines.
type Index struct {
	mu sync.RWMutex
	// dims is 0 until the first vector is added.
	dims   int
	blocks []block
	// positions are where the vectors are, counted over all blocks.
	positions map[int64]int
}

// block has up to blockVectors vectors.
type block struct {
	ids      []int64
	words    []uint64 // wordsOf(dims) of each
	sums     []int64
	inverses []float64
}

// Match is a vector that Search found.
type Match struct {
	ID int64
	// Similarity is the cosine of the angle to the query, -1 to 1.
	Similarity float64
}

// Search selects what is found.
type Search struct {
	// Limit is the largest number wanted, at least 1.
	Limit int
	// MinSimilarity is the least similarity of a Match.
	MinSimilarity float64
	// Keep selects by id; nil for all. It is called by several goroutines at a time.
	Keep func(id int64) bool
}

// Len returns how many vectors there are.
func (x *Index) Len() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.positions)
}

// Bytes returns how much memory the vectors take.
func (x *Index) Bytes() int64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	const perVector = 3*8 + 40 // id, sum, inverse, and the entry in positions
	return int64(len(x.blocks)) * blockVectors * int64(8*wordsOf(x.dims)+perVector)
}

// Add adds a vector, or replaces that of its id. Its error is an edgelens.ErrInvalid for one without a direction, or of
// other dimensions than those before it.
func (x *Index) Add(id int64, values []int8) error {
	square := squareOf(values)
	if square == 0 || len(values) > MaxDims {
		return fmt.Errorf("add a vector: %w: it has %d dimensions and no direction, or more than %d", edgelens.ErrInvalid, len(values), MaxDims)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.positions) == 0 {
		x.dims, x.blocks, x.positions = len(values), nil, map[int64]int{}
	}
	if len(values) != x.dims {
		return fmt.Errorf("add a vector: %w: it has %d dimensions, and those before it have %d", edgelens.ErrInvalid, len(values), x.dims)
	}
	position, known := x.positions[id]
	if !known {
		position = len(x.positions)
		x.positions[id] = position
		if position/blockVectors == len(x.blocks) {
			x.blocks = append(x.blocks, newBlock(x.dims))
		}
	}
	b, i, n := &x.blocks[position/blockVectors], position%blockVectors, wordsOf(x.dims)
	b.ids[i], b.inverses[i] = id, inverse(square)
	b.sums[i] = packed(values, b.words[i*n:(i+1)*n])
	return nil
}

func newBlock(dims int) block {
	return block{make([]int64, blockVectors), make([]uint64, blockVectors*wordsOf(dims)), make([]int64, blockVectors), make([]float64, blockVectors)}
}

// Remove removes the vectors with these ids, as far as there are any.
func (x *Index) Remove(ids ...int64) {
	if len(ids) == 0 {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, id := range ids {
		if position, known := x.positions[id]; known {
			x.remove(id, position)
		}
	}
	x.blocks = slices.Delete(x.blocks, (len(x.positions)+blockVectors-1)/blockVectors, len(x.blocks))
}

// remove puts the last vector in the place of one.
func (x *Index) remove(id int64, position int) {
	last := len(x.positions) - 1
	delete(x.positions, id)
	n := wordsOf(x.dims)
	from, f := &x.blocks[last/blockVectors], last%blockVectors
	if position != last {
		to, t := &x.blocks[position/blockVectors], position%blockVectors
		to.ids[t], to.sums[t], to.inverses[t] = from.ids[f], from.sums[f], from.inverses[f]
		copy(to.words[t*n:(t+1)*n], from.words[f*n:(f+1)*n])
		x.positions[to.ids[t]] = position
	}
	clear(from.words[f*n : (f+1)*n]) // what is erased does not stay in memory
}

// Find returns the vectors that are most similar to values, the most similar first, of equal ones that with the larger id.
// The result is exact: the same as that of comparing all of them. It uses all processors. Its error is an
// edgelens.ErrInvalid for a vector without a direction or of other dimensions, or an edgelens.ErrCanceled once ctx ends.
func (x *Index) Find(ctx context.Context, values []int8, s Search) ([]Match, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	switch {
	case s.Limit < 1:
		return nil, fmt.Errorf("find similar vectors: %w: the limit must be at least 1, not %d", edgelens.ErrInvalid, s.Limit)
	case len(x.positions) == 0:
		return nil, nil
	case len(values) != x.dims || squareOf(values) == 0:
		return nil, fmt.Errorf("find similar vectors: %w: the vector has %d dimensions or no direction; those to compare with have %d dimensions", edgelens.ErrInvalid, len(values), x.dims)
	}
	q := newQuery(values)
	workers := min(runtime.GOMAXPROCS(0), len(x.blocks))
	found := make([]best, workers)
	var group sync.WaitGroup
	for worker := range workers {
		found[worker].Search = s
		group.Go(func() {
			for b := worker; b < len(x.blocks) && ctx.Err() == nil; b += workers {
				count := min(blockVectors, len(x.positions)-b*blockVectors)
				x.blocks[b].find(&q, count, &found[worker])
			}
		})
	}
	group.Wait()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("find similar vectors: %w", edgelens.ErrCanceled)
	}
	for _, other := range found[1:] {
		for _, m := range other.matches {
			found[0].add(m)
		}
	}
	return found[0].sorted(), nil
}

// find adds the vectors of a block to the best.
func (b *block) find(q *query, count int, best *best) {
	n := len(q.table)
	for i := range count {
		product := q.product(b.words[i*n:(i+1)*n], b.sums[i])
		m := Match{b.ids[i], similarity(product, q.inverse, b.inverses[i])}
		if best.wants(m) && (best.Keep == nil || best.Keep(m.ID)) {
			best.add(m)
		}
	}
}

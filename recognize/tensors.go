package recognize

import "sync"

// tensorPool has tensors that images are decoded into ahead of their runs. What is in them is
// of an earlier image, and overwritten as a whole. It is safe for concurrent use.
type tensorPool struct{ pool sync.Pool }

// take returns a tensor of that many bytes.
func (p *tensorPool) take(size int) []byte {
	if kept, ok := p.pool.Get().(*[]byte); ok && cap(*kept) >= size {
		return (*kept)[:size]
	}
	return make([]byte, size)
}

// give takes a tensor back that no one uses any more.
func (p *tensorPool) give(tensor []byte) { p.pool.Put(&tensor) }

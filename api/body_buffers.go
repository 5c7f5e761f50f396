package api

import "sync"

const (
	// bufferUnit is the size by which buffers differ, and maxBuffer that of the largest that is kept.
	bufferUnit, maxBuffer = 16 << 10, 512 << 10
)

// bodyBuffers keeps buffers of bodies for later bodies. Without it, each image leaves twice its size to Go's collector, which,
// whenever there are some ten megabytes of it, takes all cores for some ten milliseconds (docs/adr/0061-body-buffers.md). A buffer
// has bytes of an earlier body beyond those that were read into it, so what is read must end where the body does.
//
// How much is kept is up to the collector, as with every sync.Pool: what two collections in a row find unused is gone. It is safe
// for concurrent use; nil keeps none.
type bodyBuffers struct {
	pools [maxBuffer / bufferUnit]sync.Pool // of *[]byte of one more unit each
}

// take returns an empty buffer for at least that many bytes, and for less than a unit more.
func (b *bodyBuffers) take(size int) []byte {
	if b == nil || size < bufferUnit || size > maxBuffer {
		return make([]byte, 0, size)
	}
	units := (size + bufferUnit - 1) / bufferUnit
	if kept, ok := b.pools[units-1].Get().(*[]byte); ok {
		return *kept
	}
	return make([]byte, 0, units*bufferUnit)
}

// give takes a buffer back that is not read any more; nil does nothing.
func (b *bodyBuffers) give(buffer []byte) {
	size := cap(buffer)
	if b == nil || size == 0 || size%bufferUnit != 0 || size > maxBuffer {
		return
	}
	buffer = buffer[:0]
	b.pools[size/bufferUnit-1].Put(&buffer)
}

// grow returns a buffer with the same content and room for that many bytes more, and takes the old one back.
func (b *bodyBuffers) grow(buffer []byte, more int) []byte {
	larger := append(b.take(len(buffer)+more), buffer...)
	b.give(buffer)
	return larger
}

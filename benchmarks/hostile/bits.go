package hostile

// bitsHigh writes bits as JPEG does: the most significant first, with a zero byte after each 0xFF.
type bitsHigh struct {
	out     []byte
	pending uint64
	n       int
}

func (b *bitsHigh) put(value uint32, count int) {
	b.pending = b.pending<<count | uint64(value)&(1<<count-1)
	b.n += count
	for b.n >= 8 {
		b.n -= 8
		octet := byte(b.pending >> b.n)
		b.out = append(b.out, octet)
		if octet == 0xff {
			b.out = append(b.out, 0)
		}
	}
}

// plain is put without a byte after 0xFF, and rest ends it with zeros.
func (b *bitsHigh) plain(value uint32, count int) {
	b.pending = b.pending<<count | uint64(value)&(1<<count-1)
	for b.n += count; b.n >= 8; {
		b.n -= 8
		b.out = append(b.out, byte(b.pending>>b.n))
	}
}

func (b *bitsHigh) rest() []byte {
	if b.n > 0 {
		b.plain(0, 8-b.n)
	}
	return b.out
}

// bytes fills the last byte with ones.
func (b *bitsHigh) bytes() []byte {
	if b.n > 0 {
		b.put(1<<(8-b.n)-1, 8-b.n)
	}
	return b.out
}

// bitsLow writes bits as deflate and lossless WebP do: the least significant first.
type bitsLow struct {
	out     []byte
	pending uint64
	n       int
}

func (b *bitsLow) put(value uint32, count int) {
	b.pending |= (uint64(value) & (1<<count - 1)) << b.n
	b.n += count
	for b.n >= 8 {
		b.out = append(b.out, byte(b.pending))
		b.pending >>= 8
		b.n -= 8
	}
}

// code writes a prefix code, whose first bit is the most significant one.
func (b *bitsLow) code(value uint32, count int) {
	for i := count - 1; i >= 0; i-- {
		b.put(value>>i&1, 1)
	}
}

// repeat writes the bits of a block n times.
func (b *bitsLow) repeat(block *bitsLow, n int) {
	for range n {
		for _, octet := range block.out {
			b.put(uint32(octet), 8)
		}
		if block.n > 0 {
			b.put(uint32(block.pending), block.n)
		}
	}
}

// bytes fills the last byte with zeros.
func (b *bitsLow) bytes() []byte {
	if b.n > 0 {
		b.put(0, 8-b.n)
	}
	return b.out
}

package preprocess

import "errors"

// vp8lDemand is what a lossless WebP bitstream will have libwebp allocate besides the
// pixels: the tables of its prefix codes, and the images that its transforms and its
// entropy coding are made of.
type vp8lDemand struct {
	// groups is how many groups of five prefix codes it has, and cacheBits the binary
	// logarithm of the size of its color cache, 0 for none.
	groups, cacheBits int
	// pixels is how many pixels the images have that describe the image.
	pixels int64
}

// greenTables is how many entries libwebp's tables for green, lengths and the color cache
// may have, by the bits of the cache, and otherTables those of the four other codes of a
// group (vp8l_dec.c, kTableSize).
var greenTables = [...]int64{654, 656, 658, 662, 670, 686, 718, 782, 912, 1168, 1680, 2704}

const (
	otherTables = 3*630 + 410
	tableEntry  = 4   // bytes of a HuffmanCode
	groupBytes  = 568 // of an HTreeGroup, on a 64-bit machine
)

// bytes returns how many bytes all that takes.
func (d vp8lDemand) bytes() int64 {
	tables := int64(d.groups) * ((greenTables[d.cacheBits]+otherTables)*tableEntry + groupBytes)
	caches := int64(2*4) << d.cacheBits
	const mapping = 4 << 16 // from the number of a group to its place, where few of many are used
	return tables + caches + mapping + 4*d.pixels
}

// maxEntropyPixels limits the size of an entropy image: libwebp writes 2,600 pixels at
// most (MAX_HUFF_IMAGE_SIZE), and the largest image in tiles of 16x16 pixels has this many.
const maxEntropyPixels = 1 << 20

var errVP8L = errors.New("damaged")

// readVP8LDemand reads a lossless bitstream (RFC 9649, 4 and 5) behind its header, up to
// its prefix codes. It uses 4 bytes for each pixel of the entropy image, and next to none
// for the others. The error is errVP8L.
func readVP8LDemand(data []byte, width, height int) (d vp8lDemand, err error) {
	r := vp8lReader{data: data}
	var seen [4]bool
	for r.bits(1) == 1 && !r.failed {
		kind := r.bits(2)
		if seen[kind] {
			return d, errVP8L
		}
		seen[kind] = true
		switch kind {
		case vp8lPredictor, vp8lColor:
			tile := r.bits(3) + 2
			d.pixels += r.image(subsampled(width, tile), subsampled(height, tile), nil)
		case vp8lPalette:
			colors := int(r.bits(8)) + 1
			d.pixels += r.image(colors, 1, nil)
			width = subsampled(width, packedBits(colors))
		}
	}
	d.cacheBits = r.cacheBits()
	d.groups = 1
	if r.bits(1) == 1 {
		tile := r.bits(3) + 2
		across, down := subsampled(width, tile), subsampled(height, tile)
		if across*down > maxEntropyPixels {
			return d, errVP8L
		}
		entropy := make([]uint32, across*down)
		d.pixels += r.image(across, down, entropy)
		d.groups = countGroups(entropy, width*height)
	}
	if r.failed {
		return d, errVP8L
	}
	return d, nil
}

// The transforms (RFC 9649, 4).
const (
	vp8lPredictor = 0
	vp8lColor     = 1
	vp8lPalette   = 3
)

// packedBits returns the binary logarithm of how many pixels of a palette are packed into one.
func packedBits(colors int) uint32 {
	switch {
	case colors <= 2:
		return 3
	case colors <= 4:
		return 2
	case colors <= 16:
		return 1
	}
	return 0
}

// subsampled returns how many tiles of 1<<bits pixels a side has.
func subsampled(side int, bits uint32) int { return (side + 1<<bits - 1) >> bits }

// countGroups returns how many groups of prefix codes libwebp keeps for an entropy image:
// red and green of a pixel are the number of its group. Of more than 1,000, and of more
// than the image has pixels, it keeps those that are used.
func countGroups(entropy []uint32, pixels int) int {
	last := 0
	for _, argb := range entropy {
		last = max(last, int(argb>>8&0xFFFF))
	}
	if last < 1000 && last < pixels {
		return last + 1
	}
	var used [1 << 16]bool
	groups := 0
	for _, argb := range entropy {
		if n := argb >> 8 & 0xFFFF; !used[n] {
			used[n] = true
			groups++
		}
	}
	return groups
}

// vp8lReader reads a bitstream, the lowest bit of each byte first.
type vp8lReader struct {
	data  []byte
	at    int // the next byte
	held  uint64
	count uint32 // of bits in held
	// failed is set once the data has ended, or is damaged: all that is read after
	// that is zeros.
	failed bool
}

// bits returns the next n bits, up to 24.
func (r *vp8lReader) bits(n uint32) uint32 {
	for r.count < n {
		if r.at >= len(r.data) {
			r.failed = true
			return 0
		}
		r.held |= uint64(r.data[r.at]) << r.count
		r.at++
		r.count += 8
	}
	value := uint32(r.held & (1<<n - 1))
	r.held >>= n
	r.count -= n
	return value
}

// cacheBits reads the size of a color cache.
func (r *vp8lReader) cacheBits() int {
	if r.bits(1) == 0 {
		return 0
	}
	n := int(r.bits(4))
	if n < 1 || n >= len(greenTables) {
		r.failed = true
		return 0
	}
	return n
}

// The parts of the alphabet of green, and the numbers of the codes of a group (RFC 9649, 5.2).
const (
	vp8lLengths = 256 // the first symbol of a length
	vp8lCached  = vp8lLengths + 24

	vp8lGreen    = 0
	vp8lDistance = 4
)

// image reads an image that describes the image, and returns how many pixels it has. They
// are stored in pixels, as ARGB, unless it is nil.
func (r *vp8lReader) image(width, height int, pixels []uint32) int64 {
	total := width * height
	cacheBits := r.cacheBits()
	group := r.group(cacheBits)
	if r.failed {
		return 0
	}
	var cache []uint32
	if pixels != nil && cacheBits > 0 {
		cache = make([]uint32, 1<<cacheBits)
	}
	put := func(at int, argb uint32) {
		pixels[at] = argb
		if cache != nil {
			cache[argb*0x1E35A7BD>>(32-cacheBits)] = argb
		}
	}
	constant := group.isConstant()
	for at := 0; at < total && !r.failed; {
		green := group[vp8lGreen].read(r)
		switch {
		case green < vp8lLengths:
			argb := green << 8
			argb |= group[1].read(r) << 16
			argb |= group[2].read(r)
			argb |= group[3].read(r) << 24
			if constant && pixels == nil {
				return int64(total) // no pixel takes a bit
			}
			if pixels != nil {
				put(at, argb)
			}
			at++
		case green < vp8lCached:
			length := r.lz77(green - vp8lLengths)
			distance := planeDistance(width, r.lz77(group[vp8lDistance].read(r)))
			if distance > at || length > total-at {
				r.failed = true
				return 0
			}
			if pixels == nil {
				at += length
				continue
			}
			for range length {
				put(at, pixels[at-distance])
				at++
			}
		default:
			if pixels != nil {
				put(at, cache[green-vp8lCached])
			}
			at++
		}
	}
	return int64(total)
}

// lz77 reads a length or a distance from its symbol (RFC 9649, 5.2.2).
func (r *vp8lReader) lz77(symbol uint32) int {
	if symbol < 4 {
		return int(symbol) + 1
	}
	extra := (symbol - 2) >> 1
	return int((2+symbol&1)<<extra+r.bits(extra)) + 1
}

// neighbors are the pixels that the short distance codes mean: rows up in the high four
// bits, 8 less columns to the left in the low ones.
var neighbors = [120]uint8{
	0x18, 0x07, 0x17, 0x19, 0x28, 0x06, 0x27, 0x29, 0x16, 0x1A, 0x26, 0x2A, 0x38, 0x05, 0x37, 0x39, 0x15, 0x1B, 0x36, 0x3A,
	0x25, 0x2B, 0x48, 0x04, 0x47, 0x49, 0x14, 0x1C, 0x35, 0x3B, 0x46, 0x4A, 0x24, 0x2C, 0x58, 0x45, 0x4B, 0x34, 0x3C, 0x03,
	0x57, 0x59, 0x13, 0x1D, 0x56, 0x5A, 0x23, 0x2D, 0x44, 0x4C, 0x55, 0x5B, 0x33, 0x3D, 0x68, 0x02, 0x67, 0x69, 0x12, 0x1E,
	0x66, 0x6A, 0x22, 0x2E, 0x54, 0x5C, 0x43, 0x4D, 0x65, 0x6B, 0x32, 0x3E, 0x78, 0x01, 0x77, 0x79, 0x53, 0x5D, 0x11, 0x1F,
	0x64, 0x6C, 0x42, 0x4E, 0x76, 0x7A, 0x21, 0x2F, 0x75, 0x7B, 0x31, 0x3F, 0x63, 0x6D, 0x52, 0x5E, 0x00, 0x74, 0x7C, 0x41,
	0x4F, 0x10, 0x20, 0x62, 0x6E, 0x30, 0x73, 0x7D, 0x51, 0x5F, 0x40, 0x72, 0x7E, 0x61, 0x6F, 0x50, 0x71, 0x7F, 0x60, 0x70,
}

// planeDistance returns how many pixels back a distance code means.
func planeDistance(width, code int) int {
	if code > len(neighbors) {
		return code - len(neighbors)
	}
	n := int(neighbors[code-1])
	return max(1, n>>4*width+8-n&15)
}

// vp8lGroup has the five prefix codes of a part of an image: green, red, blue, alpha and
// distance.
type vp8lGroup [5]prefixCode

// group reads the codes of a group.
func (r *vp8lReader) group(cacheBits int) (g vp8lGroup) {
	alphabets := [...]int{vp8lCached, 256, 256, 256, 40}
	if cacheBits > 0 {
		alphabets[vp8lGreen] += 1 << cacheBits
	}
	for i, size := range alphabets {
		g[i] = r.code(size)
		if r.failed {
			break
		}
	}
	return g
}

// isConstant reports whether every pixel is the same, and takes no bits.
func (g *vp8lGroup) isConstant() bool {
	for _, code := range g[:vp8lDistance] {
		if len(code.symbols) != 1 {
			return false
		}
	}
	return g[vp8lGreen].symbols[0] < vp8lLengths
}

// maxCodeLength is the maximum length of a prefix code.
const maxCodeLength = 15

// prefixCode is a canonical prefix code.
type prefixCode struct {
	// counts is how many symbols have a code of each length, and symbols are those with
	// one, by length and then by number. A single symbol takes no bits.
	counts  [maxCodeLength + 1]uint16
	symbols []uint16
}

// newPrefixCode makes a code from the lengths of all symbols, 0 for none. It must be
// complete.
func newPrefixCode(lengths []uint8) (c prefixCode, ok bool) {
	used := 0
	for _, length := range lengths {
		if length > 0 {
			c.counts[length]++
			used++
		}
	}
	if used == 0 {
		return prefixCode{}, false
	}
	var next [maxCodeLength + 2]uint16 // the place of the next symbol of a length
	open := 1
	for length := 1; length <= maxCodeLength; length++ {
		open = 2*open - int(c.counts[length])
		if open < 0 {
			return prefixCode{}, false
		}
		next[length+1] = next[length] + c.counts[length]
	}
	if open != 0 && used > 1 {
		return prefixCode{}, false
	}
	c.symbols = make([]uint16, used)
	for symbol, length := range lengths {
		if length > 0 {
			c.symbols[next[length]] = uint16(symbol)
			next[length]++
		}
	}
	return c, true
}

// read reads a symbol.
func (c *prefixCode) read(r *vp8lReader) uint32 {
	if len(c.symbols) == 1 {
		return uint32(c.symbols[0])
	}
	code, first, place := 0, 0, 0
	for _, count := range c.counts[1:] {
		code |= int(r.bits(1))
		if r.failed {
			return 0
		}
		if code-first < int(count) {
			return uint32(c.symbols[place+code-first])
		}
		place += int(count)
		first = (first + int(count)) << 1
		code <<= 1
	}
	r.failed = true // not reached with a complete code
	return 0
}

// lengthOrder is the order in which the lengths of the code for lengths are stored.
var lengthOrder = [19]uint8{17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}

// code reads a prefix code (RFC 9649, 5.2.1).
func (r *vp8lReader) code(alphabet int) (c prefixCode) {
	lengths := make([]uint8, alphabet)
	if r.bits(1) == 1 {
		r.simpleLengths(lengths)
	} else {
		r.normalLengths(lengths)
	}
	if r.failed {
		return prefixCode{}
	}
	c, ok := newPrefixCode(lengths)
	r.failed = !ok
	return c
}

// simpleLengths reads a code with one or two symbols.
func (r *vp8lReader) simpleLengths(lengths []uint8) {
	count, size := r.bits(1)+1, uint32(1)
	if r.bits(1) == 1 {
		size = 8
	}
	for range count {
		symbol := int(r.bits(size))
		size = 8
		if symbol >= len(lengths) {
			r.failed = true
			return
		}
		lengths[symbol] = 1
	}
}

// normalLengths reads lengths that are coded with a prefix code of their own.
func (r *vp8lReader) normalLengths(lengths []uint8) {
	var own [len(lengthOrder)]uint8
	count := int(r.bits(4)) + 4
	if count > len(own) {
		r.failed = true
		return
	}
	for _, symbol := range lengthOrder[:count] {
		own[symbol] = uint8(r.bits(3))
	}
	code, ok := newPrefixCode(own[:])
	if !ok || r.failed {
		r.failed = true
		return
	}
	left := len(lengths)
	if r.bits(1) == 1 {
		size := 2 + 2*r.bits(3)
		left = 2 + int(r.bits(size))
		if left > len(lengths) {
			r.failed = true
			return
		}
	}
	previous := uint8(8)
	for at := 0; at < len(lengths) && left > 0 && !r.failed; left-- {
		length, repeats := uint8(code.read(r)), 1
		switch {
		case length == 16:
			length, repeats = previous, 3+int(r.bits(2))
		case length == 17:
			length, repeats = 0, 3+int(r.bits(3))
		case length == 18:
			length, repeats = 0, 11+int(r.bits(7))
		case length > 0:
			previous = length
		}
		if repeats > len(lengths)-at {
			r.failed = true
			return
		}
		for range repeats {
			lengths[at] = length
			at++
		}
	}
}

package hostile

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
)

// webpChunk is a chunk of a WebP (RIFF).
func webpChunk(name string, data []byte) []byte {
	out := binary.LittleEndian.AppendUint32([]byte(name), uint32(len(data)))
	out = append(out, data...)
	return append(out, make([]byte, len(data)%2)...)
}

func webpFile(chunks ...[]byte) []byte {
	body := join(append([][]byte{[]byte("WEBP")}, chunks...)...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

// webpExtended is the chunk VP8X.
func webpExtended(flags byte, width, height int) []byte {
	return webpChunk("VP8X", join([]byte{flags, 0, 0, 0}, little24(width-1), little24(height-1)))
}

// The flags of VP8X.
const (
	webpAnimated = 0x02
	webpAlpha    = 0x10
)

func little24(v int) []byte { return []byte{byte(v), byte(v >> 8), byte(v >> 16)} }

// maxWebP is the largest width and height of a WebP.
const maxWebP = 16383

// lossless begins the content of the chunk VP8L.
func lossless(width, height int) *bitsLow {
	b := &bitsLow{}
	b.put(0x2f, 8)
	b.put(uint32(width-1), 14)
	b.put(uint32(height-1), 14)
	b.put(0, 1) // no alpha
	b.put(0, 3) // version
	return b
}

// losslessFile ends it, with some more zeros, which decoders read ahead.
func losslessFile(b *bitsLow, data ...[]byte) []byte {
	return webpFile(webpChunk("VP8L", join(b.bytes(), join(data...), make([]byte, 16))))
}

// oneSymbol is a prefix code of one symbol, which takes no bits in the data.
func oneSymbol(b *bitsLow, symbol uint32) {
	b.put(1, 1) // a simple code
	b.put(0, 1) // of one symbol
	if symbol < 2 {
		b.put(0, 1)
		b.put(symbol, 1)
		return
	}
	b.put(1, 1)
	b.put(symbol, 8)
}

// oneColor is a group of five codes with one symbol each.
func oneColor(b *bitsLow, green uint32) {
	oneSymbol(b, green)
	for range 4 {
		oneSymbol(b, 0)
	}
}

// lengthOrder is the order of the codes of code lengths (VP8L and, but for it, deflate).
var lengthOrder = []int{17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}

// codeLengths begins a prefix code whose code lengths have codes of these lengths.
func codeLengths(b *bitsLow, lengths map[int]uint32) {
	b.put(0, 1) // not a simple code
	last := 0
	for i, symbol := range lengthOrder {
		if lengths[symbol] > 0 {
			last = i
		}
	}
	b.put(uint32(last+1-4), 4)
	for _, symbol := range lengthOrder[:last+1] {
		b.put(lengths[symbol], 3)
	}
	b.put(0, 1) // lengths of the whole alphabet follow
}

// repeatLength has the last length again, 3 to 6 times, and skipLengths 11 to 138 zeros: their codes are 10 and 11 here.
func repeatLength(b *bitsLow, n int) {
	b.code(0b10, 2)
	b.put(uint32(n-3), 2)
}

func skipLengths(b *bitsLow, n int) {
	b.code(0b11, 2)
	b.put(uint32(n-11), 7)
}

// literal256 is a prefix code in which the symbols 0 to 255 have 8 bits each, and the rest of the alphabet none.
func literal256(b *bitsLow, alphabet int) {
	codeLengths(b, map[int]uint32{8: 1, 16: 2, 18: 2})
	b.put(0, 1) // 8 bits
	left := 255
	for ; left >= 3; left -= min(6, left) {
		repeatLength(b, min(6, left))
	}
	for range left {
		b.put(0, 1)
	}
	for rest := alphabet - 256; rest > 0; rest -= min(138, rest) {
		skipLengths(b, min(138, rest))
	}
}

// greens is the number of symbols of a green code without a color cache.
const greens = 256 + 24

// literalWebP is a lossless image of any pixels, 24 bits each.
func literalWebP(r *rand.Rand, width, height int) []byte {
	b := lossless(width, height)
	b.put(0, 3) // no transform, no color cache, no groups
	literal256(b, greens)
	literal256(b, 256)
	literal256(b, 256)
	oneSymbol(b, 255)
	oneSymbol(b, 0)
	for y := range height {
		for x := range width {
			for c := range 3 {
				b.code(uint32(byte(3*x+(5+c)*y)+byte(r.IntN(8))), 8)
			}
		}
	}
	return losslessFile(b)
}

// flatWebP is a lossless image of one color: no bits for its pixels.
func flatWebP(width, height int) []byte {
	b := lossless(width, height)
	b.put(0, 3)
	oneColor(b, 90)
	return losslessFile(b)
}

// The transforms of VP8L.
const (
	transformPredict = 0
	transformColor   = 1
	transformGreen   = 2
	transformIndex   = 3
)

// transformedWebP is the same, with transforms to be undone for every pixel.
func transformedWebP(width, height int, transforms []uint32) []byte {
	b := lossless(width, height)
	for _, transform := range transforms {
		b.put(1, 1)
		b.put(transform, 2)
		switch transform {
		case transformPredict:
			b.put(0, 3) // tiles of 4 x 4
			b.put(0, 1)
			oneColor(b, 13) // the predictor with the most steps
		case transformColor:
			b.put(0, 3)
			b.put(0, 1)
			oneColor(b, 77)
		case transformIndex:
			b.put(1, 8) // two colors
			b.put(0, 1)
			oneColor(b, 9)
		}
	}
	b.put(0, 3)
	oneColor(b, 0)
	return losslessFile(b)
}

// groupedWebP is an image of few pixels with that many groups of prefix codes, at most 65,536: decoders keep kilobytes
// of tables for each. With large tables the codes are as long as they can be.
func groupedWebP(r *rand.Rand, side, groups int, large bool) []byte {
	b := lossless(side, side)
	b.put(0, 1) // no transform
	if large {
		b.put(1, 1)
		b.put(11, 4) // a color cache of 2048 colors
	} else {
		b.put(0, 1)
	}
	b.put(1, 1)
	b.put(0, 3) // an image of the groups, with tiles of 4 x 4
	b.put(0, 1)
	literal256(b, greens)
	literal256(b, 256)
	for range 3 {
		oneSymbol(b, 0)
	}
	order := r.Perm(groups)
	tiles := (side + 3) / 4 * ((side + 3) / 4)
	for i := range tiles {
		group := uint32(order[i%groups])
		b.code(group&0xff, 8) // green
		b.code(group>>8, 8)   // red
	}
	var one bitsLow
	if large {
		largeGroup(&one)
	} else {
		for range 5 {
			oneSymbol(&one, 0)
		}
	}
	b.repeat(&one, groups)
	return losslessFile(b, make([]byte, side*side*14/8))
}

// largeGroup has codes of up to 11 bits for green and the color cache, and of 9 bits for the other channels.
func largeGroup(b *bitsLow) {
	codeLengths(b, map[int]uint32{11: 1, 16: 2, 18: 2})
	b.put(0, 1) // 11 bits
	for range 341 {
		repeatLength(b, 6)
	}
	b.put(0, 1) // 2048 in all
	for _, n := range []int{135, 134, 11} {
		skipLengths(b, n)
	}
	for range 3 {
		codeLengths(b, map[int]uint32{1: 2, 8: 2, 9: 2, 16: 2}) // codes 00, 01, 10 and 11
		b.code(0b00, 2)                                         // one of 1 bit
		b.code(0b01, 2)                                         // one of 8 bits
		b.code(0b10, 2)                                         // 254 of 9 bits
		for range 42 {
			b.code(0b11, 2)
			b.put(3, 2)
		}
		b.code(0b10, 2)
	}
	oneSymbol(b, 0)
}

// lossyPart is the content of the chunk VP8 (RFC 6386) of a gray image: a partition of zeros decodes as the first choice
// at every step, whatever the probabilities.
func lossyPart(width, height int) []byte {
	macroblocks := (width + 15) / 16 * ((height + 15) / 16)
	modes := min(1<<19-1, 64+2*macroblocks)
	tag := uint32(1<<4 | modes<<5) // a key frame, shown
	out := []byte{byte(tag), byte(tag >> 8), byte(tag >> 16), 0x9d, 0x01, 0x2a, byte(width), byte(width >> 8), byte(height), byte(height >> 8)}
	return slices.Concat(out, make([]byte, modes+64+10*macroblocks))
}

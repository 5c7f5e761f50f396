package hostile

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
)

// The compressions of a TIFF.
const (
	tiffNone     = 1
	tiffGroup4   = 4
	tiffLZW      = 5
	tiffDeflate  = 8
	tiffPackBits = 32773
)

// tiff is a gray TIFF whose strips all have the same data.
type tiff struct {
	width, height int
	compression   int
	bits          int // of a pixel; 0 is 8
	rows          int // of a strip; 0 is all
	data          []byte
}

func (t tiff) file() []byte {
	le := binary.LittleEndian
	if t.bits == 0 {
		t.bits = 8
	}
	if t.rows == 0 {
		t.rows = t.height
	}
	strips := (t.height + t.rows - 1) / t.rows
	const entries = 9
	arrays := uint32(8 + 2 + entries*12 + 4) // where the arrays begin
	long := func(v int) [3]uint32 { return [3]uint32{4, 1, uint32(v)} }
	array := func(at uint32, value uint32) [3]uint32 {
		if strips == 1 {
			return [3]uint32{4, 1, value}
		}
		return [3]uint32{4, uint32(strips), at}
	}
	begin := arrays
	if strips > 1 {
		begin += uint32(8 * strips)
	}
	out := le.AppendUint16(append([]byte("II*\x00"), 8, 0, 0, 0), entries)
	for _, e := range []struct {
		tag   uint16
		value [3]uint32
	}{
		{0x100, long(t.width)}, {0x101, long(t.height)}, {0x102, long(t.bits)}, {0x103, long(t.compression)}, {0x106, long(1)},
		{0x111, array(arrays, begin)}, {0x115, long(1)}, {0x116, long(t.rows)}, {0x117, array(arrays+uint32(4*strips), uint32(len(t.data)))},
	} {
		out = le.AppendUint16(out, e.tag)
		out = le.AppendUint16(out, uint16(e.value[0]))
		out = le.AppendUint32(out, e.value[1])
		out = le.AppendUint32(out, e.value[2])
	}
	out = le.AppendUint32(out, 0) // no other directory
	if strips > 1 {
		for range strips {
			out = le.AppendUint32(out, begin)
		}
		for range strips {
			out = le.AppendUint32(out, uint32(len(t.data)))
		}
	}
	return append(out, t.data...)
}

func tiffKinds() []kind {
	row := make([]byte, 16)
	// stripes have a strip for each of 60,000 rows, of 16 pixels each, and all are the same megabytes.
	stripes := func(compression int, data func(r *rand.Rand, most int) []byte) func(r *rand.Rand) []byte {
		return func(r *rand.Rand) []byte {
			height := 60_000 + r.IntN(5000)
			return tiff{width: 16, height: height, compression: compression, rows: 1, data: data(r, almost(r)-8*height-200)}.file()
		}
	}
	large := func(name, why string, compression int, data func(width, height int) []byte) []kind {
		return sized(name, why, func(r *rand.Rand, pixels int) []byte {
			w, h := sides(r, pixels, 65000)
			bits := 8
			if compression == tiffGroup4 {
				bits = 1
			}
			return tiff{width: w, height: h, compression: compression, bits: bits, data: data(w, h)}.file()
		})
	}
	return slices.Concat([]kind{
		{"tiff-plain", "an ordinary TIFF", Accepted, false, func(r *rand.Rand) []byte {
			return tiff{width: 64, height: 64, compression: tiffNone, rows: 64, data: noise(r, 64*64)}.file()
		}},
		{"tiff-giga", "900 megapixels", Refused, false, func(*rand.Rand) []byte {
			return tiff{width: 30_000, height: 30_000, compression: tiffDeflate, data: zeros(900)}.file()
		}},
		{"tiff-packbits-nothing", "60,000 strips, each of 20 million codes of nothing", Any, true, stripes(tiffPackBits, func(_ *rand.Rand, most int) []byte {
			return append(bytes.Repeat([]byte{0x80}, most-2), byte(257-len(row)), 0)
		})},
		{"tiff-deflate-nothing", "60,000 strips, each of 1.8 million blocks without data", Any, true, stripes(tiffDeflate, func(_ *rand.Rand, most int) []byte {
			return emptyBlocks((most-100)/90*8, row)
		})},
		{"tiff-lzw-nothing", "60,000 strips, each of 18 million clear codes", Any, true, stripes(tiffLZW, func(_ *rand.Rand, most int) []byte {
			var codes bitsHigh
			for range (most - 100) * 8 / 9 {
				codes.plain(lzwClear, 9)
			}
			for range row {
				codes.plain(0, 9)
			}
			codes.plain(lzwEnd, 9)
			return codes.rest()
		})},
		{"tiff-noise", "LZW of noise", Any, false, func(r *rand.Rand) []byte {
			return tiff{width: 4000, height: 4000, compression: tiffLZW, data: noise(r, 100_000)}.file()
		}},
		{"tiff-big", "a BigTIFF", Refused, false, func(r *rand.Rand) []byte { return append([]byte("II+\x00\x08\x00\x00\x00"), noise(r, 200)...) }},
		{"tiff-loop", "a directory that leads to itself", Refused, false, func(*rand.Rand) []byte {
			return []byte("II*\x00\x08\x00\x00\x00\x00\x00\x08\x00\x00\x00")
		}},
		{"tiff-entries", "65,535 entries that are not there", Refused, false, func(r *rand.Rand) []byte {
			return append([]byte("II*\x00\x08\x00\x00\x00\xff\xff"), noise(r, 500)...)
		}},
		{"tiff-cut", "the second half is missing", Refused, false, func(r *rand.Rand) []byte {
			file := tiff{width: 64, height: 64, compression: tiffNone, data: noise(r, 64*64)}.file()
			return file[:len(file)/2]
		}},
	},
		large("tiff-deflate", "deflate, in a few bytes", tiffDeflate, func(width, height int) []byte { return deflateRows(make([]byte, width), height) }),
		large("tiff-deflate-more", "deflate, with gigabytes behind the image", tiffDeflate, func(int, int) []byte { return zeros(10_000) }),
		large("tiff-packbits", "run lengths", tiffPackBits, func(width, height int) []byte {
			return bytes.Repeat([]byte{0x81, 0}, (width*height+127)/128)
		}),
		large("tiff-lzw", "LZW", tiffLZW, func(width, height int) []byte { return flatLZW(width * height) }),
		large("tiff-fax", "CCITT Group 4, a bit for each line", tiffGroup4, func(_, height int) []byte { return bytes.Repeat([]byte{0xff}, height/8+8) }))
}

// The codes of LZW (TIFF 6.0, section 13) that are no bytes, and the last one before the codes are longer than 12 bits.
const (
	lzwClear = 256
	lzwEnd   = 257
	lzwLast  = 4093
)

// flatLZW has n zeros: each code stands for one zero more than the one before it.
func flatLZW(n int) []byte {
	var b bitsHigh
	for n > 0 {
		width := 9
		b.plain(lzwClear, 9)
		for length := 1; n > 0 && lzwClear+length < lzwLast; length++ {
			code := uint32(0)
			if zeros := min(length, n); zeros > 1 {
				code = uint32(lzwClear + zeros)
			}
			b.plain(code, width)
			n -= min(length, n)
			if entry := lzwEnd + length; entry == 1<<width-1 { // codes are longer one entry early
				width++
			}
		}
		if n == 0 {
			b.plain(lzwEnd, width)
			return b.rest()
		}
		b.plain(lzwClear, width)
	}
	return b.rest()
}

// literalLZW has these bytes, as codes of 9 bits.
func literalLZW(data []byte) []byte {
	var b bitsHigh
	for i, octet := range data {
		if i%200 == 0 {
			b.plain(lzwClear, 9)
		}
		b.plain(uint32(octet), 9)
	}
	b.plain(lzwEnd, 9)
	return b.rest()
}

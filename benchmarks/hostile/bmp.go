package hostile

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
)

// The compressions of a BMP.
const (
	bmpRLE8 = 1
	bmpJPEG = 4
)

// bitmap is a BMP with the common header of 40 bytes.
type bitmap struct {
	width, height    int
	bits             int
	compression      uint32
	colors           uint32 // as the header counts them
	offset           uint32 // of the pixels; 0 is the right one
	headerSize       uint32 // 0 is the right one
	pixels           []byte // nil is zeros, as many as needed
	withoutAnyPixels bool
}

func (b bitmap) file() []byte {
	const headers = 14 + 40
	palette := make([]byte, 0)
	if b.bits <= 8 {
		palette = make([]byte, 4<<b.bits)
		for i := range palette {
			palette[i] = byte(i / 4)
		}
	}
	pixels := b.pixels
	if pixels == nil && !b.withoutAnyPixels {
		pixels = make([]byte, (b.width*b.bits+31)/32*4*max(b.height, -b.height))
	}
	offset := b.offset
	if offset == 0 {
		offset = uint32(headers + len(palette))
	}
	size := b.headerSize
	if size == 0 {
		size = 40
	}
	le := binary.LittleEndian
	out := le.AppendUint32([]byte("BM"), uint32(headers+len(palette)+len(pixels)))
	for _, v := range []uint32{0, offset, size, uint32(int32(b.width)), uint32(int32(b.height))} {
		out = le.AppendUint32(out, v)
	}
	out = le.AppendUint16(out, 1)
	out = le.AppendUint16(out, uint16(b.bits))
	for _, v := range []uint32{b.compression, uint32(len(pixels)), 2835, 2835, b.colors, 0} {
		out = le.AppendUint32(out, v)
	}
	return join(out, palette, pixels)
}

func plainBMP(r *rand.Rand, width, height int) []byte {
	pixels := make([]byte, (width*24+31)/32*4*height)
	for i := range pixels {
		pixels[i] = byte(i*7/3) + byte(r.IntN(8))
	}
	return bitmap{width: width, height: height, bits: 24, pixels: pixels}.file()
}

func bmpKinds() []kind {
	of := func(b bitmap) func(*rand.Rand) []byte { return func(*rand.Rand) []byte { return b.file() } }
	large := func(pixels int, b bitmap) func(r *rand.Rand) []byte {
		return func(r *rand.Rand) []byte {
			b.width, b.height = sides(r, pixels, 65000)
			return b.file()
		}
	}
	sizedOf := func(name, why string, b bitmap) []kind {
		return sized(name, why, func(r *rand.Rand, pixels int) []byte { return large(pixels, b)(r) })
	}
	return slices.Concat(sizedOf("bmp-1bit", "one bit", bitmap{bits: 1}),
		sizedOf("bmp-runs-none", "run lengths that are not there", bitmap{bits: 8, compression: bmpRLE8, pixels: []byte{0, 1}}),
		sized("bmp-runs-all", "run lengths", func(r *rand.Rand, pixels int) []byte {
			w, h := sides(r, pixels, 65000)
			return bitmap{width: w, height: h, bits: 8, compression: bmpRLE8, pixels: runs(w, h)}.file()
		}), bmpOthers(of, large))
}

// bmpOthers take a file of a header, and one of a header with sides of that many pixels.
func bmpOthers(of func(b bitmap) func(*rand.Rand) []byte, large func(pixels int, b bitmap) func(*rand.Rand) []byte) []kind {
	return []kind{
		{"bmp-header-alone", "a header", Refused, false, of(bitmap{width: 100, height: 100, bits: 24, withoutAnyPixels: true})},
		{"bmp-header-64mp", "a header of 64 megapixels", Refused, false, large(always, bitmap{bits: 24, withoutAnyPixels: true})},
		{"bmp-giga-header", "a header of a gigapixel", Refused, false, large(1000*megapixel, bitmap{bits: 24, withoutAnyPixels: true})},
		{"bmp-top-first", "a negative height: the top row first", Accepted, false, of(bitmap{width: 64, height: -64, bits: 24})},
		{"bmp-height-min", "a height of -2^31", Refused, false, of(bitmap{width: 64, height: -1 << 31, bits: 24, withoutAnyPixels: true})},
		{"bmp-width-negative", "a negative width", Refused, false, of(bitmap{width: -64, height: 64, bits: 24, pixels: make([]byte, 64*64*3)})},
		{"bmp-zero", "no pixels", Refused, false, of(bitmap{bits: 24, withoutAnyPixels: true})},
		{"bmp-1bit-160mp", "160 megapixels of one bit", Any, true, large(160*megapixel, bitmap{bits: 1})},
		{"bmp-runs", "run lengths", Any, false, of(bitmap{width: 64, height: 64, bits: 8, compression: bmpRLE8, pixels: runs(64, 64)})},
		{"bmp-runs-jump", "run lengths that jump out of the image", Any, false, func(r *rand.Rand) []byte {
			pixels := make([]byte, 0, 1<<20)
			for len(pixels) < 1<<20 {
				pixels = append(pixels, 0, 2, 255, byte(r.IntN(256)), 255, 9)
			}
			return bitmap{width: 64, height: 64, bits: 8, compression: bmpRLE8, pixels: pixels}.file()
		}},
		{"bmp-runs-empty", "ten million run lengths of nothing", Any, true, func(r *rand.Rand) []byte {
			return bitmap{width: 64, height: 64, bits: 8, compression: bmpRLE8, pixels: make([]byte, almost(r)-2000)}.file()
		}},
		{"bmp-jpeg-inside", "a JPEG inside", Refused, false, func(r *rand.Rand) []byte {
			return bitmap{width: 64, height: 64, bits: 24, compression: bmpJPEG, pixels: smallJPEG(r)}.file()
		}},
		{"bmp-jpeg-pixels", "pixels that are a JPEG", Accepted, false, func(r *rand.Rand) []byte {
			pixels := make([]byte, 64*64*3)
			copy(pixels, smallJPEG(r))
			return bitmap{width: 64, height: 64, bits: 24, pixels: pixels}.file()
		}},
		{"bmp-compression", "an unknown compression", Refused, false, func(r *rand.Rand) []byte {
			return bitmap{width: 64, height: 64, bits: 24, compression: 100 + r.Uint32()/2}.file()
		}},
		{"bmp-colors", "a palette of four billion colors", Any, false, of(bitmap{width: 64, height: 64, bits: 8, colors: 0xffffffff})},
		{"bmp-pixels-in-header", "the pixels begin in the header", Any, false, of(bitmap{width: 64, height: 64, bits: 24, offset: 2})},
		{"bmp-pixels-far", "the pixels begin four gigabytes on", Refused, false, func(r *rand.Rand) []byte {
			return bitmap{width: 64, height: 64, bits: 24, offset: 0xffffff00 + r.Uint32N(0xff)}.file()
		}},
		{"bmp-header-size", "a header of four gigabytes", Refused, false, of(bitmap{width: 64, height: 64, bits: 24, headerSize: 0xffffffff})},
		{"bmp-bits", "17 bits a pixel", Refused, false, of(bitmap{width: 64, height: 64, bits: 17})},
	}
}

// runs are the run lengths of an image of zeros.
func runs(width, height int) []byte {
	var line []byte
	for left := width; left > 0; left -= min(255, left) {
		line = append(line, byte(min(255, left)), 0)
	}
	line = append(line, 0, 0)
	out := make([]byte, 0, len(line)*height+2)
	for range height {
		out = append(out, line...)
	}
	return append(out, 0, 1)
}

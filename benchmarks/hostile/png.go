package hostile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
)

func pngKinds() []kind {
	return append(append(pngSizes(), pngStreams()...), pngChunks()...)
}

// pngSizes are large when decoded.
func pngSizes() []kind {
	empty := func(pixels, depth, color, filter int) func(r *rand.Rand) []byte {
		return func(r *rand.Rand) []byte {
			w, h := sides(r, pixels, 65000)
			return emptyPNG(w, h, depth, color, filter)
		}
	}
	kinds := []kind{
		{"png-900mp", "900 megapixels of one bit", Refused, false, empty(900*megapixel, 1, pngGray, 0)},
		{"png-giga-header", "a header of a gigapixel", Refused, false, func(r *rand.Rand) []byte {
			return pngOf(65000, 15500+r.IntN(500), 8, pngRGB, 0, deflate(make([]byte, 1000)))
		}},
		{"png-header-alone", "a header", Refused, false, func(r *rand.Rand) []byte {
			return join([]byte(pngSignature), header(100+r.Uint32N(100), 100, 8, pngRGB, 0))
		}},
		{"png-header-and-end", "a header just below the limit, and the end", Refused, false, func(r *rand.Rand) []byte {
			w, h := sides(r, always, 65000)
			return join([]byte(pngSignature), header(uint32(w), uint32(h), 8, pngRGB, 0), pngEnd)
		}},
		{"png-zero", "no pixels", Refused, false, func(*rand.Rand) []byte { return pngOf(0, 0, 8, pngRGB, 0, deflate(nil)) }},
		{"png-negative", "sides of more than 31 bits", Refused, false, func(r *rand.Rand) []byte {
			return join([]byte(pngSignature), header(0x80000001+r.Uint32N(9), 0x80000001, 8, pngRGB, 0), pngEnd)
		}},
		{"png-1bit-250mp", "250 megapixels of one bit", Any, true, empty(most, 1, pngGray, 0)},
		{"png-gray-250mp", "250 megapixels of gray", Any, true, empty(most, 8, pngGray, 0)},
		{"png-line", "one line as long as possible", Any, false, func(r *rand.Rand) []byte { return emptyPNG(65000+r.IntN(500), 1, 8, pngRGB, 0) }},
		{"png-column", "one column as long as possible", Any, false, func(r *rand.Rand) []byte { return emptyPNG(1, 65000+r.IntN(500), 8, pngRGB, 0) }},
		{"png-1x1", "one pixel", Accepted, false, func(*rand.Rand) []byte { return emptyPNG(1, 1, 8, pngRGB, 0) }},
		{"png-16-bits", "16 bits a sample", Accepted, false, func(r *rand.Rand) []byte { return plainPNG(r, 64, 64, 16, pngRGB) }},
		{"png-alpha", "transparency", Accepted, false, func(r *rand.Rand) []byte { return plainPNG(r, 64, 64, 8, pngRGBA) }},
	}
	empties := func(name, why string, depth, color, filter int) []kind {
		return sized(name, why, func(r *rand.Rand, pixels int) []byte {
			w, h := sides(r, pixels, 65000)
			return emptyPNG(w, h, depth, color, filter)
		})
	}
	interlaced := func(name, why string, depth, color int) []kind {
		return sized(name, why, func(r *rand.Rand, pixels int) []byte {
			w, h := sides(r, pixels, 65000)
			return interlacedPNG(w, h, depth, color, r.IntN(5))
		})
	}
	for filter, name := range []string{"none", "sub", "up", "average", "paeth"} {
		kinds = append(kinds, empties("png-rgb-"+name, "RGB, filter "+name, 8, pngRGB, filter)...)
	}
	return slices.Concat(kinds, empties("png-1bit", "one bit", 1, pngGray, 0), empties("png-palette", "a palette of two colors", 1, pngPalette, 0),
		empties("png-rgba16", "64 bits a pixel", 16, pngRGBA, 4), interlaced("png-interlaced-rgb", "RGB in seven passes", 8, pngRGB),
		interlaced("png-interlaced-rgba16", "64 bits a pixel in seven passes", 16, pngRGBA), interlaced("png-interlaced-1bit", "one bit in seven passes", 1, pngGray))
}

// pngStreams have more in their compressed data than the image.
func pngStreams() []kind {
	rows := func() []byte { return make([]byte, 16*49) }
	kinds := []kind{
		{"png-empty-chunks", "nearly two million empty IDAT", Any, true, func(r *rand.Rand) []byte {
			empty := chunk("IDAT")
			return pngOf(16, 16, 8, pngRGB, 0, deflate(rows()), bytes.Repeat(empty, almost(r)/len(empty)))
		}},
		{"png-byte-chunks", "each byte an IDAT of its own", Any, false, func(r *rand.Rand) []byte {
			out := append([]byte(pngSignature), header(320, 240, 8, pngRGB, 0)...)
			for _, octet := range deflate(noise(r, 240*961)) {
				out = append(out, chunk("IDAT", octet)...)
			}
			return append(out, pngEnd...)
		}},
		{"png-dynamic-blocks", "1.8 million blocks of deflate with tables and no data", Any, true, func(r *rand.Rand) []byte {
			return pngOf(16, 16, 8, pngRGB, 0, emptyBlocks(almost(r)/90*8, rows()))
		}},
		{"png-stored-blocks", "four million empty blocks of deflate", Any, true, func(r *rand.Rand) []byte {
			return pngOf(16, 16, 8, pngRGB, 0, storedBlocks(almost(r)/5, rows()))
		}},
		{"png-short-data", "the data end early, behind them padding", Any, false, func(r *rand.Rand) []byte {
			w, h := sides(r, always, 65000)
			return pngOf(w, h, 8, pngRGB, 0, join(deflate(make([]byte, 1000)), make([]byte, 200_000)))
		}},
		{"png-noise-data", "the data are noise", Refused, false, func(r *rand.Rand) []byte {
			return pngOf(7000, 7000, 8, pngRGB, 0, noise(r, 200_000))
		}},
		{"png-noise", "an image of noise as large as an upload may be", Any, true, func(r *rand.Rand) []byte {
			line := 1 + 3*2500
			data := noise(r, 2500*line)
			for i := 0; i < len(data); i += line {
				data[i] = 4
			}
			return pngOf(2500, 2500, 8, pngRGB, 0, deflate(data))
		}},
		{"png-filter-9", "a filter that does not exist", Any, false, func(*rand.Rand) []byte { return emptyPNG(64, 64, 8, pngRGB, 9) }},
		{"png-no-palette", "the palette is missing", Any, false, func(*rand.Rand) []byte {
			return join([]byte(pngSignature), header(64, 64, 8, pngPalette, 0), chunk("IDAT", deflate(make([]byte, 65*64))...), pngEnd)
		}},
		{"png-palette-short", "pixels beyond the palette", Any, false, func(*rand.Rand) []byte {
			row := append([]byte{0}, bytes.Repeat([]byte{0xff}, 64)...)
			return pngOf(64, 64, 8, pngPalette, 0, deflateRows(row, 64))
		}},
		{"png-wrong-sum", "a wrong checksum of the data", Any, false, func(r *rand.Rand) []byte {
			data := deflate(make([]byte, 64*193))
			data[len(data)-1-r.IntN(4)] ^= 1
			return pngOf(64, 64, 8, pngRGB, 0, data)
		}},
	}
	for _, mb := range []int{1, 4, 19} {
		kinds = append(kinds, kind{fmt.Sprintf("png-inflated-%dmb", mb), fmt.Sprintf("16x16 pixels, and %d GB of zeros behind them", mb), Any, true, func(*rand.Rand) []byte {
			return pngOf(16, 16, 8, pngRGB, 0, zeros(mb*1000))
		}})
	}
	return kinds
}

// pngChunks have hostile chunks in front of an image that is whole.
func pngChunks() []kind {
	with := func(extra func(r *rand.Rand) []byte) func(r *rand.Rand) []byte {
		return func(r *rand.Rand) []byte { return plainPNG(r, 32, 32, 8, pngRGB, extra(r)) }
	}
	many := func(one []byte) func(r *rand.Rand) []byte {
		return with(func(r *rand.Rand) []byte { return bytes.Repeat(one, almost(r)/len(one)-500) })
	}
	compressed := func(name, prefix string, megabytes int) []byte {
		return chunk(name, append([]byte(prefix), zeros(megabytes)...)...)
	}
	return []kind{
		{"png-text", "19 MB of text", Any, true, with(func(*rand.Rand) []byte { return chunk("tEXt", append([]byte("k\x00"), make([]byte, 19<<20)...)...) })},
		{"png-texts", "1.4 million small texts", Any, true, many(chunk("tEXt", 'k', 0))},
		{"png-ztxt", "a text of a gigabyte", Any, true, with(func(*rand.Rand) []byte { return compressed("zTXt", "k\x00\x00", 1000) })},
		{"png-ztxts", "200 texts of 8 MB", Any, true, with(func(*rand.Rand) []byte { return bytes.Repeat(compressed("zTXt", "k\x00\x00", 8), 200) })},
		{"png-itxt", "an international text of a gigabyte", Any, true, with(func(*rand.Rand) []byte { return compressed("iTXt", "k\x00\x01\x00\x00\x00", 1000) })},
		{"png-profile", "a color profile of a gigabyte", Any, true, with(func(*rand.Rand) []byte { return compressed("iCCP", "k\x00\x00", 1000) })},
		{"png-profile-small", "a color profile of 7 MB", Any, false, with(func(*rand.Rand) []byte { return compressed("iCCP", "k\x00\x00", 7) })},
		{"png-warnings", "1.3 million chunks that libpng warns about", Any, true, many(chunk("sBIT", 9, 9, 9))},
		{"png-unknown", "1.7 million unknown chunks", Any, true, many(chunk("abCd"))},
		{"png-wrong-sums", "1.5 million chunks with wrong checksums", Any, true, many(wrongChunk("abCd", 1))},
		{"png-palettes", "1,000 suggested palettes", Any, true, with(func(*rand.Rand) []byte {
			var out []byte
			for i := range 1000 {
				out = append(out, chunk("sPLT", append(fmt.Appendf(nil, "p%d\x00\x10", i), make([]byte, 10_000)...)...)...)
			}
			return out
		})},
		{"png-times", "a million chunks with the time", Any, true, many(chunk("tIME", 7, 230, 1, 1, 1, 1, 1))},
		{"png-exif-loop", "Exif that leads to itself", Accepted, false, with(func(*rand.Rand) []byte {
			e := upright()
			e.next = 8
			return chunk("eXIf", e.tiff()...)
		})},
		{"png-exif-far", "Exif far outside", Accepted, false, with(func(r *rand.Rand) []byte {
			e := upright()
			e.offset = 0xffffff00 + r.Uint32N(0xff)
			return chunk("eXIf", e.tiff()...)
		})},
		{"png-animation", "an animation of a million frames, none of which is there", Any, false, with(func(r *rand.Rand) []byte {
			data := binary.BigEndian.AppendUint32(nil, 1_000_000+r.Uint32N(9))
			return chunk("acTL", binary.BigEndian.AppendUint32(data, 0)...)
		})},
		{"png-chunk-length", "a chunk of four gigabytes", Any, false, with(func(*rand.Rand) []byte { return []byte("\xff\xff\xff\xfftEXt") })},
		{"png-unknown-critical", "an unknown chunk that matters", Refused, false, with(func(*rand.Rand) []byte { return chunk("ABCD", 1) })},
		{"png-cut", "the second half is missing", Refused, false, func(r *rand.Rand) []byte {
			image := plainPNG(r, 320, 240, 8, pngRGB)
			return image[:len(image)/2]
		}},
		{"png-zip-behind", "a zip behind it", Any, false, func(r *rand.Rand) []byte {
			return join(plainPNG(r, 64, 64, 8, pngRGB), []byte("PK\x05\x06"), make([]byte, 18))
		}},
		{"png-jpeg-behind", "a JPEG behind it", Any, false, func(r *rand.Rand) []byte { return join(plainPNG(r, 64, 64, 8, pngRGB), smallJPEG(r)) }},
	}
}

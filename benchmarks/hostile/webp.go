package hostile

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
)

func webpKinds() []kind { return slices.Concat(webpLarge(), webpOthers()) }

// webpLarge are large, and differ in what a decoder keeps and does for each pixel.
func webpLarge() []kind {
	transformed := func(name, why string, transforms ...uint32) []kind {
		return sized(name, why, func(r *rand.Rand, pixels int) []byte {
			w, h := sides(r, pixels, maxWebP)
			order := slices.Clone(transforms)
			r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			return transformedWebP(w, h, order)
		})
	}
	return slices.Concat(
		transformed("webp-predicted", "each predicted from its neighbors", transformPredict),
		transformed("webp-indexed", "two colors, eight pixels in a byte", transformIndex),
		transformed("webp-transformed", "three transforms", transformPredict, transformColor, transformGreen),
		transformed("webp-four-transforms", "all transforms", transformPredict, transformColor, transformGreen, transformIndex),
		sized("webp-group-image", "an image of groups", func(r *rand.Rand, pixels int) []byte {
			w, h := sides(r, pixels, maxWebP)
			b := lossless(w, h)
			b.put(0, 2)
			b.put(1, 1)
			b.put(0, 3)
			b.put(0, 1)
			oneColor(b, 0)
			oneColor(b, 90)
			return losslessFile(b)
		}),
		sized("webp-color-cache", "a color cache", func(r *rand.Rand, pixels int) []byte {
			w, h := sides(r, pixels, maxWebP)
			b := lossless(w, h)
			b.put(0, 1)
			b.put(1, 1)
			b.put(11, 4)
			b.put(0, 1)
			oneColor(b, 90)
			return losslessFile(b)
		}),
		sized("webp-alpha", "lossy, with a few bytes of transparency for all of them", func(r *rand.Rand, pixels int) []byte {
			w, h := sides(r, pixels, maxWebP)
			var alpha bitsLow
			alpha.put(0, 3)
			oneColor(&alpha, 128)
			return webpFile(webpExtended(webpAlpha, w, h), webpChunk("ALPH", join([]byte{1}, alpha.bytes(), make([]byte, 16))), webpChunk("VP8 ", lossyPart(w, h)))
		}),
		sized("webp-frame-large", "an animation of one frame", func(r *rand.Rand, pixels int) []byte {
			w, h := sides(r, pixels, maxWebP)
			frame := webpChunk("ANMF", join(little24(0), little24(0), little24(w-1), little24(h-1), little24(100), []byte{0}, flatWebP(w, h)[12:]))
			return webpFile(webpExtended(webpAnimated, w, h), webpChunk("ANIM", make([]byte, 6)), frame)
		}),
		sized("webp-flat", "one color, in a few bytes", func(r *rand.Rand, pixels int) []byte { return flatWebP(sides(r, pixels, maxWebP)) }),
		sized("webp-lossy", "lossy", func(r *rand.Rand, pixels int) []byte {
			w, h := sides(r, pixels, maxWebP)
			return webpFile(webpChunk("VP8 ", lossyPart(w, h)))
		}),
	)
}

func webpOthers() []kind {
	extra := func(name string, data func(r *rand.Rand) []byte) func(r *rand.Rand) []byte {
		return func(r *rand.Rand) []byte {
			image := literalWebP(r, 64, 64)
			return webpFile(webpExtended(0, 64, 64), image[12:], webpChunk(name, data(r)))
		}
	}
	return []kind{
		{"webp-268mp", "the largest size there is, in a few bytes", Refused, false, func(*rand.Rand) []byte { return flatWebP(maxWebP, maxWebP) }},
		{"webp-250mp", "250 megapixels in a few bytes", Any, true, func(r *rand.Rand) []byte { return flatWebP(sides(r, most, maxWebP)) }},
		{"webp-1x1", "one pixel", Accepted, false, func(*rand.Rand) []byte { return flatWebP(1, 1) }},
		{"webp-same-transform", "a transform that comes twice", Any, false, func(*rand.Rand) []byte {
			return transformedWebP(64, 64, []uint32{transformGreen, transformGreen})
		}},
		{"webp-groups", "65,536 groups of prefix codes", Any, true, func(r *rand.Rand) []byte { return groupedWebP(r, 1024, 65536-r.IntN(500), false) }},
		{"webp-large-groups", "the same, with the largest tables", Any, true, func(r *rand.Rand) []byte { return groupedWebP(r, 1024, 65536-r.IntN(500), true) }},
		{"webp-few-large-groups", "8,192 groups with the largest tables", Any, true, func(r *rand.Rand) []byte { return groupedWebP(r, 512, 8192-r.IntN(100), true) }},
		{"webp-noise", "lossless noise as large as an upload may be", Any, true, func(r *rand.Rand) []byte { return literalWebP(r, 2500+r.IntN(50), 2500) }},
		{"webp-lossy-small", "a small lossy image", Accepted, false, func(*rand.Rand) []byte { return webpFile(webpChunk("VP8 ", lossyPart(64, 48))) }},
		{"webp-sizes-differ", "the container claims another size than the image", Any, false, func(r *rand.Rand) []byte {
			return webpFile(webpExtended(0, 16_000_000, 16+r.IntN(99)), literalWebP(r, 64, 64)[12:])
		}},
		{"webp-frames", "an animation of 100,000 frames on the largest canvas", Any, true, func(r *rand.Rand) []byte {
			image := flatWebP(16, 16)[12:]
			frame := webpChunk("ANMF", join(little24(0), little24(0), little24(15), little24(15), little24(100), []byte{0}, image))
			return webpFile(webpExtended(webpAnimated, maxWebP, maxWebP), webpChunk("ANIM", make([]byte, 6)), bytes.Repeat(frame, min(100_000-r.IntN(99), almost(r)/len(frame))))
		}},
		{"webp-empty-chunks", "1.2 million empty chunks", Any, true, func(r *rand.Rand) []byte {
			return webpFile(webpExtended(0, 64, 64), literalWebP(r, 64, 64)[12:], bytes.Repeat(webpChunk("abcd", nil), 1_200_000))
		}},
		{"webp-empty-chunks-first", "1.2 million empty chunks in front of the image", Any, true, func(r *rand.Rand) []byte {
			return webpFile(webpExtended(0, 64, 64), bytes.Repeat(webpChunk("abcd", nil), 1_200_000), literalWebP(r, 64, 64)[12:])
		}},
		{"webp-exif-loop", "Exif that leads to itself", Any, false, extra("EXIF", func(*rand.Rand) []byte {
			e := upright()
			e.next = 8
			return e.tiff()
		})},
		{"webp-xmp", "19 MB of XMP", Any, true, extra("XMP ", func(*rand.Rand) []byte { return bytes.Repeat([]byte("<a>"), 19<<20/3) })},
		{"webp-profile", "19 MB of a color profile", Any, false, extra("ICCP", func(*rand.Rand) []byte { return make([]byte, 19<<20) })},
		{"webp-chunk-length", "a chunk of four gigabytes", Any, false, func(r *rand.Rand) []byte {
			return join([]byte("RIFF\xfe\xff\xff\xffWEBPVP8L\xf0\xff\xff\xff"), literalWebP(r, 64, 64)[20:])
		}},
		{"webp-cut", "the second half is missing", Refused, false, func(r *rand.Rand) []byte {
			image := literalWebP(r, 320, 240)
			return image[:len(image)/2]
		}},
		{"webp-cut-closed", "the same, with the right sizes", Any, false, func(r *rand.Rand) []byte {
			image := literalWebP(r, 320, 240)
			return webpFile(webpChunk("VP8L", image[20:len(image)/2]))
		}},
		{"webp-wave", "sound", Refused, false, func(*rand.Rand) []byte {
			return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), 36), append([]byte("WAVEfmt "), make([]byte, 28)...)...)
		}},
		{"webp-html-behind", "HTML behind it", Any, false, func(r *rand.Rand) []byte {
			return join(literalWebP(r, 64, 64), []byte("<script>alert(1)</script>"))
		}},
	}
}

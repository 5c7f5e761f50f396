package hostile

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// maxScans is the default of preprocess.max_scans.
const maxScans = 100

func jpegKinds() []kind {
	return slices.Concat(jpegSizes(), jpegLarge(), jpegScans(), jpegTables(), jpegSegments())
}

// jpegSizes claim more than they hold.
func jpegSizes() []kind {
	return []kind{
		{"jpeg-giga-header", "a header of a gigapixel and no scan", Refused, false, func(r *rand.Rand) []byte {
			return join(startOfImage, quantization(1), frame(sof0, 65500, 15500+r.IntN(500), 3), endOfImage)
		}},
		{"jpeg-header-alone", "a header just below the limit and no scan", Refused, false, func(r *rand.Rand) []byte {
			w, h := sides(r, most, 65000)
			return join(startOfImage, quantization(1), frame(sof0, w, h, 3), endOfImage)
		}},
		{"jpeg-empty-scan", "a scan without data, just below the limit", Refused, true, func(r *rand.Rand) []byte {
			w, h := sides(r, always, 65000)
			return join(startOfImage, quantization(1), frame(sof0, w, h, 3), oneCode(dc, 0), oneCode(ac, 0), scan(upTo(3), 0, 63, 0, 0), endOfImage)
		}},
		{"jpeg-64mp", "64 megapixels in one color, as an ordinary encoder writes them", Accepted, true, func(r *rand.Rand) []byte {
			w, h := sides(r, always, 16000)
			return flatColor(w, h)
		}},
		{"jpeg-250mp", "the same with 250 megapixels", Any, true, func(r *rand.Rand) []byte {
			w, h := sides(r, most, 65000)
			return flatColor(w, h)
		}},
		{"jpeg-line", "one line as long as possible", Any, false, func(r *rand.Rand) []byte { return flatColor(65000+r.IntN(500), 1) }},
		{"jpeg-column", "one column as long as possible", Any, false, func(r *rand.Rand) []byte { return flatColor(1, 65000+r.IntN(500)) }},
		{"jpeg-1x1", "one pixel", Accepted, false, func(*rand.Rand) []byte { return flatColor(1, 1) }},
		{"jpeg-zero", "no pixels", Refused, false, func(*rand.Rand) []byte {
			return join(startOfImage, quantization(1), frame(sof0, 0, 0, 3), oneCode(dc, 0), oneCode(ac, 0), scan(upTo(3), 0, 63, 0, 0), endOfImage)
		}},
		{"jpeg-height-later", "the height follows the scan (DNL)", Any, false, func(r *rand.Rand) []byte {
			h := 8 + r.IntN(500)
			return join(startOfImage, quantization(1), frame(sof0, 100, 0, 3), oneCode(dc, 0), oneCode(ac, 0), scan(upTo(3), 0, 63, 0, 0),
				bitsToBytes(2*3*blocks(100, h)), segment(dnl, byte(h>>8), byte(h)), endOfImage)
		}},
		{"jpeg-height-larger", "the height that follows the scan is a thousand times that of the header", Any, false, func(r *rand.Rand) []byte {
			h := 60_000 + r.IntN(5000)
			return join(startOfImage, quantization(1), frame(sof0, 1000, 60, 3), oneCode(dc, 0), oneCode(ac, 0), scan(upTo(3), 0, 63, 0, 0),
				bitsToBytes(2*3*blocks(1000, 60)), segment(dnl, byte(h>>8), byte(h)), endOfImage)
		}},
		{"jpeg-two-frames", "a small frame header, and then a large one", Refused, false, func(r *rand.Rand) []byte {
			w, h := sides(r, always, 65000)
			return join(startOfImage, quantization(1), frame(sof0, 16, 16, 3), frame(sof0, w, h, 3), oneCode(dc, 0), oneCode(ac, 0),
				scan(upTo(3), 0, 63, 0, 0), make([]byte, 4000), endOfImage)
		}},
		{"jpeg-thumbnail-size", "the frame of the thumbnail in front is small, that of the image is a gigapixel", Refused, false, func(r *rand.Rand) []byte {
			return join(startOfImage, thumbnailed(flatColor(64, 64)), quantization(1), frame(sof0, 65000, 15500+r.IntN(500), 3), oneCode(dc, 0), oneCode(ac, 0),
				scan(upTo(3), 0, 63, 0, 0), make([]byte, 4000), endOfImage)
		}},
		{"jpeg-sampling-4", "sampling factors of 4 everywhere: more blocks than a group may have", Any, false, func(r *rand.Rand) []byte {
			return join(startOfImage, quantization(1), frameOf(sof0, 8, 640+r.IntN(64), 480, 0x44, 0x44, 0x44), oneCode(dc, 0), oneCode(ac, 0),
				scan(upTo(3), 0, 63, 0, 0), make([]byte, 90_000), endOfImage)
		}},
		{"jpeg-sampling-0", "sampling factors of 0", Refused, false, func(r *rand.Rand) []byte {
			return join(startOfImage, quantization(1), frameOf(sof0, 8, 640+r.IntN(64), 480, 0, 0, 0), scan(upTo(3), 0, 63, 0, 0), make([]byte, 9000), endOfImage)
		}},
	}
}

// jpegLarge are large, and differ in what a decoder keeps and does for each pixel.
func jpegLarge() []kind {
	return slices.Concat(
		sized("jpeg-two-bits", "two bits for each block", func(r *rand.Rand, pixels int) []byte {
			w, h := sides(r, pixels, 65000)
			return flatBits(sof0, w, h, 3, 1)
		}),
		sized("jpeg-two-bits-gray", "two bits for each block, gray", func(r *rand.Rand, pixels int) []byte {
			w, h := sides(r, pixels, 65000)
			return flatBits(sof0, w, h, 1, 1)
		}),
		sized("jpeg-two-bits-cmyk", "two bits for each block, four components", func(r *rand.Rand, pixels int) []byte {
			w, h := sides(r, pixels, 65000)
			return flatBits(sof0, w, h, 4, 1)
		}),
		sized("jpeg-upsampled", "components of the least resolution, which are blown up", func(r *rand.Rand, pixels int) []byte {
			w, h := sides(r, pixels, 65000)
			groups := (w + 31) / 32 * ((h + 15) / 16) // of 10 blocks, as many as allowed
			return join(startOfImage, quantization(1), frameOf(sof0, 8, w, h, 0x42, 0x11, 0x11), oneCode(dc, 0), oneCode(ac, 0),
				scan(upTo(3), 0, 63, 0, 0), bitsToBytes(2*10*groups), endOfImage)
		}),
		sized("jpeg-sampling-odd", "sampling factors that do not divide each other", func(r *rand.Rand, pixels int) []byte {
			w, h := sides(r, pixels, 65000)
			groups := (w + 23) / 24 * ((h + 15) / 16)
			return join(startOfImage, quantization(1), frameOf(sof0, 8, w, h, 0x31, 0x12, 0x11), oneCode(dc, 0), oneCode(ac, 0),
				scan(upTo(3), 0, 63, 0, 0), bitsToBytes(2*6*groups), endOfImage)
		}),
		sized("jpeg-three-scans", "sequential in three scans: all coefficients are kept", func(r *rand.Rand, pixels int) []byte {
			w, h := sides(r, pixels, 65000)
			return flatBits(sof0, w, h, 3, 3)
		}),
		sized("jpeg-every-bit", "all 56 scans of a valid progressive image", func(r *rand.Rand, pixels int) []byte {
			w, h := sides(r, pixels, 65000)
			return everyBit(w, h, 3, false)
		}),
		sized("jpeg-dc-only", "progressive with a single scan: every block is smoothed", func(r *rand.Rand, pixels int) []byte {
			w, h := sides(r, pixels, 65000)
			return progressive{width: w, height: h, components: 3, scans: 1}.jpeg()
		}),
		sized("jpeg-bands", "a scan for each single coefficient", func(r *rand.Rand, pixels int) []byte {
			w, h := sides(r, pixels, 65000)
			n := blocks(w, h)
			out := join(startOfImage, quantization(1), frame(sof2, w, h, 1), oneCode(dc, 0), scan([]byte{1}, 0, 0, 0, 0), bitsToBytes(n), oneCode(ac, endOfBlocks))
			for k := byte(1); k < 64; k++ {
				out = append(append(out, scan([]byte{1}, k, k, 0, 0)...), emptyRuns(n)...)
			}
			return append(out, endOfImage...)
		}),
		sized("jpeg-restart-each", "a restart marker behind each block", func(r *rand.Rand, pixels int) []byte {
			w, h := sides(r, pixels, 65000)
			n := blocks(w, h)
			out := join(startOfImage, quantization(1), frame(sof0, w, h, 1), segment(dri, 0, 1), oneCode(dc, 0), oneCode(ac, 0), scan([]byte{1}, 0, 63, 0, 0))
			for i := range n {
				out = append(out, 0x3f)
				if i < n-1 {
					out = append(out, 0xff, rst0+byte(i%8))
				}
			}
			return append(out, endOfImage...)
		}),
	)
}

// jpegScans have the decoder go over the image again and again.
func jpegScans() []kind {
	kinds := []kind{
		{"jpeg-scans-10000", "10,000 scans", Refused, true, func(r *rand.Rand) []byte {
			return progressive{width: 7000 + r.IntN(100), height: 7000, components: 3, scans: 10_000, low: 1}.jpeg()
		}},
		{"jpeg-scans-10000-small", "10,000 scans of 64x64 pixels", Refused, false, func(*rand.Rand) []byte {
			return progressive{width: 64, height: 64, components: 3, scans: 10_000, low: 1}.jpeg()
		}},
		{"jpeg-late-error", "as many scans as allowed, the last of which is invalid", Refused, true, func(r *rand.Rand) []byte {
			w, h := sides(r, 4*megapixel, 65000)
			return progressive{width: w, height: h, components: 3, scans: maxScans, lateError: true, low: 1}.jpeg()
		}},
		{"jpeg-late-error-cmyk", "the same with four components", Refused, true, func(r *rand.Rand) []byte {
			w, h := sides(r, 4*megapixel, 65000)
			return progressive{width: w, height: h, components: 4, scans: maxScans, lateError: true, low: 1}.jpeg()
		}},
		{"jpeg-every-bit-late-error", "all 56 scans of a valid progressive image, and an invalid one", Refused, true, func(r *rand.Rand) []byte {
			w, h := sides(r, 50*megapixel, 65000)
			return everyBit(w, h, 3, true)
		}},
		{"jpeg-refined", "13 scans that correct every coefficient", Any, true, func(r *rand.Rand) []byte {
			w, h := sides(r, 9*megapixel, 65000)
			return refinedAll(r, w, h, 12)
		}},
		{"jpeg-refined-nothing", "a scan that refines nothing, and an invalid one", Refused, false, func(r *rand.Rand) []byte {
			w, h := 1280, 700+r.IntN(100)
			n := blocks(w, h)
			return join(startOfImage, quantization(1), frame(sof2, w, h, 3), oneCode(dc, 0), scan(upTo(3), 0, 0, 0, 0), bitsToBytes(3*n),
				oneCode(ac, endOfBlocks), scan([]byte{1}, 1, 63, 3, 2), emptyRuns(n), scan([]byte{1}, 1, 63, 5, 1), emptyRuns(n), endOfImage)
		}},
		{"jpeg-two-scans-of-one", "a component comes twice, another never", Any, false, func(r *rand.Rand) []byte {
			w, h := 640+r.IntN(64), 480
			one := join(scan([]byte{1}, 0, 63, 0, 0), bitsToBytes(2*blocks(w, h)))
			return join(startOfImage, quantization(1), frame(sof0, w, h, 3), oneCode(dc, 0), oneCode(ac, 0), one, one, endOfImage)
		}},
	}
	for _, load := range []struct{ scans, megapixels int }{{10, 50}, {20, 25}, {50, 12}, {maxScans, 3}, {maxScans, 12}, {maxScans, 49}, {maxScans, 64}, {maxScans + 1, 1}} {
		pixels := load.megapixels * megapixel
		name := func(what string) string { return fmt.Sprintf("jpeg-%s-%dx%dmp", what, load.scans, load.megapixels) }
		why := func(what string) string {
			return fmt.Sprintf("%d scans of %d megapixels, %s", load.scans, load.megapixels, what)
		}
		for _, components := range []int{1, 3, 4} {
			kinds = append(kinds, kind{name(fmt.Sprintf("scans-%dc", components)), why(fmt.Sprintf("progressive, %d components", components)), Any, true,
				func(r *rand.Rand) []byte {
					w, h := sides(r, pixels, 65000)
					return progressive{width: w, height: h, components: components, scans: load.scans, low: byte(r.IntN(2))}.jpeg()
				}})
		}
		kinds = append(kinds,
			kind{name("codes"), why("with a code for each block"), Any, true, func(r *rand.Rand) []byte {
				w, h := sides(r, min(pixels, (almost(r)-50_000)*8*64/load.scans), 65000)
				return progressive{width: w, height: h, components: 3, scans: load.scans, eachBlock: true, low: 1}.jpeg()
			}},
			kind{name("sequential"), why("sequential"), Any, true, func(r *rand.Rand) []byte {
				w, h := sides(r, min(pixels, (almost(r)-50_000)*4*64/load.scans), 65000)
				return flatBits(sof0, w, h, 3, load.scans)
			}},
			kind{name("dc"), why("which refine the same bit of DC"), Any, true, func(r *rand.Rand) []byte {
				w, h := sides(r, min(pixels, (almost(r)-50_000)*8*64/3/load.scans), 65000)
				n := blocks(w, h) * 3
				out := join(startOfImage, quantization(1), frame(sof2, w, h, 3), oneCode(dc, 0), scan(upTo(3), 0, 0, 0, 1), bitsToBytes(n))
				for range load.scans - 1 {
					out = append(append(out, scan(upTo(3), 0, 0, 1, 0)...), bitsToBytes(n)...)
				}
				return append(out, endOfImage...)
			}})
	}
	return kinds
}

// jpegTables have tables and coding that few decoders support, or none.
func jpegTables() []kind {
	small := func(marker byte, bits, components int) func(r *rand.Rand) []byte {
		return func(r *rand.Rand) []byte {
			w, h := 64+r.IntN(64), 64
			return join(startOfImage, quantization(1), frameOf(marker, bits, w, h, bytes.Repeat([]byte{0x11}, components)...), oneCode(dc, 0), oneCode(ac, 0),
				scan(upTo(min(components, 4)), 0, 63, 0, 0), bitsToBytes(2*components*blocks(w, h)), endOfImage)
		}
	}
	return []kind{
		{"jpeg-12-bits", "samples of 12 bits", Refused, false, small(sof1, 12, 3)},
		{"jpeg-arithmetic", "arithmetic coding", Refused, false, small(sof9, 8, 3)},
		{"jpeg-lossless", "lossless coding", Refused, false, small(sof3, 8, 3)},
		{"jpeg-hierarchical", "a differential frame", Refused, false, small(sof5, 8, 3)},
		{"jpeg-2-components", "two components", Refused, false, small(sof0, 8, 2)},
		{"jpeg-255-components", "255 components", Refused, false, small(sof0, 8, 255)},
		{"jpeg-4-components", "four components that nothing describes", Any, false, small(sof0, 8, 4)},
		{"jpeg-cmyk", "four components, with Adobe's marker", Accepted, false, func(r *rand.Rand) []byte {
			marker := segment(app14, 'A', 'd', 'o', 'b', 'e', 0, 100, 0, 0, 0, 0, byte(2*r.IntN(2)))
			return afterStart(small(sof0, 8, 4)(r), marker)
		}},
		{"jpeg-no-tables", "no tables at all", Any, false, func(r *rand.Rand) []byte {
			return join(startOfImage, frame(sof0, 64, 64+r.IntN(64), 3), scan(upTo(3), 0, 63, 0, 0), make([]byte, 900), endOfImage)
		}},
		{"jpeg-impossible-codes", "a Huffman table with more codes than there can be", Refused, false, func(*rand.Rand) []byte {
			table := append(append([]byte{dc << 4}, bytes.Repeat([]byte{0xff}, 16)...), make([]byte, 200)...)
			return join(startOfImage, quantization(1), frame(sof0, 64, 64, 3), segment(dht, table...), scan(upTo(3), 0, 63, 0, 0), make([]byte, 900), endOfImage)
		}},
		{"jpeg-table-of-other", "a scan that names tables that do not exist", Any, false, func(r *rand.Rand) []byte {
			header := segment(sos, 3, 1, 0x33, 2, 0x33, 3, byte(r.IntN(256)), 0, 63, 0)
			return join(startOfImage, quantization(1), frame(sof0, 64, 64, 3), oneCode(dc, 0), oneCode(ac, 0), header, make([]byte, 900), endOfImage)
		}},
		{"jpeg-quantization-of-other", "components that name quantization tables that do not exist", Any, false, func(r *rand.Rand) []byte {
			header := segment(sof0, 8, 0, 64, 0, 64, 3, 1, 0x11, 3, 2, 0x11, byte(r.IntN(256)), 3, 0x11, 200)
			return join(startOfImage, quantization(1), header, oneCode(dc, 0), oneCode(ac, 0), scan(upTo(3), 0, 63, 0, 0), make([]byte, 900), endOfImage)
		}},
		{"jpeg-quantization-0", "quantization by zero", Any, false, func(*rand.Rand) []byte {
			return join(startOfImage, quantization(0), frame(sof0, 64, 64, 3), oneCode(dc, 0), oneCode(ac, 0), scan(upTo(3), 0, 63, 0, 0), make([]byte, 900), endOfImage)
		}},
		{"jpeg-long-codes", "every coefficient has a code of 16 bits", Any, true, func(r *rand.Rand) []byte {
			w, h := sides(r, 4*megapixel, 65000)
			return longCodes(w, h)
		}},
		{"jpeg-noise", "noise in high quality", Accepted, true, func(r *rand.Rand) []byte {
			return encodeJPEG(noiseImage(r, 1900+r.IntN(200), 1400), 97)
		}},
	}
}

// jpegSegments have hostile parts around an image that is whole.
func jpegSegments() []kind {
	fill := func(part []byte) func(r *rand.Rand) []byte {
		return func(r *rand.Rand) []byte {
			image := smallJPEG(r)
			return afterStart(image, bytes.Repeat(part, (almost(r)-len(image))/len(part)))
		}
	}
	around := func(change func(r *rand.Rand, image []byte) []byte) func(r *rand.Rand) []byte {
		return func(r *rand.Rand) []byte { return change(r, smallJPEG(r)) }
	}
	withExif := func(change func(r *rand.Rand, e *exifBlock)) func(r *rand.Rand) []byte {
		return func(r *rand.Rand) []byte {
			e := upright()
			change(r, &e)
			return afterStart(smallJPEG(r), e.segment())
		}
	}
	return []kind{
		{"jpeg-comments", "five million empty comments", Any, true, fill(segment(com))},
		{"jpeg-fill", "20 MB of fill bytes", Any, true, fill([]byte{0xff})},
		{"jpeg-huffman-tables", "nearly a million Huffman tables", Any, true, fill(oneCode(dc, 0))},
		{"jpeg-full-tables", "Huffman tables of 256 codes each", Any, true, func(r *rand.Rand) []byte {
			table := append([]byte{ac<<4 | 3, 0, 0, 0, 0, 0, 0, 0, 255}, make([]byte, 8)...)
			for i := range 255 {
				table = append(table, byte(i))
			}
			return fill(segment(dht, table...))(r)
		}},
		{"jpeg-quantization-tables", "300,000 quantization tables", Any, true, fill(quantization(1))},
		{"jpeg-restart-intervals", "three million restart intervals", Any, true, fill(segment(dri, 0, 1))},
		{"jpeg-app-segments", "320 segments of 64 kB", Any, false, fill(segment(app2, make([]byte, maxSegment)...))},
		{"jpeg-color-profile", "a color profile of 255 parts that are all the first", Any, false, func(r *rand.Rand) []byte {
			part := segment(app2, append([]byte("ICC_PROFILE\x00\x01\xff"), noise(r, 60_000)...)...)
			return afterStart(smallJPEG(r), bytes.Repeat(part, 255))
		}},
		{"jpeg-restart-markers", "ten million restart markers behind the data", Any, true, around(func(r *rand.Rand, image []byte) []byte {
			return join(image[:len(image)-2], bytes.Repeat([]byte{0xff, rst0}, (almost(r)-len(image))/2), endOfImage)
		})},
		{"jpeg-exif-loop", "an Exif directory that leads to itself", Accepted, false, withExif(func(_ *rand.Rand, e *exifBlock) { e.next = 8 })},
		{"jpeg-exif-far", "an Exif directory far outside", Accepted, false, withExif(func(r *rand.Rand, e *exifBlock) { e.offset = 0xffffff00 + r.Uint32N(0xff) })},
		{"jpeg-exif-entries", "65,535 Exif entries, one of which is there", Accepted, false, withExif(func(_ *rand.Rand, e *exifBlock) { e.entries = 65535 })},
		{"jpeg-exif-count", "an Exif entry of four billion values", Accepted, false, withExif(func(_ *rand.Rand, e *exifBlock) { e.count = 0xffffffff })},
		{"jpeg-exif-kind", "an Exif entry of an unknown type", Accepted, false, withExif(func(r *rand.Rand, e *exifBlock) { e.kind = uint16(14 + r.IntN(60000)) })},
		{"jpeg-exif-orientation", "an orientation that does not exist", Accepted, false, withExif(func(r *rand.Rand, e *exifBlock) { e.orientation = 9 + r.Uint32N(60000) })},
		{"jpeg-exif-many", "300 Exif segments", Accepted, false, around(func(_ *rand.Rand, image []byte) []byte {
			return afterStart(image, bytes.Repeat(upright().segment(), 300))
		})},
		{"jpeg-thumbnail-bomb", "an Exif thumbnail of 64 megapixels with a hundred scans", Accepted, false, around(func(_ *rand.Rand, image []byte) []byte {
			bomb := progressive{width: 8000, height: 8000, components: 1, scans: 2, low: 1}.jpeg()
			return afterStart(image, thumbnailed(bomb))
		})},
		{"jpeg-thumbnail-giga", "an Exif thumbnail that claims a gigapixel", Accepted, false, around(func(_ *rand.Rand, image []byte) []byte {
			return afterStart(image, thumbnailed(join(startOfImage, quantization(1), frame(sof0, 65500, 16000, 3), oneCode(dc, 0), oneCode(ac, 0), scan(upTo(3), 0, 63, 0, 0), endOfImage)))
		})},
		{"jpeg-xmp-entities", "XMP with entities that expand to gigabytes", Accepted, false, around(func(_ *rand.Rand, image []byte) []byte {
			var xml strings.Builder
			xml.WriteString("<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a0 'aaaaaaaaaa'>")
			for i := 1; i < 12; i++ {
				fmt.Fprintf(&xml, "<!ENTITY a%d '%s'>", i, strings.Repeat(fmt.Sprintf("&a%d;", i-1), 10))
			}
			xml.WriteString("]><x:xmpmeta xmlns:x='adobe:ns:meta/'>&a11;</x:xmpmeta>")
			return afterStart(image, xmpSegment(xml.String()))
		})},
		{"jpeg-xmp-deep", "XMP of 20,000 levels", Accepted, false, around(func(_ *rand.Rand, image []byte) []byte {
			return afterStart(image, xmpSegment(strings.Repeat("<a>", 20_000)))
		})},
		{"jpeg-xmp-many", "300 packets of XMP, each of 60 kB of attributes", Any, true, around(func(r *rand.Rand, image []byte) []byte {
			var xml strings.Builder
			xml.WriteString("<x:xmpmeta xmlns:x='adobe:ns:meta/'><a ")
			for i := 0; xml.Len() < 59_000; i++ {
				fmt.Fprintf(&xml, "n%d='%d' ", i, r.IntN(10))
			}
			xml.WriteString("/></x:xmpmeta>")
			return afterStart(image, bytes.Repeat(xmpSegment(xml.String()), 300))
		})},
		{"jpeg-half", "the second half is missing", Refused, false, around(func(r *rand.Rand, image []byte) []byte { return image[:len(image)/2+r.IntN(500)] })},
		{"jpeg-half-closed", "the same with an end marker", Any, false, around(func(r *rand.Rand, image []byte) []byte {
			return join(image[:len(image)/2+r.IntN(500)], endOfImage)
		})},
		{"jpeg-start-alone", "a start marker", Refused, false, func(*rand.Rand) []byte { return startOfImage }},
		{"jpeg-three-bytes", "three bytes", Refused, false, func(*rand.Rand) []byte { return []byte{0xff, 0xd8, 0xff} }},
		{"jpeg-segment-cut", "a segment that is longer than the file", Refused, false, func(r *rand.Rand) []byte {
			return join(startOfImage, []byte{0xff, app0, 0xff, byte(r.IntN(256))}, make([]byte, 100))
		}},
		{"jpeg-segment-short", "a segment with a length of 0", Any, false, func(r *rand.Rand) []byte {
			return afterStart(smallJPEG(r), []byte{0xff, com, 0, byte(r.IntN(2))})
		}},
		{"jpeg-html-behind", "HTML behind it", Any, false, around(func(_ *rand.Rand, image []byte) []byte {
			return join(image, []byte("<html><script>alert(1)</script></html>"))
		})},
		{"jpeg-zip-behind", "a zip behind it", Any, false, around(func(_ *rand.Rand, image []byte) []byte { return join(image, []byte("PK\x03\x04"), make([]byte, 200)) })},
		{"jpeg-two-images", "two images", Any, false, around(func(r *rand.Rand, image []byte) []byte { return join(image, smallJPEG(r)) })},
		{"jpeg-script-inside", "a script in its comment", Accepted, false, around(func(_ *rand.Rand, image []byte) []byte {
			return afterStart(image, segment(com, []byte("<?php system($_GET['c']); ?>")...))
		})},
		{"jpeg-png-inside", "a PNG in its comment", Accepted, false, around(func(r *rand.Rand, image []byte) []byte {
			return afterStart(image, segment(com, plainPNG(r, 16, 16, 8, 2)...))
		})},
		{"jpeg-gif-in-front", "GIF's first bytes in front", Any, false, around(func(_ *rand.Rand, image []byte) []byte { return join([]byte("GIF89a"), image) })},
	}
}

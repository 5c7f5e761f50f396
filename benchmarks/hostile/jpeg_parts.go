package hostile

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
)

// The markers of ITU-T T.81, table B.1.
const (
	sof0  = 0xc0 // baseline
	sof1  = 0xc1 // extended sequential
	sof2  = 0xc2 // progressive
	sof3  = 0xc3 // lossless
	sof5  = 0xc5 // differential sequential
	sof9  = 0xc9 // arithmetic coding
	dht   = 0xc4
	rst0  = 0xd0
	sos   = 0xda
	dqt   = 0xdb
	dnl   = 0xdc
	dri   = 0xdd
	app0  = 0xe0
	app1  = 0xe1
	app2  = 0xe2
	app14 = 0xee
	com   = 0xfe
)

var (
	startOfImage = []byte{0xff, 0xd8}
	endOfImage   = []byte{0xff, 0xd9}
)

const maxSegment = 65533 // bytes in a segment besides its length

// segment is a marker segment.
func segment(marker byte, payload ...byte) []byte {
	out := binary.BigEndian.AppendUint16([]byte{0xff, marker}, uint16(len(payload)+2))
	return append(out, payload...)
}

// frameOf is a frame header with a component for each sampling factor (two digits: horizontal and vertical).
func frameOf(marker byte, bits, width, height int, sampling ...byte) []byte {
	payload := []byte{byte(bits), byte(height >> 8), byte(height), byte(width >> 8), byte(width), byte(len(sampling))}
	for i, s := range sampling {
		payload = append(payload, byte(i+1), s, 0)
	}
	return segment(marker, payload...)
}

// frame has components in full resolution.
func frame(marker byte, width, height, components int) []byte {
	return frameOf(marker, 8, width, height, bytes.Repeat([]byte{0x11}, components)...)
}

// quantization is a table of one value.
func quantization(value byte) []byte {
	return segment(dqt, append([]byte{0}, bytes.Repeat([]byte{value}, 64)...)...)
}

// The classes of a Huffman table.
const (
	dc = 0
	ac = 1
)

// oneCode is a Huffman table with one symbol: the code 0.
func oneCode(class, symbol byte) []byte {
	return segment(dht, append(append([]byte{class << 4, 1}, make([]byte, 15)...), symbol)...)
}

// longCode is a Huffman table whose last symbol has the code of 16 bits 1111111111111110; each shorter length has one
// symbol.
func longCode(class, last byte) []byte {
	payload := append([]byte{class << 4}, bytes.Repeat([]byte{1}, 16)...)
	for i := range 15 {
		payload = append(payload, byte(0xb0+i)) // never used
	}
	return segment(dht, append(payload, last)...)
}

// scan is a scan header.
func scan(components []byte, first, last, high, low byte) []byte {
	payload := []byte{byte(len(components))}
	for _, c := range components {
		payload = append(payload, c, 0)
	}
	return segment(sos, append(payload, first, last, high<<4|low)...)
}

func upTo(components int) []byte {
	ids := make([]byte, components)
	for i := range ids {
		ids[i] = byte(i + 1)
	}
	return ids
}

// blocks is the number of blocks of a component in full resolution.
func blocks(width, height int) int { return (width + 7) / 8 * ((height + 7) / 8) }

func bitsToBytes(bits int) []byte { return make([]byte, (bits+7)/8) }

// flatBits is a gray image of two zero bits for each block of each component: a DC difference and an end of block.
func flatBits(marker byte, width, height, components, scans int) []byte {
	out := join(startOfImage, quantization(1), frame(marker, width, height, components), oneCode(dc, 0), oneCode(ac, 0))
	if scans == 1 {
		return join(out, scan(upTo(components), 0, 63, 0, 0), bitsToBytes(2*blocks(width, height)*components), endOfImage)
	}
	one := bitsToBytes(2 * blocks(width, height))
	for i := range scans {
		out = append(out, scan([]byte{byte(1 + i%components)}, 0, 63, 0, 0)...)
		out = append(out, one...)
	}
	return append(out, endOfImage...)
}

// flatColor is a gray image of three components with the codes of an ordinary encoder: six bits a block.
func flatColor(width, height int) []byte {
	dcTable := append(append([]byte{dc << 4, 0, 1}, make([]byte, 14)...), 0)
	acTable := append(append([]byte{ac << 4, 0, 2, 1, 1}, make([]byte, 12)...), 1, 2, 3, 0)
	var four bitsHigh // blocks of three components
	for range 12 {
		four.put(0b001010, 6) // no difference: 00; end of block: 1010
	}
	n := blocks(width, height)
	coded := bytes.Repeat(four.bytes(), n/4)
	var rest bitsHigh
	for range n % 4 * 3 {
		rest.put(0b001010, 6)
	}
	jfif := segment(app0, 'J', 'F', 'I', 'F', 0, 1, 1, 0, 0, 1, 0, 1, 0, 0)
	return join(startOfImage, jfif, quantization(1), frame(sof0, width, height, 3), segment(dht, dcTable...), segment(dht, acTable...),
		scan(upTo(3), 0, 63, 0, 0), coded, rest.bytes(), endOfImage)
}

// The symbol of a run of 16384 to 32767 blocks without a coefficient, and of its bits.
const (
	endOfBlocks  = 0xe0
	maxRun       = 32767
	minRun       = 16384
	bitsOfLength = 14
)

// emptyRuns is the content of a scan of AC coefficients that has none, with oneCode(ac, endOfBlocks).
func emptyRuns(n int) []byte {
	var b bitsHigh
	for ; n > 0; n -= maxRun {
		b.put(0, 1)
		b.put(uint32(max(minRun, min(maxRun, n))-minRun), bitsOfLength) // one that is too long ends with the scan
	}
	return b.bytes()
}

// progressive is a way to make a progressive image.
type progressive struct {
	width, height, components, scans int
	// eachBlock has a code for each block in place of long runs.
	eachBlock bool
	// lateError makes the last scan an invalid one.
	lateError bool
	// low is the number of bits that the last scan leaves out. Where it is not 0, decoders smooth the blocks.
	low byte
}

func (p progressive) jpeg() []byte {
	n := blocks(p.width, p.height)
	out := join(startOfImage, quantization(1), frame(sof2, p.width, p.height, p.components), oneCode(dc, 0),
		scan(upTo(p.components), 0, 0, 0, 0), bitsToBytes(n*p.components))
	content, table := emptyRuns(n), oneCode(ac, endOfBlocks)
	if p.eachBlock {
		content, table = bitsToBytes(n), oneCode(ac, 0)
	}
	out = append(out, table...)
	for i := range p.scans - 1 {
		header := scan([]byte{byte(1 + i%p.components)}, 1, 63, p.low+1, p.low)
		if i == 0 {
			header = scan([]byte{1}, 1, 63, 0, p.low+1)
		}
		if p.lateError && i == p.scans-2 {
			header = scan([]byte{1}, 1, 63, 5, 1) // must be one bit more
		}
		out = append(append(out, header...), content...)
	}
	return append(out, endOfImage...)
}

// everyBit is a progressive image with the 14 levels of DC and AC that the standard allows, for each component: every
// scan is valid.
func everyBit(width, height, components int, lateError bool) []byte {
	n := blocks(width, height)
	out := join(startOfImage, quantization(1), frame(sof2, width, height, components), oneCode(dc, 0), oneCode(ac, endOfBlocks))
	before := func(low int) byte {
		if low == 13 {
			return 0
		}
		return byte(low + 1)
	}
	for low := 13; low >= 0; low-- {
		out = append(append(out, scan(upTo(components), 0, 0, before(low), byte(low))...), bitsToBytes(n*components)...)
	}
	content := emptyRuns(n)
	for low := 13; low >= 0; low-- {
		for c := range components {
			out = append(append(out, scan([]byte{byte(c + 1)}, 1, 63, before(low), byte(low))...), content...)
		}
	}
	if lateError {
		out = append(append(out, scan([]byte{1}, 1, 63, 5, 1)...), content...)
	}
	return append(out, endOfImage...)
}

// refinedAll is a gray progressive image in which every coefficient is there, and each scan corrects all of them.
func refinedAll(r *rand.Rand, width, height, scans int) []byte {
	n := blocks(width, height)
	var first bitsHigh
	for range n {
		for range 63 {
			first.put(0, 1) // no zeros before it, one bit
			first.put(r.Uint32N(2), 1)
		}
	}
	out := join(startOfImage, quantization(1), frame(sof2, width, height, 1), oneCode(dc, 0), scan([]byte{1}, 0, 0, 0, 0), bitsToBytes(n),
		oneCode(ac, 0x01), scan([]byte{1}, 1, 63, 0, 13), first.bytes(), oneCode(ac, endOfBlocks))
	var corrections bitsHigh
	for left := n; left > 0; left -= maxRun {
		run := max(minRun, min(maxRun, left))
		corrections.put(0, 1)
		corrections.put(uint32(run-minRun), bitsOfLength)
		for range min(run, left) * 63 {
			corrections.put(r.Uint32N(2), 1)
		}
	}
	content := corrections.bytes()
	for low := 12; low >= 0 && low > 12-scans; low-- {
		out = append(append(out, scan([]byte{1}, 1, 63, byte(low+1), byte(low))...), content...)
	}
	return append(out, endOfImage...)
}

// longCodes is a gray image in which each block has 63 coefficients of codes of 16 bits.
func longCodes(width, height int) []byte {
	var b bitsHigh
	for range blocks(width, height) {
		b.put(0, 1)
		for range 63 {
			b.put(0b1111111111111110, 16)
			b.put(1, 1) // a coefficient of one bit: 1
		}
	}
	return join(startOfImage, quantization(1), frame(sof0, width, height, 1), oneCode(dc, 0), longCode(ac, 0x01),
		scan([]byte{1}, 0, 63, 0, 0), b.bytes(), endOfImage)
}

// afterStart inserts parts behind the first marker.
func afterStart(jpeg []byte, parts ...[]byte) []byte {
	return join(jpeg[:2], join(parts...), jpeg[2:])
}

// photograph is a small image with content, as a camera encodes it.
func photograph(r *rand.Rand, width, height int) image.Image {
	out := image.NewRGBA(image.Rect(0, 0, width, height))
	a, b := 1+r.IntN(7), 1+r.IntN(7)
	for y := range height {
		for x := range width {
			out.SetRGBA(x, y, color.RGBA{byte(a*x + r.IntN(16)), byte(b*y + r.IntN(16)), byte(x*y/64 + r.IntN(16)), 255})
		}
	}
	return out
}

func encodeJPEG(i image.Image, quality int) []byte {
	var out bytes.Buffer
	_ = jpeg.Encode(&out, i, &jpeg.Options{Quality: quality}) // into memory, of a size that JPEG has
	return out.Bytes()
}

// noiseImage has no two pixels alike.
func noiseImage(r *rand.Rand, width, height int) image.Image {
	out := image.NewRGBA(image.Rect(0, 0, width, height))
	copy(out.Pix, noise(r, len(out.Pix)))
	return out
}

// smallJPEG is one that every recognizer accepts.
func smallJPEG(r *rand.Rand) []byte { return encodeJPEG(photograph(r, 320, 240), 85) }

// exifBlock is a TIFF block with one entry, the orientation.
type exifBlock struct {
	orientation, count, offset uint32
	entries, kind              uint16
	// next is the offset of the next directory.
	next uint32
}

func upright() exifBlock { return exifBlock{orientation: 1, count: 1, offset: 8, entries: 1, kind: 3} }

func (e exifBlock) tiff() []byte {
	out := append([]byte("II*\x00"), binary.LittleEndian.AppendUint32(nil, e.offset)...)
	out = binary.LittleEndian.AppendUint16(out, e.entries)
	out = binary.LittleEndian.AppendUint16(out, 0x0112)
	out = binary.LittleEndian.AppendUint16(out, e.kind)
	out = binary.LittleEndian.AppendUint32(out, e.count)
	out = binary.LittleEndian.AppendUint32(out, e.orientation)
	return binary.LittleEndian.AppendUint32(out, e.next)
}

func (e exifBlock) segment() []byte {
	return segment(app1, append([]byte("Exif\x00\x00"), e.tiff()...)...)
}

// thumbnailed is an Exif block with a JPEG as thumbnail.
func thumbnailed(thumbnail []byte) []byte {
	thumbnail = thumbnail[:min(len(thumbnail), 60_000)]
	le := binary.LittleEndian
	out := append([]byte("II*\x00"), le.AppendUint32(nil, 8)...)
	out = le.AppendUint16(out, 0)  // no entry in the first directory
	out = le.AppendUint32(out, 14) // the second one
	out = le.AppendUint16(out, 2)
	for _, entry := range [][2]uint32{{0x0201, 14 + 2 + 2*12 + 4}, {0x0202, uint32(len(thumbnail))}} {
		out = le.AppendUint16(out, uint16(entry[0]))
		out = le.AppendUint16(out, 4)
		out = le.AppendUint32(out, 1)
		out = le.AppendUint32(out, entry[1])
	}
	out = le.AppendUint32(out, 0)
	return segment(app1, join([]byte("Exif\x00\x00"), out, thumbnail)...)
}

// xmpSegment is a packet of XMP.
func xmpSegment(xml string) []byte {
	return segment(app1, append([]byte("http://ns.adobe.com/xap/1.0/\x00"), xml[:min(len(xml), maxSegment-100)]...)...)
}

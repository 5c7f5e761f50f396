package hostile

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/adler32"
	"hash/crc32"
	"math/rand/v2"
)

const pngSignature = "\x89PNG\r\n\x1a\n"

// chunk is a chunk of a PNG.
func chunk(name string, data ...byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	out = append(append(out, name...), data...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[4:]))
}

// wrongChunk has a wrong checksum.
func wrongChunk(name string, data ...byte) []byte {
	out := chunk(name, data...)
	out[len(out)-1] ^= 1
	return out
}

// The color types of a PNG.
const (
	pngGray    = 0
	pngRGB     = 2
	pngPalette = 3
	pngRGBA    = 6
)

func samplesOf(color int) int {
	switch color {
	case pngRGB:
		return 3
	case pngRGBA:
		return 4
	}
	return 1
}

// header is the chunk IHDR.
func header(width, height uint32, depth, color, interlace byte) []byte {
	data := binary.BigEndian.AppendUint32(nil, width)
	data = binary.BigEndian.AppendUint32(data, height)
	return chunk("IHDR", append(data, depth, color, 0, 0, interlace)...)
}

var pngEnd = chunk("IEND")

// pngOf is a PNG of these compressed rows, with chunks in front of them.
func pngOf(width, height, depth, color, interlace int, compressed []byte, extra ...[]byte) []byte {
	var palette []byte
	if color == pngPalette {
		palette = chunk("PLTE", 0, 1, 2, 253, 254, 255)
	}
	return join([]byte(pngSignature), header(uint32(width), uint32(height), byte(depth), byte(color), byte(interlace)), palette, join(extra...),
		chunk("IDAT", compressed...), pngEnd)
}

// emptyPNG has zeros in every sample, in rows with that filter.
func emptyPNG(width, height, depth, color, filter int, extra ...[]byte) []byte {
	row := make([]byte, 1+(width*samplesOf(color)*depth+7)/8)
	row[0] = byte(filter)
	return pngOf(width, height, depth, color, 0, deflateRows(row, height), extra...)
}

// interlacedPNG is the same in seven passes (Adam7).
func interlacedPNG(width, height, depth, color, filter int) []byte {
	var rows deflater
	for _, pass := range []struct{ x, y, dx, dy int }{{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}} {
		w, h := (width-pass.x+pass.dx-1)/pass.dx, (height-pass.y+pass.dy-1)/pass.dy
		if w <= 0 || h <= 0 {
			continue
		}
		row := make([]byte, 1+(w*samplesOf(color)*depth+7)/8)
		row[0] = byte(filter)
		rows.add(row, h)
	}
	return pngOf(width, height, depth, color, 1, rows.bytes())
}

// plainPNG is a small one with content.
func plainPNG(r *rand.Rand, width, height, depth, color int, extra ...[]byte) []byte {
	var rows bytes.Buffer
	line := (width*samplesOf(color)*depth + 7) / 8
	for y := range height {
		rows.WriteByte(0)
		for x := range line {
			rows.WriteByte(byte(3*x+5*y) + byte(r.IntN(8)))
		}
	}
	return pngOf(width, height, depth, color, 0, deflate(rows.Bytes()), extra...)
}

// deflate is a zlib stream.
func deflate(data []byte) []byte {
	var out bytes.Buffer
	w, _ := zlib.NewWriterLevel(&out, zlib.BestCompression) // a valid level; writing to memory does not fail
	_, _ = w.Write(data)
	_ = w.Close()
	return out.Bytes()
}

// deflateRows is a zlib stream of the same row n times.
func deflateRows(row []byte, n int) []byte {
	var d deflater
	d.add(row, n)
	return d.bytes()
}

// The units of a deflater: a window of deflate fits into the smaller one twice.
const (
	primerBytes = 64 << 10
	pieceBytes  = 4 << 20
)

// deflater compresses rows that repeat, at little more than the cost of one piece: what is behind a flush depends on the
// 32 kB in front of it alone, which are the same for every piece.
type deflater struct {
	out   bytes.Buffer
	w     *zlib.Writer
	adler adler
	// forged is whether the output has pieces that w has not written.
	forged bool
}

// add compresses the row n times.
func (d *deflater) add(row []byte, n int) {
	if d.w == nil {
		d.w, _ = zlib.NewWriterLevel(&d.out, zlib.BestCompression) // a valid level; writing to memory does not fail
		d.adler = adler{a: 1}
	}
	rows := func(count int) []byte { return bytes.Repeat(row, count) }
	primer, perPiece := max(1, primerBytes/len(row)+1), max(1, pieceBytes/len(row))
	if n < primer+3*perPiece {
		for n > 0 {
			count := min(n, perPiece)
			d.write(rows(count))
			n -= count
		}
		return
	}
	d.write(rows(primer))
	_ = d.w.Flush()
	n -= primer
	begin := d.out.Len()
	piece := rows(perPiece)
	d.write(piece)
	_ = d.w.Flush()
	n -= perPiece
	compressed, sum := bytes.Clone(d.out.Bytes()[begin:]), adlerOf(piece)
	for ; n >= perPiece; n -= perPiece {
		d.out.Write(compressed)
		d.adler = d.adler.then(sum, len(piece))
		d.forged = true
	}
	if n > 0 {
		d.write(rows(n))
	}
}

func (d *deflater) write(data []byte) {
	_, _ = d.w.Write(data)
	d.adler = d.adler.then(adlerOf(data), len(data))
}

// bytes ends the stream.
func (d *deflater) bytes() []byte {
	_ = d.w.Close()
	out := d.out.Bytes()
	if d.forged {
		binary.BigEndian.PutUint32(out[len(out)-4:], d.adler.sum())
	}
	return out
}

// adler is a checksum of zlib (RFC 1950) that can be continued with that of what follows.
type adler struct{ a, b uint64 }

const adlerBase = 65521

func adlerOf(data []byte) adler {
	sum := adler32.Checksum(data)
	return adler{uint64(sum & 0xffff), uint64(sum >> 16)}
}

func (s adler) then(next adler, length int) adler {
	return adler{(s.a + next.a + adlerBase - 1) % adlerBase, (s.b + next.b + uint64(length%adlerBase)*(s.a+adlerBase-1)) % adlerBase}
}

func (s adler) sum() uint32 { return uint32(s.b<<16 | s.a) }

// zeros is a zlib stream of that many megabytes of zeros: about a kilobyte for each.
func zeros(megabytes int) []byte {
	var d deflater
	d.add(make([]byte, megapixel), megabytes)
	return d.bytes()
}

// emptyBlocks is a zlib stream of data behind n blocks of dynamic codes without a symbol: eight are 90 bytes.
func emptyBlocks(n int, data []byte) []byte {
	var eight bitsLow
	for range 8 {
		eight.put(0, 1)    // not the last block
		eight.put(0b10, 2) // dynamic codes
		eight.put(0, 5)    // 257 codes of literals and lengths
		eight.put(0, 5)    // 1 of distances
		eight.put(14, 4)   // 18 lengths of codes of lengths:
		for i := range 18 {
			length := uint32(0)
			if i == 2 || i == 17 { // of the symbols 18 and 1
				length = 1
			}
			eight.put(length, 3)
		}
		// Symbol 1 has the code 0, symbol 18 the code 1: 11 to 138 zeros.
		eight.put(1, 1)
		eight.put(138-11, 7)
		eight.put(1, 1)
		eight.put(118-11, 7)
		eight.put(0, 1) // the end of the block has a code of one bit
		eight.put(0, 1) // so has the one distance
		eight.put(0, 1) // the end of the block
	}
	whole := deflate(data)
	return join(whole[:2], bytes.Repeat(eight.bytes(), n/8), whole[2:])
}

// storedBlocks is a zlib stream of data behind n stored blocks of no bytes.
func storedBlocks(n int, data []byte) []byte {
	whole := deflate(data)
	return join(whole[:2], bytes.Repeat([]byte{0, 0, 0, 0xff, 0xff}, n), whole[2:])
}

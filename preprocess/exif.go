package preprocess

import (
	"bytes"
	"encoding/binary"
	"math"
)

// exifPrefix precedes the TIFF header in a JPEG's APP1 segment, and wrongly
// but often in the eXIf and EXIF chunks of PNG and WebP.
const exifPrefix = "Exif\x00\x00"

// Tags of a TIFF directory (TIFF 6.0, section 8; Exif 2.32, 4.6.4:
// https://www.cipa.jp/std/documents/e/DC-X008-Translation-2019-E.pdf).
const (
	tagNewSubfileType = 0x00FE
	tagOrientation    = 0x0112
	tagDNGVersion     = 0xC612
)

// orientations are the orientations in an image, by their source; 0 for none.
type orientations struct {
	exif, profile, xmp int
	// packets is how many XMP packets were read, and texts whether other texts were.
	packets int
	texts   bool
}

// memory is how many bytes reading them has taken at most.
func (o orientations) memory() int64 {
	if o.packets == 0 && !o.texts {
		return 0
	}
	return 4 << 20
}

// maxPackets limits how many XMP packets are read for an orientation: a file of 20 MB can have
// thousands, which take seconds.
const maxPackets = 4

// readXMP reads an XMP packet, unless an earlier one has an orientation.
func (o *orientations) readXMP(packet []byte) {
	if o.xmp == 0 && o.packets < maxPackets {
		o.packets++
		o.xmp = xmpOrientation(packet)
	}
}

// upright returns the effective orientation, 1 to 8: that of Exif, else that of a
// profile that ImageMagick has put into a text, else that of XMP, else 1, upright.
func (o orientations) upright() int {
	for _, orientation := range [...]int{o.exif, o.profile, o.xmp} {
		if orientation != 0 {
			return orientation
		}
	}
	return 1
}

// exifOrientation returns the orientation, 1 to 8, in the first directory of an EXIF
// block, or 0 if there is none or it is invalid: an image in the wrong orientation
// is better than none.
func exifOrientation(block []byte) int {
	t, ok := readTIFF(bytes.TrimPrefix(block, []byte(exifPrefix)))
	if !ok {
		return 0
	}
	value, ok := t.whole(tagOrientation)
	if !ok || value < 1 || value > 8 {
		return 0
	}
	return int(value)
}

// tiffBlock is a block that begins with a TIFF header: Exif, or a TIFF file.
type tiffBlock struct {
	bytes []byte
	order binary.ByteOrder
	// entries are the complete ones of the first directory, 12 bytes each.
	entries []byte
}

// readTIFF finds the first directory (TIFF 6.0, section 2).
func readTIFF(b []byte) (tiffBlock, bool) {
	if len(b) < 8 {
		return tiffBlock{}, false
	}
	t := tiffBlock{bytes: b}
	switch string(b[:4]) {
	case "II*\x00":
		t.order = binary.LittleEndian
	case "MM\x00*":
		t.order = binary.BigEndian
	default:
		return tiffBlock{}, false
	}
	at := int64(t.order.Uint32(b[4:]))
	if at > int64(len(b))-2 {
		return tiffBlock{}, false
	}
	t.entries = b[at+2:]
	if n := 12 * int(t.order.Uint16(b[at:])); n < len(t.entries) {
		t.entries = t.entries[:n]
	}
	return t, true
}

// whole returns the first value of a tag, of any type, if it is a whole
// number. Of two entries the last counts, as in other readers.
func (t tiffBlock) whole(tag uint16) (value int64, ok bool) {
	for rest := t.entries; len(rest) >= 12; rest = rest[12:] {
		if t.order.Uint16(rest) == tag {
			value, ok = t.value(rest[:12])
		}
	}
	return value, ok
}

// Types of values (TIFF 6.0, section 2).
const (
	tiffShort = 3
	tiffLong  = 4
)

// tiffSizes is how many bytes a value has, by its type (TIFF 6.0, section 2).
var tiffSizes = [...]int64{1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}

// sum returns the sum of the values of a tag that has whole numbers of two or four bytes, up to
// where the block ends; 0 for any other.
func (t tiffBlock) sum(tag uint16) (total int64) {
	for rest := t.entries; len(rest) >= 12; rest = rest[12:] {
		if t.order.Uint16(rest) == tag {
			total = t.sumOf(rest[:12])
		}
	}
	return total
}

func (t tiffBlock) sumOf(entry []byte) (total int64) {
	kind, left, raw := t.order.Uint16(entry[2:]), int64(t.order.Uint32(entry[4:])), entry[8:]
	if kind != tiffShort && kind != tiffLong {
		return 0
	}
	size := tiffSizes[kind]
	if size*left > 4 {
		raw = t.bytes[min(int64(t.order.Uint32(raw)), int64(len(t.bytes))):]
	}
	for ; left > 0 && int64(len(raw)) >= size; left, raw = left-1, raw[size:] {
		if kind == tiffShort {
			total += int64(t.order.Uint16(raw))
		} else {
			total += int64(t.order.Uint32(raw))
		}
	}
	return total
}

// value reads the first value of an entry: tag, type, count, and the values or,
// if they take more than four bytes, their offset.
func (t tiffBlock) value(entry []byte) (int64, bool) {
	kind, count := t.order.Uint16(entry[2:]), int64(t.order.Uint32(entry[4:]))
	if int(kind) >= len(tiffSizes) || tiffSizes[kind] == 0 || count == 0 {
		return 0, false
	}
	size, raw := tiffSizes[kind], entry[8:]
	if size*count > 4 {
		at := int64(t.order.Uint32(raw))
		if at > int64(len(t.bytes))-size {
			return 0, false
		}
		raw = t.bytes[at:]
	}
	switch kind {
	case 1, 7: // BYTE, UNDEFINED
		return int64(raw[0]), true
	case tiffShort:
		return int64(t.order.Uint16(raw)), true
	case tiffLong, 13: // IFD
		return int64(t.order.Uint32(raw)), true
	case 6: // SBYTE
		return int64(int8(raw[0])), true
	case 8: // SSHORT
		return int64(int16(t.order.Uint16(raw))), true
	case 9: // SLONG
		return int64(int32(t.order.Uint32(raw))), true
	case 5: // RATIONAL
		return quotient(int64(t.order.Uint32(raw)), int64(t.order.Uint32(raw[4:])))
	case 10: // SRATIONAL
		return quotient(int64(int32(t.order.Uint32(raw))), int64(int32(t.order.Uint32(raw[4:]))))
	case 11: // FLOAT
		return wholeFloat(float64(math.Float32frombits(t.order.Uint32(raw))))
	case 12: // DOUBLE
		return wholeFloat(math.Float64frombits(t.order.Uint64(raw)))
	}
	return 0, false // ASCII
}

func quotient(a, b int64) (int64, bool) {
	if b == 0 || a%b != 0 {
		return 0, false
	}
	return a / b, true
}

func wholeFloat(f float64) (int64, bool) {
	if f != math.Trunc(f) || math.Abs(f) > math.MaxInt32 {
		return 0, false
	}
	return int64(f), true
}

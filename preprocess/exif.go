package preprocess

import (
	"bytes"
	"encoding/binary"
)

const (
	// exifPrefix stands before the TIFF header in a JPEG's APP1 segment, and
	// wrongly but often in the eXIf and EXIF chunks of PNG and WebP.
	exifPrefix         = "Exif\x00\x00"
	exifOrientationTag = 0x0112
	exifShort          = 3
)

// exifOrientation returns the orientation, 1 to 8, that an EXIF block gives in
// its first directory (Exif 2.32, 4.6.4:
// https://www.cipa.jp/std/documents/e/DC-X008-Translation-2019-E.pdf), or 1,
// upright, where it gives none or makes no sense: a picture the wrong way up
// is better than none.
func exifOrientation(block []byte) int {
	block = bytes.TrimPrefix(block, []byte(exifPrefix))
	if len(block) < 8 {
		return 1
	}
	var order binary.ByteOrder
	switch string(block[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	offset := int64(order.Uint32(block[4:]))
	if offset > int64(len(block))-2 {
		return 1
	}
	entries := block[offset+2:]
	for n := order.Uint16(block[offset:]); n > 0 && len(entries) >= 12; n-- {
		entry := entries[:12] // tag, type, count, value
		entries = entries[12:]
		if order.Uint16(entry) != exifOrientationTag {
			continue
		}
		value := int(order.Uint16(entry[8:]))
		if order.Uint16(entry[2:]) != exifShort || order.Uint32(entry[4:]) != 1 || value < 1 || value > 8 {
			return 1
		}
		return value
	}
	return 1
}

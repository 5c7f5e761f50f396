package preprocess

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/draw"
	"testing"
)

// frameOf is a frame header with one component for each quantization table, none
// of them subsampled.
func frameOf(marker byte, width, height int, tables ...byte) []byte {
	body := binary.BigEndian.AppendUint16([]byte{8}, uint16(height))
	body = append(binary.BigEndian.AppendUint16(body, uint16(width)), byte(len(tables)))
	for i, table := range tables {
		body = append(body, byte(i+1), 0x11, table)
	}
	return jpegSegmentOf(marker, body)
}

// scanOf is a scan header of the components, which use the first tables: the
// coefficients from first to last, from one bit to another, and coded data.
func scanOf(coded []byte, components []byte, first, last, bits byte) []byte {
	body := []byte{byte(len(components))}
	for _, c := range components {
		body = append(body, c, 0)
	}
	return append(jpegSegmentOf(0xDA, append(body, first, last, bits)), coded...)
}

// plainDQT is a quantization table of ones, oneCode a Huffman table whose only code
// is one bit long.
func plainDQT(id byte) []byte {
	return jpegSegmentOf(0xDB, append([]byte{id}, bytes.Repeat([]byte{1}, 64)...))
}

func oneCode(class, symbol byte) []byte {
	return jpegSegmentOf(0xC4, append(append([]byte{class << 4}, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), symbol))
}

// warnedJPEG is a progressive JPEG with a scan that refines what was never there
// (a warning) and then one that cannot be (a fatal error, before any row is written).
func warnedJPEG(width, height int) []byte {
	blocks := (width + 7) / 8 * ((height + 7) / 8)
	empty := make([]byte, blocks) // more than runs of nothing take
	return jpegOf(plainDQT(0), frameOf(0xC2, width, height, 0, 0, 0), oneCode(0, 0),
		scanOf(make([]byte, blocks*3/8+1), []byte{1, 2, 3}, 0, 0, 0x00), oneCode(1, 0xE0),
		scanOf(empty, []byte{1}, 1, 63, 0x32), scanOf(empty, []byte{1}, 1, 63, 0x51))
}

// lateTableJPEG has three scans, and the component of the last has no quantization
// table.
func lateTableJPEG() []byte {
	coded := make([]byte, 64)
	return jpegOf(plainDQT(0), frameOf(0xC0, 64, 48, 0, 0, 3), oneCode(0, 0), oneCode(1, 0),
		scanOf(coded, []byte{1}, 0, 63, 0), scanOf(coded, []byte{2}, 0, 63, 0), scanOf(coded, []byte{3}, 0, 63, 0))
}

// cmykJPEG is a JPEG of four components: four gray ones, a scan each.
func cmykJPEG(t testing.TB, width, height int) []byte {
	t.Helper()
	var tables []byte
	scans := make([][]byte, 0, 4)
	for i := range 4 {
		gray := image.NewGray(image.Rect(0, 0, width, height))
		draw.Draw(gray, gray.Rect, scene(width+9*i, height), image.Pt(9*i, 0), draw.Src)
		file := asJPEG(gray)
		frame, scan := bytes.Index(file, []byte{0xFF, 0xC0}), bytes.Index(file, []byte{0xFF, 0xDA})
		afterFrame := frame + 2 + int(binary.BigEndian.Uint16(file[frame+2:]))
		tables = append(bytes.Clone(file[2:frame]), file[afterFrame:scan]...)
		header := 2 + int(binary.BigEndian.Uint16(file[scan+2:]))
		scans = append(scans, scanOf(file[scan+header:len(file)-2], []byte{byte(i + 1)}, 0, 63, 0))
	}
	return jpegOf(tables, frameOf(0xC0, width, height, 0, 0, 0, 0), bytes.Join(scans, nil))
}

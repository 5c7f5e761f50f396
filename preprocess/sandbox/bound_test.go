//go:build cgo && linux

package sandbox

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/image/bmp"

	"edgelens/models"
)

// status reads a size of /proc/PID/status, in bytes.
func (h *helper) status(t *testing.T, name string) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.command.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var found string
		var kilobytes int64
		if n, _ := fmt.Sscanf(line, "%s %d kB", &found, &kilobytes); n == 2 && found == name+":" {
			return kilobytes << 10
		}
	}
	t.Fatalf("no %s", name)
	return 0
}

// decodeMeasured has a fresh helper decode an image, and returns by how much its memory grew
// at most, and how much time of a processor and how long it took.
func decodeMeasured(t *testing.T, f *fixture, file []byte) (peak int64, used, wall time.Duration, err error) {
	t.Helper()
	plan, err := f.local.Plan(file)
	if err != nil {
		t.Fatal(err)
	}
	p := f.helpers.(*pools).usual
	h, err := p.take()
	if err != nil {
		t.Fatal(err)
	}
	defer p.give(h, false)
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", h.command.Process.Pid), []byte("5"), 0); err != nil { // the peak is now the present size
		t.Skip(err)
	}
	before, begin, had := h.status(t, "VmRSS"), time.Now(), h.processorTime()
	h.grant(plan.Memory, 0, f.config.Timeout)
	_, err = h.decode(f.config.Timeout, plan, file, []models.InputBuffer{small(t)})
	if wall = time.Since(begin); h.condemned.Load() {
		return 0, wall, wall, err
	}
	return h.status(t, "VmHWM") - before, h.processorTime() - had, wall, err
}

func pngChunk(kind string, data []byte) []byte {
	c := append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), kind...)
	c = append(c, data...)
	return binary.BigEndian.AppendUint32(c, crc32.ChecksumIEEE(c[4:]))
}

func deflated(t *testing.T, size int) []byte {
	t.Helper()
	return encoded(t, func(w *bytes.Buffer) error {
		z, block := zlib.NewWriter(w), make([]byte, 1<<20)
		for ; size > 0; size -= len(block) {
			if _, err := z.Write(block[:min(size, len(block))]); err != nil {
				return err
			}
		}
		return z.Close()
	})
}

// blackPNG is a PNG of 16 bits a channel with transparency, interlaced, with a text.
func blackPNG(t *testing.T, width, height int) []byte {
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(width)), uint32(height))
	return bytes.Join([][]byte{
		[]byte("\x89PNG\r\n\x1a\n"), pngChunk("IHDR", append(head, 16, 6, 0, 0, 1)), pngChunk("tEXt", append([]byte("k\x00"), make([]byte, 2<<20)...)),
		pngChunk("IDAT", deflated(t, 8*width*height+4*height)), pngChunk("IEND", nil),
	}, nil)
}

// deepTIFF is a TIFF of one bit a pixel whose only strip inflates to eight bytes for each.
func deepTIFF(t *testing.T, side int) []byte {
	strip := deflated(t, 8*side*side)
	file := binary.LittleEndian.AppendUint32([]byte("II*\x00"), 8)
	entries := [][3]uint32{{0x100, 4, uint32(side)}, {0x101, 4, uint32(side)}, {0x102, 3, 1}, {0x103, 3, 8}, {0x106, 3, 1}, {0x111, 4, 200}, {0x116, 4, uint32(side)}, {0x117, 4, uint32(len(strip))}}
	file = binary.LittleEndian.AppendUint16(file, uint16(len(entries)))
	for _, e := range entries {
		file = binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(file, uint16(e[0])), uint16(e[1]))
		file = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(file, 1), e[2])
	}
	file = append(file, make([]byte, 200-len(file))...)
	return append(file, strip...)
}

// plainWebP is a lossless WebP of one color.
func plainWebP(side int) []byte {
	bits, count := uint64(0x2F)|uint64(side-1)<<8|uint64(side-1)<<22, 8+28+4+3
	data := []byte{}
	for ; count >= 8; count -= 8 {
		data, bits = append(data, byte(bits)), bits>>8
	}
	for range 5 { // codes of one symbol: 1000
		bits |= 1 << count
		for count += 4; count >= 8; count -= 8 {
			data, bits = append(data, byte(bits)), bits>>8
		}
	}
	data = append(append(data, byte(bits)), make([]byte, 8)...)
	data = append(data, make([]byte, len(data)%2)...)
	body := append(binary.LittleEndian.AppendUint32([]byte("WEBPVP8L"), uint32(len(data))), data...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

// coded is a JPEG of so many components with one bit for each coefficient that it has at
// least: all of a block, or its mean where it is progressive.
func coded(marker byte, side, components int) []byte {
	blocks := (side + 7) / 8 * ((side + 7) / 8) * components
	segment := func(marker byte, body []byte) []byte {
		return append([]byte{0xFF, marker, byte((len(body) + 2) >> 8), byte(len(body) + 2)}, body...)
	}
	one := func(class byte) []byte { // a Huffman table whose only code is one bit long
		return segment(0xC4, append(append([]byte{class}, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), 0))
	}
	frame, scan := []byte{8, byte(side >> 8), byte(side), byte(side >> 8), byte(side), byte(components)}, []byte{byte(components)}
	for i := range components {
		frame, scan = append(frame, byte(i+1), 0x11, 0), append(scan, byte(i+1), 0)
	}
	last, bits := byte(63), 2
	if marker == 0xC2 {
		last, bits = 0, 1
	}
	return bytes.Join([][]byte{
		{0xFF, 0xD8}, segment(0xDB, append([]byte{0}, bytes.Repeat([]byte{1}, 64)...)), segment(marker, frame), one(0), one(0x10),
		segment(0xDA, append(scan, 0, last, 0)), make([]byte, (bits*blocks+7)/8), {0xFF, 0xD9},
	}, nil)
}

func grayImage(width, height int) *image.Paletted {
	palette := make(color.Palette, 256)
	for i := range palette {
		palette[i] = color.Gray{uint8(i)}
	}
	img := image.NewPaletted(image.Rect(0, 0, width, height), palette)
	for i := range img.Pix {
		img.Pix[i] = byte(i*i>>7 ^ i)
	}
	return img
}

func interlacedGIF(t *testing.T, width, height int) []byte {
	file := encoded(t, func(w *bytes.Buffer) error { return gif.Encode(w, grayImage(width, height), nil) })
	file[bytes.Index(file, []byte{0x2C, 0, 0, 0, 0})+9] |= 0x40
	return file
}

// What is worked out from the header of an image is what a helper takes at most; and of what
// cameras send, not much more.
func TestMemoryIsBounded(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector takes memory of its own")
	}
	photo := grayImage(2400, 1800)
	for name, test := range map[string]struct {
		file     []byte
		ordinary bool
	}{
		"jpeg, baseline":             {coded(0xC0, 7000, 3), false},
		"jpeg, four components":      {coded(0xC0, 5000, 4), false},
		"jpeg, progressive":          {coded(0xC2, 5000, 3), false},
		"jpeg, progressive and CMYK": {coded(0xC2, 4000, 4), false},
		"jpeg, of a camera":          {encoded(t, func(w *bytes.Buffer) error { return jpeg.Encode(w, photo, nil) }), true},
		"jpeg, 720p":                 {jpegOf(t, 1280, 720), true},
		"png, deep and interlaced":   {blackPNG(t, 4000, 3000), false},
		"png":                        {encoded(t, func(w *bytes.Buffer) error { return png.Encode(w, scene(1600, 1200)) }), true},
		"webp, of one color":         {plainWebP(5000), false},
		"gif, interlaced":            {interlacedGIF(t, 5000, 4000), false},
		"tiff, deep":                 {deepTIFF(t, 2500), false},
		"bmp":                        {encoded(t, func(w *bytes.Buffer) error { return bmp.Encode(w, scene(1600, 1200)) }), true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, unchanged)
			plan, err := f.local.Plan(test.file)
			if err != nil {
				t.Fatal(err)
			}
			peak, _, _, err := decodeMeasured(t, f, test.file)
			t.Logf("%d MB worked out, %d MB used (%v)", plan.Memory>>20, peak>>20, err)
			if peak > plan.Memory {
				t.Errorf("it took %d bytes, %d were worked out", peak, plan.Memory)
			}
			if test.ordinary && (err != nil || plan.Memory > 2*peak) {
				t.Errorf("it took %d bytes of %d (%v)", peak, plan.Memory, err)
			}
		})
	}
}

package preprocess

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

// scene draws an opaque image without symmetry: smooth shades, sharp edges
// and a little texture.
func scene(width, height int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			u, v := float64(x)/float64(width), float64(y)/float64(height)
			c := color.NRGBA{
				R: uint8(255 * u), G: uint8(255 * v * v),
				B: uint8(127.5 + 127*math.Sin(40*u*v+10*v)), A: 255,
			}
			if u > 0.6 && v < 0.3 {
				c.R, c.G = 255-c.R, 230
			}
			if (x+2*y)%7 == 0 {
				c.B /= 2
			}
			img.SetNRGBA(x, y, c)
		}
	}
	return img
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func encoded(encode func(w *bytes.Buffer) error) []byte {
	var w bytes.Buffer
	if err := encode(&w); err != nil {
		panic(err)
	}
	return w.Bytes()
}

func asJPEG(img image.Image) []byte {
	return encoded(func(w *bytes.Buffer) error { return jpeg.Encode(w, img, &jpeg.Options{Quality: 92}) })
}

func asPNG(img image.Image) []byte {
	return encoded(func(w *bytes.Buffer) error { return png.Encode(w, img) })
}

func asBMP(img image.Image) []byte {
	return encoded(func(w *bytes.Buffer) error { return bmp.Encode(w, img) })
}

// Two WebP files of 8x6 pixels that OpenCV's encoder has made, at quality 90
// and lossless, of the image webpScene.
var (
	webpLossy    = must(base64.StdEncoding.DecodeString("UklGRmgAAABXRUJQVlA4IFwAAACQAgCdASoIAAYAAMASJbACdHIAtQD1/wPQBkZsAAD+73/6lxfUufpnY1ZMfhgOs/+RX8xn2pSv/9poP3Ev//r3/l69jes/9h17r/0PD3PJ4/+PwkT6f7eUS9RQAA=="))
	webpLossless = must(base64.StdEncoding.DecodeString("UklGRi4AAABXRUJQVlA4TCIAAAAvB0ABAJmM6H9sCl/4QvQ/ICQgzPF/o2TB2f+HIiaAsHUD"))
)

func webpScene() *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, 8, 6))
	for y := range 6 {
		for x := range 8 {
			img.SetNRGBA(x, y, color.NRGBA{R: uint8(255 - 20*x), G: uint8(40 * y), B: uint8(30 * x), A: 255})
		}
	}
	return img
}

// riff builds a WebP from chunks.
func riff(chunks ...[]byte) []byte {
	body := append([]byte("WEBP"), bytes.Join(chunks, nil)...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

func riffChunk(kind string, data []byte) []byte {
	c := binary.LittleEndian.AppendUint32([]byte(kind), uint32(len(data)))
	c = append(c, data...)
	return append(c, make([]byte, len(data)%2)...)
}

// vp8x is the header of an extended WebP.
func vp8x(flags byte, width, height int) []byte {
	w, h := width-1, height-1
	return riffChunk("VP8X", []byte{flags, 0, 0, 0, byte(w), byte(w >> 8), byte(w >> 16), byte(h), byte(h >> 8), byte(h >> 16)})
}

// bitstream returns the only chunk of a simple WebP.
func bitstream(simple []byte) []byte { return simple[12:] }

func pngChunkOf(kind string, data []byte) []byte {
	c := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	c = append(append(c, kind...), data...)
	return binary.BigEndian.AppendUint32(c, crc32.ChecksumIEEE(c[4:]))
}

func ihdr(width, height uint32, depth, color, interlace byte) []byte {
	d := binary.BigEndian.AppendUint32(nil, width)
	d = binary.BigEndian.AppendUint32(d, height)
	return pngChunkOf("IHDR", append(d, depth, color, 0, 0, interlace))
}

func pngOf(chunks ...[]byte) []byte {
	return append([]byte(pngSignature), bytes.Join(chunks, nil)...)
}

// insertChunk puts a chunk behind a PNG's IHDR.
func insertChunk(file []byte, chunks ...[]byte) []byte {
	const at = 8 + 12 + 13
	return bytes.Join([][]byte{file[:at], bytes.Join(chunks, nil), file[at:]}, nil)
}

func deflated(raw []byte) []byte {
	return encoded(func(w *bytes.Buffer) error {
		z := must(zlib.NewWriterLevel(w, zlib.BestCompression))
		if _, err := z.Write(raw); err != nil {
			return err
		}
		return z.Close()
	})
}

// interlacedPNG encodes an opaque image in the seven passes of Adam7.
func interlacedPNG(img *image.NRGBA) []byte {
	var raw []byte
	w, h := img.Rect.Dx(), img.Rect.Dy()
	for _, pass := range [][4]int{{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}} {
		for y := pass[1]; y < h; y += pass[3] {
			if pass[0] >= w {
				continue
			}
			raw = append(raw, 0)
			for x := pass[0]; x < w; x += pass[2] {
				c := img.NRGBAAt(x, y)
				raw = append(raw, c.R, c.G, c.B)
			}
		}
	}
	return pngOf(ihdr(uint32(w), uint32(h), 8, 2, 1), pngChunkOf("IDAT", deflated(raw)), pngChunkOf("IEND", nil))
}

// exifBlock returns a TIFF header with one directory that holds a width and an
// orientation.
func exifBlock(order binary.AppendByteOrder, orientation int) []byte {
	b := []byte("II*\x00")
	if order == binary.AppendByteOrder(binary.BigEndian) {
		b = []byte("MM\x00*")
	}
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 2)
	for _, e := range [][2]uint16{{0x0100, 640}, {0x0112, uint16(orientation)}} {
		b = order.AppendUint16(b, e[0])
		b = order.AppendUint16(b, 3)
		b = order.AppendUint32(b, 1)
		b = order.AppendUint16(b, e[1])
		b = order.AppendUint16(b, 0)
	}
	return order.AppendUint32(b, 0)
}

func jpegSegmentOf(marker byte, payload []byte) []byte {
	s := binary.BigEndian.AppendUint16([]byte{0xFF, marker}, uint16(len(payload)+2))
	return append(s, payload...)
}

// insertSegments puts segments behind a JPEG's SOI.
func insertSegments(file []byte, segments ...[]byte) []byte {
	return bytes.Join([][]byte{file[:2], bytes.Join(segments, nil), file[2:]}, nil)
}

func jpegExif(block []byte) []byte {
	return jpegSegmentOf(0xE1, append([]byte("Exif\x00\x00"), block...))
}

// withOrientation returns the file with an EXIF block that gives it.
func withOrientation(t testing.TB, format string, file []byte, orientation int) []byte {
	t.Helper()
	switch format {
	case "jpeg":
		return insertSegments(file, jpegExif(exifBlock(binary.BigEndian, orientation)))
	case "png":
		return insertChunk(file, pngChunkOf("eXIf", exifBlock(binary.LittleEndian, orientation)))
	case "webp":
		return riff(vp8x(0x08, 8, 6), bitstream(file), riffChunk("EXIF", exifBlock(binary.LittleEndian, orientation)))
	}
	t.Fatalf("no EXIF in %s", format)
	return nil
}

// bmpFile builds a BMP by hand: a second header of any size, then what stands
// between it and the pixels (masks, palette), then the pixels.
type bmpFile struct {
	size        int
	width       int32
	height      int32
	bits        uint16
	compression uint32
	colors      uint32
	masks       []uint32 // at byte 54
	palette     []byte
	pixels      []byte
	offset      uint32 // 0: right behind the palette
}

func (f bmpFile) encode() []byte {
	le := binary.LittleEndian
	h := le.AppendUint32(nil, uint32(f.size))
	if f.size == 12 {
		h = le.AppendUint16(h, uint16(f.width))
		h = le.AppendUint16(h, uint16(f.height))
		h = le.AppendUint16(le.AppendUint16(h, 1), f.bits)
	} else {
		h = le.AppendUint32(h, uint32(f.width))
		h = le.AppendUint32(h, uint32(f.height))
		h = le.AppendUint16(le.AppendUint16(h, 1), f.bits)
		for _, v := range []uint32{f.compression, 0, 0, 0, f.colors, 0} {
			h = le.AppendUint32(h, v)
		}
	}
	for _, m := range f.masks {
		h = le.AppendUint32(h, m)
	}
	if len(h) < f.size {
		h = append(h, make([]byte, f.size-len(h))...)
	}
	h = append(h, f.palette...)
	if f.offset == 0 {
		f.offset = uint32(14 + len(h))
	}
	file := append([]byte("BM"), make([]byte, 8)...)
	file = append(le.AppendUint32(file, f.offset), h...)
	file = append(file, f.pixels...)
	le.PutUint32(file[2:], uint32(len(file)))
	return file
}

// bmpRows packs rows of packed samples, bottom row first, padded to 4 bytes.
func bmpRows(height int, topDown bool, row func(y int) []byte) []byte {
	var out []byte
	for i := range height {
		y := height - 1 - i
		if topDown {
			y = i
		}
		r := row(y)
		out = append(append(out, r...), make([]byte, (4-len(r)%4)%4)...)
	}
	return out
}

func asGIF(img image.Image) []byte {
	return encoded(func(w *bytes.Buffer) error { return gif.Encode(w, img, nil) })
}

func asTIFF(img image.Image, options *tiff.Options) []byte {
	return encoded(func(w *bytes.Buffer) error { return tiff.Encode(w, img, options) })
}

// bmpColors is a palette of four: black, red, green, blue.
var bmpColors = []byte{0, 0, 0, 0, 0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0, 0}

// runsBMP is a run-length coded BMP, a color for each row.
func runsBMP(width, height int) []byte {
	var runs []byte
	for y := range height {
		runs = append(runs, byte(width), byte(y%4), 0, 0)
	}
	return bmpFile{size: 40, width: int32(width), height: int32(height), bits: 8, compression: 1, palette: bmpColors, colors: 4, pixels: append(runs, 0, 1)}.encode()
}

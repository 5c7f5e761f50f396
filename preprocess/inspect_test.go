package preprocess

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/draw"
	"testing"

	"edgelens"
)

// validFiles returns an image of every kind that the tests can make without
// OpenCV, 8x6 pixels each, by "format: kind".
func validFiles() map[string][]byte {
	img := webpScene()
	gray := image.NewGray(img.Rect)
	draw.Draw(gray, img.Rect, img, image.Point{}, draw.Src)
	deep := image.NewNRGBA64(img.Rect)
	draw.Draw(deep, img.Rect, img, image.Point{}, draw.Src)
	palette := image.NewPaletted(img.Rect, color.Palette{color.Black, color.White, color.NRGBA{200, 10, 30, 255}})
	draw.Draw(palette, img.Rect, img, image.Point{}, draw.Src)
	baseline := asJPEG(img)
	files := map[string][]byte{
		"jpeg: baseline":         baseline,
		"jpeg: gray":             asJPEG(gray),
		"jpeg: trailing bytes":   append(bytes.Clone(baseline), "appended by a camera"...),
		"jpeg: thumbnail inside": insertSegments(baseline, jpegSegmentOf(0xE2, baseline), jpegSegmentOf(0xFE, []byte("\xFF\xD9"))),
		"jpeg: fill bytes":       bytes.Replace(baseline, []byte("\xFF\xDB"), []byte("\xFF\xFF\xFF\xDB"), 1),
		"png: rgb":               asPNG(img),
		"png: gray":              asPNG(gray),
		"png: 16 bit":            asPNG(deep),
		"png: palette":           asPNG(palette),
		"png: interlaced":        interlacedPNG(img),
		"png: texts":             insertChunk(asPNG(img), pngChunkOf("tEXt", []byte("a\x00b")), pngChunkOf("iTXt", []byte("a\x00\x00\x00\x00\x00b"))),
		"webp: lossy":            webpLossy,
		"webp: lossless":         webpLossless,
		"webp: extended":         riff(vp8x(0x20, 8, 6), riffChunk("ICCP", []byte("odd")), bitstream(webpLossy), riffChunk("XMP ", []byte("<x/>"))),
		"bmp: 24 bit":            asBMP(img),
		"bmp: 8 bit":             asBMP(palette),
	}
	for _, order := range []binary.AppendByteOrder{binary.BigEndian, binary.LittleEndian} {
		files["jpeg: exif "+order.String()] = insertSegments(baseline, jpegSegmentOf(0xE1, []byte("http://ns.adobe.com/xap/1.0/\x00<x/>")), jpegExif(exifBlock(order, 6)))
		files["png: exif "+order.String()] = insertChunk(files["png: rgb"], pngChunkOf("eXIf", exifBlock(order, 6)))
		files["webp: exif "+order.String()] = riff(vp8x(0x08, 8, 6), bitstream(webpLossless), riffChunk("EXIF", exifBlock(order, 6)))
	}
	return files
}

func TestInspectAcceptsEveryFormat(t *testing.T) {
	for name, file := range validFiles() {
		t.Run(name, func(t *testing.T) {
			h, err := inspect(file, DefaultConfig())
			if err != nil {
				t.Fatal(err)
			}
			format, kind, _ := bytes.Cut([]byte(name), []byte(": "))
			if got, want := h.info(), (edgelens.ImageInfo{Width: 8, Height: 6, Format: string(format)}); got != want {
				t.Errorf("info %+v, want %+v", got, want)
			}
			want := 1
			if bytes.HasPrefix(kind, []byte("exif")) {
				want = 6
			}
			if h.orientation != want {
				t.Errorf("orientation %d, want %d", h.orientation, want)
			}
			allowed := 0.0
			if bytes.Contains(file, []byte("VP8L")) {
				allowed = 20 // its prefix codes
			}
			if n := testing.AllocsPerRun(10, func() { inspect(file, DefaultConfig()) }); n > allowed {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

// A truncated file is rejected wherever the cut is. Data after the end of
// the image data may be missing; in a JPEG only the decoder knows where that is
// (TestTensorRejectsTruncation).
func TestInspectRejectsTruncation(t *testing.T) {
	for name, file := range validFiles() {
		t.Run(name, func(t *testing.T) {
			whole := len(file)
			switch name[:3] {
			case "jpe":
				whole = bytes.LastIndex(file, []byte("\xFF\xDA")) + 10 // with the least of scan headers
			case "png":
				whole -= 12 // IEND
			}
			for n := range whole {
				if _, err := inspect(file[:n], DefaultConfig()); !isRefusal(err) {
					t.Fatalf("%d of %d bytes: %v", n, len(file), err)
				}
			}
			if _, err := inspect(file, DefaultConfig()); err != nil {
				t.Errorf("all %d bytes: %v", len(file), err)
			}
		})
	}
}

func TestInspectNamesForeignFormats(t *testing.T) {
	pad := make([]byte, 128)
	tests := map[string]struct {
		file string
		word string
	}{
		"gif":            {"GIF88a\x08\x00\x06\x00", "GIF of an unknown version"},
		"bigtiff":        {"II+\x00\x08\x00\x00\x00", "BigTIFF"},
		"bigtiff big":    {"MM\x00+\x00\x08\x00\x00", "BigTIFF"},
		"openexr":        {"v/1\x01\x02\x00\x00\x00", "OpenEXR"},
		"radiance":       {"#?RADIANCE\n", "HDR"},
		"dicom":          {string(pad) + "DICM\x02\x00", "DICOM"},
		"nitf":           {"NITF02.10", "NITF"},
		"pdf":            {"%PDF-1.7\n", "PDF"},
		"svg":            {"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"},
		"xml":            {"<?xml version='1.0'?><svg/>", "SVG"},
		"heic":           {"\x00\x00\x00\x18ftypheic", "Most Compatible"},
		"avif":           {"\x00\x00\x00\x1cftypavif", "AVIF"},
		"mp4":            {"\x00\x00\x00\x18ftypisom", "video"},
		"jpeg 2000":      {"\x00\x00\x00\x0CjP  \r\n\x87\n", "JPEG 2000"},
		"jpeg xl":        {"\xFF\x0A\x00", "JPEG XL"},
		"ppm":            {"P6\n8 6\n255\n", "PPM"},
		"wav":            {"RIFF\x24\x00\x00\x00WAVEfmt ", "sound"},
		"json":           {`{"image":"..."}`, "JSON"},
		"base64 of jpeg": {"/9j/4AAQSkZJRg==", "base64"},
		"data uri":       {"data:image/png;base64,iVBO", "data URI"},
		"mangled png":    {"\x89PNG\n\x1a\n\x00\x00", "text mode"},
		"text":           {"hello", "format is unknown"},
		"text with BM":   {"BMW is a maker of cars and of motorcycles", "no supported kind of BMP"},
		"one byte":       {"\xFF", "format is unknown"},
		"zeros":          {string(pad), "format is unknown"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			checkRefusal(t, []byte(test.file), DefaultConfig(), edgelens.ErrUnsupportedFormat, test.word)
			checkRefusal(t, []byte(test.file), DefaultConfig(), edgelens.ErrUnsupportedFormat, "send a JPEG, PNG, WebP, GIF, TIFF or BMP file")
		})
	}
	checkRefusal(t, nil, DefaultConfig(), edgelens.ErrNoImage, "send a JPEG, PNG, WebP, GIF, TIFF or BMP file")
	checkRefusal(t, []byte{}, DefaultConfig(), edgelens.ErrNoImage, "it is empty")
}

func TestInspectEnforcesLimits(t *testing.T) {
	limits := map[string]struct {
		Config
		sentinel error
		word     string
	}{
		"pixels": {Config{MaxPixels: 47, MaxSide: 100, MaxScans: 100}, edgelens.ErrBadImage, "8x6 = 48 pixels and 47 is the limit"},
		"memory": {Config{MaxPixels: 48, MaxSide: 100, MaxScans: 100, MaxMemory: 2}, edgelens.ErrTooLarge, "preprocess.max_memory"},
		"width":  {Config{MaxPixels: 100, MaxSide: 7, MaxScans: 100}, edgelens.ErrBadImage, "8x6 pixels and 7 a side is the limit"},
	}
	exact := Config{MaxPixels: 48, MaxSide: 8, MaxScans: 1}
	for name, file := range validFiles() {
		for limit, l := range limits {
			t.Run(name+" over "+limit, func(t *testing.T) {
				checkRefusal(t, file, l.Config, l.sentinel, l.word)
			})
		}
		if _, err := inspect(file, exact); err != nil {
			t.Errorf("%s: at the limit: %v", name, err)
		}
	}
}

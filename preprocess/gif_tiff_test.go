//go:build cgo

package preprocess

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/image/tiff"

	"edgelens"
	"edgelens/models"
)

// animation is a GIF of a screen of 12x10 with frames of its own.
func animation(frames ...*image.Paletted) []byte {
	return encoded(func(w *bytes.Buffer) error {
		g := &gif.GIF{Image: frames, Delay: make([]int, len(frames)), Config: image.Config{Width: 12, Height: 10}}
		return gif.EncodeAll(w, g)
	})
}

func TestTensorDecodesGIF(t *testing.T) {
	p := newPreprocessor(t)
	whole := drawn(image.NewPaletted(image.Rect(0, 0, 12, 10), grays(200)), scene(12, 10))
	t.Run("a still", func(t *testing.T) { exactly(t, p, asGIF(whole), overWhite(whole)) })
	t.Run("the first frame", func(t *testing.T) {
		other := drawn(image.NewPaletted(whole.Rect, grays(4)), smooth(12, 10))
		exactly(t, p, animation(whole, other), overWhite(whole))
	})
	t.Run("a part of the screen", func(t *testing.T) {
		part := drawn(image.NewPaletted(image.Rect(3, 2, 9, 7), grays(16)), scene(12, 10))
		want := overWhite(image.NewNRGBA(whole.Rect))
		for y := 2; y < 7; y++ {
			for x := 3; x < 9; x++ {
				want.Set(x, y, part.At(x, y))
			}
		}
		exactly(t, p, animation(part), want)
	})
	t.Run("transparent", func(t *testing.T) {
		see := image.NewPaletted(whole.Rect, color.Palette{color.NRGBA{200, 10, 30, 255}, color.NRGBA{}})
		for i := range see.Pix {
			see.Pix[i] = uint8(i % 2)
		}
		exactly(t, p, asGIF(see), overWhite(see))
	})
}

func TestGIFErrors(t *testing.T) {
	good := asGIF(scene(12, 10))
	sized := func(width, height uint16) []byte {
		f := bytes.Clone(good)
		binary.LittleEndian.PutUint16(f[6:], width)
		binary.LittleEndian.PutUint16(f[8:], height)
		return f
	}
	checkRefusal(t, sized(0, 10), DefaultConfig(), edgelens.ErrBadImage, "0x10 pixels")
	checkRefusal(t, sized(65535, 65535), DefaultConfig(), edgelens.ErrBadImage, "is the limit")
	p := newPreprocessor(t)
	s := spec(8, 6, 3, models.Uint8)
	for name, file := range map[string][]byte{
		"frame beyond the screen": sized(5, 5), "no frame": append(bytes.Clone(good[:13]), ';'), "cut": good[:len(good)-20],
	} {
		if _, _, err := p.Tensor(make([]byte, s.Bytes()), file, s); !isRefusal(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTensorDecodesTIFF(t *testing.T) {
	p := newPreprocessor(t)
	img := scene(13, 9)
	for name, image := range map[string]image.Image{
		"rgb": img, "alpha": translucent(13, 9), "gray": drawn(image.NewGray(img.Rect), img),
		"gray 16": drawn(image.NewGray16(img.Rect), img), "palette": drawn(image.NewPaletted(img.Rect, grays(200)), img),
	} {
		for kind, options := range map[string]*tiff.Options{"plain": nil, "deflate": {Compression: tiff.Deflate, Predictor: true}} {
			t.Run(name+", "+kind, func(t *testing.T) {
				want := overWhite(image)
				got := tensor(t, p, asTIFF(image, options), spec(13, 9, 3, models.Uint8))
				if _, most := difference(got, rgbOf(want)); most > 1 { // alpha is premultiplied in between
					t.Errorf("differs by %d", most)
				}
			})
		}
	}
}

// withTag returns a TIFF whose first directory has that value for a tag.
func withTag(file []byte, tag uint16, value uint32) []byte {
	le := binary.LittleEndian
	at := int(le.Uint32(file[4:]))
	entries := map[uint16][]byte{}
	for i := range int(le.Uint16(file[at:])) {
		entry := file[at+2+12*i:][:12]
		entries[le.Uint16(entry)] = entry
	}
	entries[tag] = le.AppendUint32(le.AppendUint32(le.AppendUint16(le.AppendUint16(nil, tag), 4), 1), value)
	directory := le.AppendUint16(nil, uint16(len(entries)))
	for _, t := range slices.Sorted(maps.Keys(entries)) {
		directory = append(directory, entries[t]...)
	}
	out := append(bytes.Clone(file), append(directory, 0, 0, 0, 0)...)
	le.PutUint32(out[4:], uint32(len(file)))
	return out
}

func TestTIFFDirectory(t *testing.T) {
	file := asTIFF(scene(12, 10), nil)
	h, err := inspect(withTag(file, tagOrientation, 6), DefaultConfig())
	if err != nil || h.orientation != 6 {
		t.Errorf("orientation %d, %v", h.orientation, err)
	}
	checkRefusal(t, withTag(file, tagNewSubfileType, 1), DefaultConfig(), edgelens.ErrUnsupportedFormat, "raw file")
	checkRefusal(t, withTag(file, tagDNGVersion, 1), DefaultConfig(), edgelens.ErrUnsupportedFormat, "raw file")
	checkRefusal(t, []byte("II*\x00\x10\x00\x00\x00CR\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00"), DefaultConfig(), edgelens.ErrUnsupportedFormat, "raw file")
	checkRefusal(t, []byte("II*\x00\xF0\xFF\xFF\xFF"), DefaultConfig(), edgelens.ErrBadImage, "directory")
	s := spec(8, 6, 3, models.Uint8)
	if _, _, err := newPreprocessor(t).Tensor(make([]byte, s.Bytes()), withTag(file, 0x0103, 7), s); !errors.Is(err, edgelens.ErrUnsupportedFormat) {
		t.Errorf("JPEG in TIFF: %v", err)
	}
	checkRefusal(t, withTag(withTag(file, 0x0100, 60_000), 0x0101, 60_000), DefaultConfig(), edgelens.ErrBadImage, "")
}

// TestTensorDecodesBilevelTIFF compares files as fax machines and scanners write them
// with what Pillow 11 (libtiff 4.5) makes of each.
func TestTensorDecodesBilevelTIFF(t *testing.T) {
	p := newPreprocessor(t)
	files, err := filepath.Glob("testdata/bilevel/*.tif")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			file, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			reference, err := os.ReadFile(strings.TrimSuffix(name, ".tif") + ".png")
			if err != nil {
				t.Fatal(err)
			}
			want, err := png.Decode(bytes.NewReader(reference))
			if err != nil {
				t.Fatal(err)
			}
			exactly(t, p, file, overWhite(want))
		})
	}
}

// TestUnsupportedTIFFCodings requires a name for each coding that is not supported, and
// for each that the decoder would ignore.
func TestUnsupportedTIFFCodings(t *testing.T) {
	rgb := asTIFF(scene(12, 10), nil)
	alpha := asTIFF(translucent(12, 10), nil)
	deflated := asTIFF(drawn(image.NewGray(image.Rect(0, 0, 12, 10)), scene(12, 10)), &tiff.Options{Compression: tiff.Deflate})
	fax, err := os.ReadFile("testdata/bilevel/group3_photometric1_fillorder1.tif")
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		file []byte
		want string
	}{
		"extra samples of no kind": {withTag(alpha, tagExtraSamples, 0), "fourth channel"},
		"three channels, four":     {withTag(alpha, tagSamplesPerPixel, 3), "3 channels with the bits of 4"},
		"JPEG":                     {withTag(rgb, tagCompression, 7), "the compression JPEG"},
		"modified Huffman":         {withTag(fax, tagCompression, 2), "modified Huffman"},
		"unknown compression":      {withTag(rgb, tagCompression, 4711), "the compression 4711"},
		"CMYK":                     {withTag(alpha, tagPhotometric, 5), "CMYK"},
		"real numbers":             {withTag(rgb, tagSampleFormat, 3), "real numbers"},
		"planes":                   {withTag(rgb, tagPlanar, 2), "a plane for each channel"},
		"32 bits":                  {withTag(deflated, tagBitsPerSample, 32), "32 bits"},
		"low bit first":            {withTag(deflated, tagFillOrder, 2), "lowest bit first"},
		"predictor, uncompressed":  {withTag(rgb, tagPredictor, 2), "predictor"},
		"predictor of reals":       {withTag(deflated, tagPredictor, 3), "the predictor 3"},
		"Group 3 in 2D":            {withTag(fax, tagT4Options, 1), "two dimensions"},
		"Group 3 with fill bits":   {withTag(fax, tagT4Options, 4), "fill bits"},
		"Group 4 in gray":          {withTag(deflated, tagCompression, 4), "more than black and white"},
		"Group 3 with a palette":   {withTag(fax, tagPhotometric, 3), "more than black and white"},
		"Group 4, uncompressed":    {withTag(withTag(fax, tagCompression, 4), tagT6Options, 2), "uncompressed parts"},
	} {
		t.Run(name, func(t *testing.T) {
			checkRefusal(t, tc.file, DefaultConfig(), edgelens.ErrUnsupportedFormat, tc.want)
		})
	}
}

// Strips that share their data take as long to decode as if each had its own.
func TestTIFFWithSharedStripsIsRefused(t *testing.T) {
	file := asTIFF(drawn(image.NewGray(image.Rect(0, 0, 12, 10)), scene(12, 10)), &tiff.Options{Compression: tiff.Deflate})
	checkRefusal(t, withTag(file, tagStripByteCounts, 1<<20), DefaultConfig(), edgelens.ErrBadImage, "share their data")
}

//go:build cgo

package preprocess

import (
	"bytes"

	"image"

	"testing"

	"edgelens/models"
)

// translucent is a scene whose alpha takes every value.
func translucent(width, height int) *image.NRGBA {
	img := scene(width, height)
	for i := 3; i < len(img.Pix); i += 4 {
		img.Pix[i] = uint8(7 * i)
	}
	return img
}

// keyedPNG is a PNG of one row with a color that is transparent: depth and color type
// of its header, the row, and the key.
func keyedPNG(width uint32, depth, colorType byte, row, key []byte) []byte {
	return pngOf(ihdr(width, 1, depth, colorType, 0), pngChunkOf("tRNS", key),
		pngChunkOf("IDAT", deflated(append([]byte{0}, row...))), pngChunkOf("IEND", nil))
}

// Transparent pixels are blended over white, for every kind of transparency in PNG.
func TestTransparentPNGIsBlendedOverWhite(t *testing.T) {
	p := newPreprocessor(t)
	white := []byte{255, 255, 255}
	rgb := func(pixels ...[]byte) []byte { return bytes.Join(pixels, nil) }
	for name, test := range map[string]struct {
		file []byte
		want []byte
	}{
		"gray, 8 bits":  {keyedPNG(3, 8, 0, []byte{10, 20, 30}, []byte{0, 20}), rgb([]byte{10, 10, 10}, white, []byte{30, 30, 30})},
		"gray, 4 bits":  {keyedPNG(3, 4, 0, []byte{0x12, 0x30}, []byte{0, 2}), rgb([]byte{17, 17, 17}, white, []byte{51, 51, 51})},
		"gray, 1 bit":   {keyedPNG(3, 1, 0, []byte{0b01000000}, []byte{0, 0}), rgb(white, white, white)},
		"gray, 16 bits": {keyedPNG(2, 16, 0, []byte{10, 1, 10, 2}, []byte{10, 2}), rgb([]byte{10, 10, 10}, white)},
		"RGB":           {keyedPNG(2, 8, 2, []byte{1, 2, 3, 4, 5, 6}, []byte{0, 4, 0, 5, 0, 6}), rgb([]byte{1, 2, 3}, white)},
		"RGB, 16 bits":  {keyedPNG(2, 16, 2, []byte{1, 0, 2, 0, 3, 0, 4, 9, 5, 9, 6, 9}, []byte{4, 9, 5, 9, 6, 9}), rgb([]byte{1, 2, 3}, white)},
		"palette": {pngOf(ihdr(2, 1, 8, 3, 0), pngChunkOf("PLTE", []byte{1, 2, 3, 4, 5, 6}), pngChunkOf("tRNS", []byte{255, 0}),
			pngChunkOf("IDAT", deflated([]byte{0, 0, 1})), pngChunkOf("IEND", nil)), rgb([]byte{1, 2, 3}, white)},
		"nothing is": {keyedPNG(2, 8, 2, []byte{1, 2, 3, 4, 5, 6}, []byte{0, 9, 0, 9, 0, 9}), []byte{1, 2, 3, 4, 5, 6}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tensor(t, p, test.file, spec(len(test.want)/3, 1, 3, models.Uint8)); !bytes.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
	t.Run("16 bits, alpha", func(t *testing.T) {
		deep := drawn(image.NewNRGBA64(image.Rect(0, 0, 13, 9)), translucent(13, 9))
		exactly(t, p, asPNG(deep), overWhite(translucent(13, 9)))
	})
}

// Another color than white is a setting, and gives other results.
func TestBackground(t *testing.T) {
	c := DefaultConfig()
	c.Background = "#0A1464"
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	clear := image.NewNRGBA(image.Rect(0, 0, 1, 1))
	if got := tensor(t, p, asPNG(clear), spec(1, 1, 3, models.Uint8)); !bytes.Equal(got, []byte{10, 20, 100}) {
		t.Errorf("got %v", got)
	}
	if p.Version() == Version {
		t.Error("its results would be taken for those on white")
	}
	for _, bad := range []string{"white", "#fff", "#gggggg", "0a1464", "#0a14640"} {
		if c.Background = bad; c.Validate() == nil {
			t.Errorf("%q is taken for a color", bad)
		}
	}
}

// A lossless WebP of one pixel, blue and half transparent, by hand: RFC 9649 with a
// tree of one symbol for each channel.
func onePixelWebP(alpha byte) []byte {
	var bits uint64
	var n uint
	var out []byte
	put := func(value uint64, count uint) {
		bits |= value << n
		for n += count; n >= 8; n -= 8 {
			out = append(out, byte(bits))
			bits >>= 8
		}
	}
	put(0x2F, 8)
	put(0, 14) // width - 1
	put(0, 14)
	put(1, 1) // alpha is used
	put(0, 3)
	put(0, 1)                                            // no transform
	put(0, 1)                                            // no color cache
	put(0, 1)                                            // no groups of codes
	for _, symbol := range []byte{0, 0, 255, alpha, 0} { // green, red, blue, alpha, distance
		put(1, 1) // a simple code
		put(0, 1) // of one symbol
		put(1, 1) // of eight bits
		put(uint64(symbol), 8)
	}
	put(0, 7)
	return riff(riffChunk("VP8L", out))
}

func TestTransparentWebPIsBlendedOverWhite(t *testing.T) {
	p := newPreprocessor(t)
	for alpha, want := range map[byte][]byte{255: {0, 0, 255}, 0: {255, 255, 255}, 128: {127, 127, 255}} {
		if got := tensor(t, p, onePixelWebP(alpha), spec(1, 1, 3, models.Uint8)); !bytes.Equal(got, want) {
			t.Errorf("alpha %d: %v, want %v", alpha, got, want)
		}
	}
}

// Masks with alpha, in a long header or after a short one; an alpha of 0 everywhere
// is none.
func TestTransparentBMPIsBlendedOverWhite(t *testing.T) {
	p := newPreprocessor(t)
	pixel := func(r, g, b, a byte) []byte { return []byte{a, b, g, r} }
	masks := []uint32{0xFF000000, 0xFF0000, 0xFF00, 0xFF}
	for name, test := range map[string]struct {
		size        int
		compression uint32
		pixels      []byte
		want        []byte
	}{
		"V3":                   {56, 3, append(pixel(1, 2, 3, 255), pixel(9, 9, 9, 0)...), []byte{1, 2, 3, 255, 255, 255}},
		"V5":                   {124, 3, append(pixel(1, 2, 3, 128), pixel(9, 9, 9, 0)...), []byte{128, 128, 129, 255, 255, 255}},
		"masks behind":         {40, 6, append(pixel(1, 2, 3, 255), pixel(9, 9, 9, 0)...), []byte{1, 2, 3, 255, 255, 255}},
		"no alpha is 0":        {124, 3, append(pixel(1, 2, 3, 0), pixel(4, 5, 6, 0)...), []byte{1, 2, 3, 4, 5, 6}},
		"V2 has no alpha mask": {52, 3, append(pixel(1, 2, 3, 9), pixel(4, 5, 6, 200)...), []byte{1, 2, 3, 4, 5, 6}},
	} {
		t.Run(name, func(t *testing.T) {
			f := bmpFile{size: test.size, width: 2, height: 1, bits: 32, compression: test.compression, masks: masks, pixels: test.pixels}
			if test.size == 52 {
				f.masks = masks[:3]
			}
			if got := tensor(t, p, f.encode(), spec(2, 1, 3, models.Uint8)); !bytes.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestFlattenRounds(t *testing.T) {
	for value := range 256 {
		for alpha := range 256 {
			pixel := []byte{byte(value), 0, 255, byte(alpha)}
			got := flatten(pixel, bgrColor{255, 100, 0})
			exact := func(v, background int) float64 {
				return (float64(v)*float64(alpha) + float64(background)*float64(255-alpha)) / 255
			}
			for i, want := range []float64{exact(value, 255), exact(0, 100), exact(255, 0)} {
				if d := float64(got[i]) - want; d < -0.5 || d > 0.5 {
					t.Fatalf("value %d, alpha %d, channel %d: %d, exactly %v", value, alpha, i, got[i], want)
				}
			}
		}
	}
}

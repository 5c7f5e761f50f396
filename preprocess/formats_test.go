//go:build cgo

package preprocess

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"testing"

	"edgelens/models"
)

// exactly requires the tensor of a lossless file, at the size of the image, to
// be the image.
func exactly(t *testing.T, p *Preprocessor, file []byte, want *image.NRGBA) {
	t.Helper()
	got := tensor(t, p, file, spec(want.Rect.Dx(), want.Rect.Dy(), 3, models.Uint8))
	if !bytes.Equal(got, rgbOf(want)) {
		t.Errorf("got  %v\nwant %v", got, rgbOf(want))
	}
}

// drawn draws src into an empty dst of the same bounds.
func drawn[I draw.Image](dst I, src image.Image) I {
	draw.Draw(dst, src.Bounds(), src, image.Point{}, draw.Src)
	return dst
}

// overWhite blends an image over white, rounding to the nearest.
func overWhite(src image.Image) *image.NRGBA {
	out := image.NewNRGBA(src.Bounds())
	for y := range src.Bounds().Dy() {
		for x := range src.Bounds().Dx() {
			c := color.NRGBAModel.Convert(src.At(x, y)).(color.NRGBA)
			mix := func(v uint8) uint8 { return uint8(math.Round((float64(v)*float64(c.A) + 255*float64(255-c.A)) / 255)) }
			out.SetNRGBA(x, y, color.NRGBA{mix(c.R), mix(c.G), mix(c.B), 255})
		}
	}
	return out
}

func grays(n int) color.Palette {
	var p color.Palette
	for i := range n {
		p = append(p, color.NRGBA{uint8(255 * i / (n - 1)), uint8(40 * i), uint8(255 - 13*i), 255})
	}
	return p
}

func TestTensorDecodesEveryPNG(t *testing.T) {
	p := newPreprocessor(t)
	img := scene(13, 9)
	see := image.NewNRGBA(img.Rect)
	copy(see.Pix, img.Pix)
	for i := 3; i < len(see.Pix); i += 4 {
		see.Pix[i] = uint8(i)
	}
	tests := map[string]image.Image{
		"rgb":          img,
		"rgba":         see,
		"rgb 16":       drawn(image.NewNRGBA64(img.Rect), img),
		"gray 8":       drawn(image.NewGray(img.Rect), img),
		"gray 16":      drawn(image.NewGray16(img.Rect), img),
		"palette of 1": drawn(image.NewPaletted(img.Rect, grays(2)), img),
		"palette of 2": drawn(image.NewPaletted(img.Rect, grays(4)), img),
		"palette of 4": drawn(image.NewPaletted(img.Rect, grays(16)), img),
		"palette of 8": drawn(image.NewPaletted(img.Rect, grays(200)), img),
	}
	for name, image := range tests {
		t.Run(name, func(t *testing.T) {
			exactly(t, p, asPNG(image), overWhite(image))
		})
	}
	t.Run("interlaced", func(t *testing.T) { exactly(t, p, interlacedPNG(img), img) })
	t.Run("best compression", func(t *testing.T) {
		file := encoded(func(w *bytes.Buffer) error {
			return (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(w, img)
		})
		exactly(t, p, file, img)
	})
}

func TestTensorDecodesWebP(t *testing.T) {
	p := newPreprocessor(t)
	exactly(t, p, webpLossless, webpScene())
	exactly(t, p, riff(vp8x(0, 8, 6), bitstream(webpLossless)), webpScene())
	// Lossy: near the image that it was made of.
	got := tensor(t, p, webpLossy, spec(8, 6, 3, models.Uint8))
	if mean, most := difference(got, rgbOf(webpScene())); mean > 12 || most > 60 {
		t.Errorf("lossy differs by %.1f in the mean and %d at most", mean, most)
	}
}

func TestTensorDecodesEveryBMP(t *testing.T) {
	const w, h = 13, 9
	img := scene(w, h)
	paletted := func(bits int) (*image.NRGBA, []byte, func(y int) []byte) {
		pal := drawn(image.NewPaletted(img.Rect, grays(min(1<<bits, 200))), img)
		var table []byte
		for _, c := range pal.Palette {
			n := c.(color.NRGBA)
			table = append(table, n.B, n.G, n.R, 0)
		}
		table = append(table, make([]byte, 4*(1<<bits)-len(table))...)
		return drawn(image.NewNRGBA(img.Rect), pal), table, func(y int) []byte {
			row := make([]byte, (w*bits+7)/8)
			for x := range w {
				row[x*bits/8] |= pal.ColorIndexAt(x, y) << (8 - bits - x*bits%8)
			}
			return row
		}
	}
	rgb24 := func(y int) (row []byte) {
		for x := range w {
			c := img.NRGBAAt(x, y)
			row = append(row, c.B, c.G, c.R)
		}
		return row
	}
	rgb32 := func(y int) (row []byte) {
		for x := range w {
			c := img.NRGBAAt(x, y)
			row = append(row, c.B, c.G, c.R, uint8(x))
		}
		return row
	}
	// 16 bits keep the upper 5 or 6 of each color, which span the whole range.
	coarse := func(greenBits int) *image.NRGBA {
		out := image.NewNRGBA(img.Rect)
		for i := range img.Pix {
			bits := 5
			if i%4 == 1 {
				bits = greenBits
			}
			top := float64(int(1)<<bits - 1)
			out.Pix[i] = uint8(math.Round(float64(img.Pix[i]>>(8-bits)) * 255 / top))
		}
		return out
	}
	rgb16 := func(greenBits int) func(y int) []byte {
		return func(y int) (row []byte) {
			for x := range w {
				c := img.NRGBAAt(x, y)
				v := uint16(c.B>>3) | uint16(c.G>>(8-greenBits))<<5 | uint16(c.R>>3)<<(5+greenBits)
				row = append(row, byte(v), byte(v>>8))
			}
			return row
		}
	}
	img1, table1, row1 := paletted(1)
	img4, table4, row4 := paletted(4)
	img8, table8, row8 := paletted(8)
	core := func(table []byte) (out []byte) { // palettes of OS/2 have 3 bytes a color
		for i := 0; i < len(table); i += 4 {
			out = append(out, table[i:i+3]...)
		}
		return out
	}
	masks32, masks565 := []uint32{0xFF0000, 0xFF00, 0xFF}, []uint32{0xF800, 0x7E0, 0x1F}
	tests := map[string]struct {
		file bmpFile
		row  func(y int) []byte
		want *image.NRGBA
	}{
		"1 bit":            {bmpFile{size: 40, bits: 1, palette: table1}, row1, img1},
		"4 bits":           {bmpFile{size: 40, bits: 4, palette: table4}, row4, img4},
		"8 bits":           {bmpFile{size: 40, bits: 8, palette: table8}, row8, img8},
		"8 bits, 200 used": {bmpFile{size: 40, bits: 8, colors: 200, palette: table8[:800]}, row8, img8},
		"24 bits":          {bmpFile{size: 40, bits: 24}, rgb24, img},
		"24 bits, top row": {bmpFile{size: 40, bits: 24, height: -h}, rgb24, img},
		"24 bits, V4":      {bmpFile{size: 108, bits: 24}, rgb24, img},
		"24 bits, V5":      {bmpFile{size: 124, bits: 24}, rgb24, img},
		"32 bits":          {bmpFile{size: 40, bits: 32}, rgb32, img},
		"32 bits, top row": {bmpFile{size: 40, bits: 32, height: -h}, rgb32, img},
		"32 bits, masks":   {bmpFile{size: 40, bits: 32, compression: 3, masks: masks32}, rgb32, img},
		"32 bits, V2":      {bmpFile{size: 52, bits: 32, compression: 3, masks: masks32}, rgb32, img},
		"32 bits, V3":      {bmpFile{size: 56, bits: 32, compression: 3, masks: masks32}, rgb32, img},
		"32 bits, V5":      {bmpFile{size: 124, bits: 32, compression: 3, masks: masks32}, rgb32, img},
		"16 bits":          {bmpFile{size: 40, bits: 16}, rgb16(5), coarse(5)},
		"16 bits, masks":   {bmpFile{size: 40, bits: 16, compression: 3, masks: masks565}, rgb16(6), coarse(6)},
		"OS/2, 24 bits":    {bmpFile{size: 12, bits: 24}, rgb24, img},
		"OS/2, 8 bits":     {bmpFile{size: 12, bits: 8, palette: core(table8)}, row8, img8},
		"OS/2, 1 bit":      {bmpFile{size: 12, bits: 1, palette: core(table1)}, row1, img1},
	}
	p := newPreprocessor(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := test.file
			topDown := f.height < 0
			if f.width = w; !topDown {
				f.height = h
			}
			f.pixels = bmpRows(h, topDown, test.row)
			exactly(t, p, f.encode(), test.want)
		})
	}
}

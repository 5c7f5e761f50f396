//go:build cgo

package preprocess

import (
	"bytes"
	"errors"
	"testing"

	"edgelens"
	"edgelens/models"
)

// pixelsOf writes rows of letters for the colors of bmpColors: k, r, g and b.
func pixelsOf(rows ...string) []byte {
	var out []byte
	for _, row := range rows {
		for _, c := range row {
			rgb := map[rune][]byte{'k': {0, 0, 0}, 'r': {255, 0, 0}, 'g': {0, 255, 0}, 'b': {0, 0, 255}}[c]
			out = append(out, rgb...)
		}
	}
	return out
}

func TestRunLengthCodedBMP(t *testing.T) {
	p := newPreprocessor(t)
	for name, test := range map[string]struct {
		bits        uint16
		compression uint32
		size        int
		pixels      []byte
		want        []byte // the top row first
	}{
		"runs":                   {8, 1, 40, []byte{4, 1, 0, 0, 2, 2, 2, 3, 0, 1}, pixelsOf("ggbb", "rrrr")},
		"no end of the image":    {8, 1, 40, []byte{4, 1, 0, 0, 4, 2}, pixelsOf("gggg", "rrrr")},
		"colors one by one":      {8, 1, 40, []byte{0, 3, 1, 2, 3, 0, 1, 1, 0, 0, 0, 4, 3, 2, 1, 0, 0, 1}, pixelsOf("bgrk", "rgbr")},
		"a step":                 {8, 1, 40, []byte{1, 1, 0, 2, 2, 1, 1, 3, 0, 1}, pixelsOf("kkkb", "rkkk")},
		"early end":              {8, 1, 40, []byte{2, 1, 0, 1}, pixelsOf("kkkk", "rrkk")},
		"four bits, runs":        {4, 2, 40, []byte{4, 0x12, 0, 0, 3, 0x31, 1, 0x20, 0, 1}, pixelsOf("brbg", "rgrg")},
		"four bits, one by one":  {4, 2, 40, []byte{0, 4, 0x12, 0x31, 0, 0, 0, 3, 0x32, 0x10, 1, 0x20, 0, 1}, pixelsOf("bgrg", "rgbr")},
		"four bits, five by one": {4, 2, 40, []byte{0, 3, 0x12, 0x30, 1, 0x10, 0, 0, 4, 0x22}, pixelsOf("gggg", "rgbr")},
		"OS/2, 24 bits":          {24, 4, 64, []byte{4, 0, 0, 255, 0, 0, 0, 3, 255, 0, 0, 0, 255, 0, 0, 0, 255, 0, 1, 0, 0, 0, 0, 1}, pixelsOf("bgrk", "rrrr")},
		"OS/2, 8 bits":           {8, 1, 64, []byte{4, 1, 0, 0, 4, 2, 0, 1}, pixelsOf("gggg", "rrrr")},
	} {
		t.Run(name, func(t *testing.T) {
			f := bmpFile{size: test.size, width: 4, height: 2, bits: test.bits, compression: test.compression, pixels: test.pixels}
			if test.bits < 24 {
				f.palette, f.colors = bmpColors, 4
			}
			if got := tensor(t, p, f.encode(), spec(4, 2, 3, models.Uint8)); !bytes.Equal(got, test.want) {
				t.Errorf("got  %v\nwant %v", got, test.want)
			}
		})
	}
	for name, test := range map[string]struct {
		bits        uint16
		compression uint32
		pixels      []byte
	}{
		"beyond the row":        {8, 1, []byte{5, 1, 0, 1}},
		"beyond the image":      {8, 1, []byte{0, 0, 0, 0, 1, 1, 0, 1}},
		"a step out":            {8, 1, []byte{0, 2, 5, 0, 0, 1}},
		"a step above":          {8, 1, []byte{0, 2, 0, 3, 0, 1}},
		"a color too many":      {8, 1, []byte{4, 4, 0, 1}},
		"ends in the first row": {8, 1, []byte{3, 1}},
		"ends in a step":        {8, 1, []byte{0, 2, 1}},
		"ends in colors":        {8, 1, []byte{0, 4, 1, 1}},
		"nothing":               {8, 1, nil},
		"four bits, too many":   {4, 2, []byte{4, 0x14, 0, 1}},
	} {
		t.Run("not: "+name, func(t *testing.T) {
			f := bmpFile{size: 40, width: 4, height: 2, bits: test.bits, compression: test.compression, palette: bmpColors, colors: 4, pixels: test.pixels}
			s := spec(4, 2, 3, models.Uint8)
			if _, _, err := p.Tensor(make([]byte, s.Bytes()), f.encode(), s); !errors.Is(err, edgelens.ErrBadImage) {
				t.Errorf("it gives %v", err)
			}
		})
	}
}

func TestUnusualBMPs(t *testing.T) {
	p := newPreprocessor(t)
	for name, test := range map[string]struct {
		file bmpFile
		want []byte
	}{
		"16 bits of 4 4 4":     {bmpFile{size: 40, bits: 16, compression: 3, masks: []uint32{0xF00, 0xF0, 0xF}, pixels: []byte{0xF, 0x0F, 0x12, 0x00}}, []byte{255, 0, 255, 0, 17, 34}},
		"16 bits in V4":        {bmpFile{size: 108, bits: 16, compression: 3, masks: []uint32{0xF800, 0x7E0, 0x1F, 0}, pixels: []byte{0x00, 0xF8, 0x1F, 0x00}}, []byte{255, 0, 0, 0, 0, 255}},
		"32 bits of 10 10 10":  {bmpFile{size: 40, bits: 32, compression: 3, masks: []uint32{0x3FF00000, 0xFFC00, 0x3FF}, pixels: []byte{0xFF, 0x03, 0, 0, 0, 0, 0xF0, 0x3F}}, []byte{0, 0, 255, 255, 0, 0}},
		"32 bits, red first":   {bmpFile{size: 40, bits: 32, compression: 3, masks: []uint32{0xFF, 0xFF00, 0xFF0000}, pixels: []byte{1, 2, 3, 0, 4, 5, 6, 0}}, []byte{1, 2, 3, 4, 5, 6}},
		"2 bits":               {bmpFile{size: 40, bits: 2, palette: bmpColors, pixels: []byte{0b01100000, 0, 0, 0}}, pixelsOf("rg")},
		"OS/2 2, 16 bytes":     {bmpFile{size: 16, bits: 24, pixels: []byte{3, 2, 1, 6, 5, 4, 0, 0}}, []byte{1, 2, 3, 4, 5, 6}},
		"OS/2 2, 64 bytes":     {bmpFile{size: 64, bits: 8, palette: bmpColors, colors: 4, pixels: []byte{1, 2, 0, 0}}, pixelsOf("rg")},
		"a gap before pixels":  {bmpFile{size: 40, bits: 24, offset: 14 + 40 + 6, palette: make([]byte, 6), pixels: []byte{3, 2, 1, 6, 5, 4, 0, 0}}, []byte{1, 2, 3, 4, 5, 6}},
		"palette of 2^31":      {bmpFile{size: 40, bits: 8, colors: 1 << 31, palette: bmpColors, pixels: []byte{1, 2, 0, 0}}, pixelsOf("rg")},
		"a palette of 24 bits": {bmpFile{size: 40, bits: 24, colors: 4, palette: bmpColors, pixels: []byte{3, 2, 1, 6, 5, 4, 0, 0}}, []byte{1, 2, 3, 4, 5, 6}},
	} {
		t.Run(name, func(t *testing.T) {
			test.file.width, test.file.height = 2, 1
			if got := tensor(t, p, test.file.encode(), spec(2, 1, 3, models.Uint8)); !bytes.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

package preprocess

import (
	"bytes"
	"encoding/binary"
	"testing"
)

func TestExifOrientation(t *testing.T) {
	big, little := exifBlock(binary.BigEndian, 8), exifBlock(binary.LittleEndian, 3)
	// The orientation's entry starts at 22: 8 of header, 2 of count, 12 of width.
	changed := func(at int, b byte) []byte {
		f := bytes.Clone(little)
		f[at] = b
		return f
	}
	tests := map[string]struct {
		block []byte
		want  int
	}{
		"big endian":            {big, 8},
		"little endian":         {little, 3},
		"with a JPEG's prefix":  {append([]byte("Exif\x00\x00"), big...), 8},
		"empty":                 {nil, 0},
		"no byte order":         {changed(0, 'X'), 0},
		"other magic":           {changed(2, 43), 0},
		"directory at the end":  {changed(4, byte(len(little)-1)), 0},
		"directory beyond":      {changed(7, 0xFF), 0},
		"0":                     {changed(30, 0), 0},
		"9":                     {changed(30, 9), 0},
		"512":                   {changed(31, 2), 0},
		"a long":                {changed(24, 4), 3},
		"two values":            {changed(26, 2), 3},
		"another tag":           {changed(22, 0x13), 0},
		"more entries than are": {changed(22, 0x13)[:34], 0},
		"65535 entries":         {append(changed(8, 0xFF)[:9], append([]byte{0xFF}, little[10:]...)...), 3},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := exifOrientation(test.block); got != test.want {
				t.Errorf("orientation %d, want %d", got, test.want)
			}
		})
	}
	for n := range len(big) {
		if got := exifOrientation(big[:n]); got != 0 && got != 8 {
			t.Errorf("cut at %d: orientation %d", n, got)
		}
	}
}

package preprocess

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// Errors in the pixels of a BMP, to follow "the image cannot be used: ".
var (
	errBMPColor = errors.New("a pixel has a color that its palette lacks; save the image again and send that")
	errBMPRuns  = errors.New("its run-length coding leads out of the image; save the image again and send that")
	errBMPEnd   = errors.New("its run-length coding ends too early, so a part is missing; send the whole file")
)

// decodeBMP writes the pixels of a BMP that checkBMP has passed, the top row first,
// as BGR or, where it has an alpha mask, as BGRA. It writes every byte of pixels, or
// returns an error.
func decodeBMP(pixels, file []byte) error {
	h, err := readBMP(file)
	if err != nil {
		return err
	}
	d := bmpDecoder{bmpHeader: h, data: file[h.offset:], out: pixels}
	switch {
	case h.runLength():
		return d.runs()
	case h.bits <= 8:
		return d.indexed()
	case h.bits == 24:
		d.rows(func(to, from []byte) { copy(to, from) })
	case h.masks == [4]uint32{0xFF, 0xFF00, 0xFF0000, 0}:
		d.rows(func(to, from []byte) {
			for ; len(to) >= 3; to, from = to[3:], from[4:] {
				to[0], to[1], to[2] = from[0], from[1], from[2]
			}
		})
	default:
		d.masked()
	}
	return nil
}

type bmpDecoder struct {
	bmpHeader
	data, out []byte
}

// row returns the destination of a row, the first row of the file being 0.
func (d *bmpDecoder) row(y int) []byte {
	if !d.topDown {
		y = int(d.height) - 1 - y
	}
	length := len(d.out) / int(d.height)
	return d.out[y*length : (y+1)*length]
}

func (d *bmpDecoder) rows(convert func(to, from []byte)) {
	stride := int(d.stride())
	for y := range int(d.height) {
		convert(d.row(y), d.data[y*stride:(y+1)*stride])
	}
}

// color returns an entry of the palette.
func (d *bmpDecoder) color(index int) ([]byte, bool) {
	at := index * d.entry
	if at+3 > len(d.palette) {
		return nil, false
	}
	return d.palette[at : at+3], true
}

// indexed decodes pixels of one, two, four or eight bits.
func (d *bmpDecoder) indexed() (err error) {
	width, mask := uint(d.bits), 1<<d.bits-1
	d.rows(func(to, from []byte) {
		for x := range int(d.width) {
			bit := uint(x) * width
			index := int(from[bit/8]>>(8-width-bit%8)) & mask
			color, ok := d.color(index)
			if !ok {
				err = errBMPColor
				return
			}
			copy(to[3*x:], color)
		}
	})
	return err
}

// channel extracts one color of a pixel.
type channel struct {
	mask  uint32
	shift int
	top   uint32 // the largest value
}

func channelOf(mask uint32) channel {
	shift := bits.TrailingZeros32(mask) & 31
	return channel{mask, shift, mask >> shift}
}

// of scales the color to eight bits, rounded.
func (c channel) of(pixel uint32) byte {
	if c.top == 255 {
		return byte(pixel & c.mask >> c.shift)
	}
	value := uint64(pixel & c.mask >> c.shift)
	return byte((value*255 + uint64(c.top)/2) / uint64(c.top))
}

// masked decodes pixels of 16 or 32 bits. An alpha that is 0 everywhere means that
// the program which wrote the file does not support alpha.
func (d *bmpDecoder) masked() {
	blue, green, red, alpha := channelOf(d.masks[0]), channelOf(d.masks[1]), channelOf(d.masks[2]), channelOf(d.masks[3])
	size, hasAlpha, opaque := int(d.bits/8), d.masks[3] != 0, true
	channels := 3
	if hasAlpha {
		channels = 4
	}
	d.rows(func(to, from []byte) {
		for ; len(to) >= channels; to, from = to[channels:], from[size:] {
			pixel := uint32(binary.LittleEndian.Uint16(from))
			if size == 4 {
				pixel = binary.LittleEndian.Uint32(from)
			}
			to[0], to[1], to[2] = blue.of(pixel), green.of(pixel), red.of(pixel)
			if hasAlpha {
				to[3] = alpha.of(pixel)
				opaque = opaque && to[3] == 0
			}
		}
	})
	if hasAlpha && opaque {
		for i := 3; i < len(d.out); i += 4 {
			d.out[i] = 255
		}
	}
}

// runs decodes run-length coded pixels: a count and a color, or 0 and 0 (end of the
// row), 1 (end of the image), 2 (a step right and up) or a number of colors, padded
// to an even number of bytes. Skipped pixels get the first color.
func (d *bmpDecoder) runs() error {
	background, _ := d.color(0)
	if background == nil {
		background = []byte{0, 0, 0}
	}
	for i := 0; i+3 <= len(d.out); i += 3 {
		copy(d.out[i:], background)
	}
	x, y, data := 0, 0, d.data
	for {
		if len(data) < 2 {
			if y >= int(d.height) || y == int(d.height)-1 && x == int(d.width) {
				return nil
			}
			return errBMPEnd
		}
		count, value := int(data[0]), int(data[1])
		switch {
		case count > 0:
			size := d.runSize(1)
			if len(data) < 1+size {
				return errBMPEnd
			}
			if err := d.run(x, y, count, func(int) []byte { return data[1 : 1+size] }); err != nil {
				return err
			}
			x, data = x+count, data[1+size:]
		case value == 0:
			x, y, data = 0, y+1, data[2:]
		case value == 1:
			return nil
		case value == 2:
			if len(data) < 4 {
				return errBMPEnd
			}
			x, y, data = x+int(data[2]), y+int(data[3]), data[4:]
			if x > int(d.width) || y > int(d.height) {
				return errBMPRuns
			}
		default:
			size := d.runSize(value)
			if len(data) < 2+size {
				return errBMPEnd
			}
			literal := data[2 : 2+size]
			if err := d.run(x, y, value, func(i int) []byte { return literal[d.runSize(i+1)-d.runSize(1):] }); err != nil {
				return err
			}
			x, data = x+value, data[min(2+size+size&1, len(data)):]
		}
	}
}

// runSize is how many bytes so many colors take.
func (d *bmpDecoder) runSize(colors int) int {
	switch d.bits {
	case 4:
		return (colors + 1) / 2
	case 8:
		return colors
	default:
		return 3 * colors
	}
}

// run writes so many pixels from x on. at returns the bytes with the color of the
// i-th; of four bits, that of every other is in the lower half.
func (d *bmpDecoder) run(x, y, count int, at func(i int) []byte) error {
	if y >= int(d.height) || x+count > int(d.width) {
		return errBMPRuns
	}
	row := d.row(y)
	for i := range count {
		code, color := at(i), []byte(nil)
		switch d.bits {
		case 24:
			color = code[:3]
		case 8:
			color, _ = d.color(int(code[0]))
		case 4:
			index := code[0] >> 4
			if i%2 == 1 {
				index = code[0] & 15
			}
			color, _ = d.color(int(index))
		}
		if color == nil {
			return errBMPColor
		}
		copy(row[3*(x+i):3*(x+i)+3], color)
	}
	return nil
}

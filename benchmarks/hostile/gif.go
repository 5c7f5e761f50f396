package hostile

import (
	"bytes"
	"compress/lzw"
	"image"
	"image/color"
	"image/gif"
	"math/rand/v2"
)

func gifKinds() []kind {
	return append([]kind{
		{"gif-plain", "an ordinary GIF", Accepted, false, func(r *rand.Rand) []byte { return gifOf(r, 1) }},
		{"gif-animation", "200 frames", Any, false, func(r *rand.Rand) []byte { return gifOf(r, 200) }},
		{"gif-giga", "four gigapixels", Refused, false, func(*rand.Rand) []byte { return flatGIF(65535, 65535, 1, 1) }},
		{"gif-frame-outside", "a frame beyond the screen", Refused, false, func(r *rand.Rand) []byte { return flatGIF(16, 16, 4000+r.IntN(99), 4000) }},
		{"gif-comments", "seven million comments of one byte", Any, true, func(r *rand.Rand) []byte {
			image := gifOf(r, 1)
			const palette = 13 + 3*2 // behind it
			return join(image[:palette], []byte{0x21, 0xfe}, bytes.Repeat([]byte{1, 'a'}, almost(r)/2-1000), []byte{0}, image[palette:])
		}},
		{"gif-clear-codes", "fourteen million clear codes", Any, true, func(r *rand.Rand) []byte {
			var codes bitsLow
			for range almost(r) * 8 * 254 / 255 / 9 {
				codes.put(256, 9)
			}
			return gifFile(16, 16, 16, 16, codes.bytes())
		}},
		{"gif-cut", "the second half is missing", Refused, false, func(r *rand.Rand) []byte {
			image := gifOf(r, 1)
			return image[:len(image)/2]
		}},
	}, append(sized("gif-flat", "one color, in a few bytes", func(r *rand.Rand, pixels int) []byte {
		w, h := sides(r, pixels, 65000)
		return flatGIF(w, h, w, h)
	}), sized("gif-screen", "a frame of one pixel", func(r *rand.Rand, pixels int) []byte {
		w, h := sides(r, pixels, 65000)
		return flatGIF(w, h, 1, 1)
	})...)...)
}

func gifOf(r *rand.Rand, frames int) []byte {
	palette := color.Palette{color.Black, color.White}
	g := gif.GIF{}
	for range frames {
		frame := image.NewPaletted(image.Rect(0, 0, 64, 64), palette)
		for i := range frame.Pix {
			frame.Pix[i] = uint8(r.IntN(2))
		}
		g.Image, g.Delay = append(g.Image, frame), append(g.Delay, 10)
	}
	var out bytes.Buffer
	_ = gif.EncodeAll(&out, &g) // into memory, of a size that GIF has
	return out.Bytes()
}

// gifFile is a GIF with a screen of one size and a frame of another, of these codes, which begin with 9 bits.
func gifFile(width, height, frameWidth, frameHeight int, codes []byte) []byte {
	out := append([]byte("GIF89a"), byte(width), byte(width>>8), byte(height), byte(height>>8), 0x80, 0, 0, 90, 120, 60, 255, 255, 255,
		',', 0, 0, 0, 0, byte(frameWidth), byte(frameWidth>>8), byte(frameHeight), byte(frameHeight>>8), 0, 8)
	for len(codes) > 0 {
		n := min(255, len(codes))
		out = append(append(out, byte(n)), codes[:n]...)
		codes = codes[n:]
	}
	return append(out, 0, ';')
}

func flatGIF(width, height, frameWidth, frameHeight int) []byte {
	var codes bytes.Buffer
	w := lzw.NewWriter(&codes, lzw.LSB, 8)
	line := make([]byte, frameWidth)
	for range frameHeight {
		_, _ = w.Write(line) // into memory
	}
	_ = w.Close()
	return gifFile(width, height, frameWidth, frameHeight, codes.Bytes())
}

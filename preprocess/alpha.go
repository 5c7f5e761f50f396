package preprocess

// bgrColor is a color in the order of the pixels, blue first.
type bgrColor [3]byte

// flatten lays pixels in 8-bit BGRA over a background, in place, and returns the
// part of the memory that holds the BGR pixels. Alpha is not premultiplied.
func flatten(pixels []byte, background bgrColor) []byte {
	bgr := pixels[:len(pixels)/4*3]
	for in, out := 0, 0; in+4 <= len(pixels); in, out = in+4, out+3 {
		p := pixels[in : in+4 : in+4]
		b, g, r := p[0], p[1], p[2]
		if alpha := p[3]; alpha != 255 {
			b, g, r = over(b, background[0], alpha), over(g, background[1], alpha), over(r, background[2], alpha)
		}
		bgr[out], bgr[out+1], bgr[out+2] = b, g, r
	}
	return bgr
}

// over is a channel of a pixel over that of a background, rounded.
func over(value, background, alpha byte) byte {
	return byte((int(value)*int(alpha) + int(background)*(255-int(alpha)) + 127) / 255)
}

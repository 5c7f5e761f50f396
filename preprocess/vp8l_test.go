package preprocess

import (
	"slices"
	"testing"
)

// lowBits writes bits, the lowest of each byte first.
type lowBits struct {
	out   []byte
	held  uint64
	count uint
}

func (b *lowBits) put(value uint64, count uint) {
	b.held |= value << b.count
	for b.count += count; b.count >= 8; b.count -= 8 {
		b.out = append(b.out, byte(b.held))
		b.held >>= 8
	}
}

func (b *lowBits) bytes() []byte {
	if b.count > 0 {
		return append(slices.Clone(b.out), byte(b.held))
	}
	return b.out
}

// oneSymbol writes a prefix code with one symbol, which takes no bits.
func (b *lowBits) oneSymbol(symbol uint64) {
	b.put(0b101, 3) // simple, one symbol, of eight bits
	b.put(symbol, 8)
}

// flat256 writes a prefix code whose symbols 0 to 255 have eight bits each, and others none.
func (b *lowBits) flat256(alphabet int) {
	own := map[int]uint64{18: 2, 16: 2, 8: 1}
	b.put(0, 1)
	b.put(uint64(12-4), 4)
	for _, symbol := range lengthOrder[:12] {
		b.put(own[int(symbol)], 3)
	}
	b.put(0, 1) // as many lengths as the alphabet has
	b.put(0, 1) // a length of 8
	for left := 255; left > 0; {
		if left < 3 {
			b.put(0, 1)
			left--
			continue
		}
		repeats := min(6, left)
		b.put(0b01, 2)
		b.put(uint64(repeats-3), 2)
		left -= repeats
	}
	for rest := alphabet - 256; rest > 0; {
		zeros := min(138, rest)
		b.put(0b11, 2)
		b.put(uint64(zeros-11), 7)
		rest -= zeros
	}
}

// reversed is the order in which the bits of a code are written.
func reversed(code int) (bits uint64) {
	for i := range 8 {
		bits |= uint64(code>>i&1) << (7 - i)
	}
	return bits
}

// groupedWebP is a lossless bitstream with an entropy image of tiles of 4x4 pixels, which use
// so many groups of prefix codes in turn, step numbers apart. Each group is of one color.
func groupedWebP(side, groups, step int) []byte {
	b := new(lowBits)
	b.put(0x2F, 8)
	b.put(uint64(side-1), 14)
	b.put(uint64(side-1), 14)
	b.put(0, 4)
	b.put(0, 1) // no transform
	b.put(0, 1) // no color cache
	b.put(1, 1) // an entropy image
	b.put(0, 3)
	b.put(0, 1)
	b.flat256(280)
	b.flat256(256)
	b.oneSymbol(0)
	b.oneSymbol(0)
	b.oneSymbol(0)
	tiles := (side + 3) / 4 * ((side + 3) / 4)
	for i := range tiles {
		group := i % groups * step
		b.put(reversed(group&255), 8)
		b.put(reversed(group>>8), 8)
	}
	for range (min(groups, tiles)-1)*step + 1 {
		for range 5 {
			b.oneSymbol(0)
		}
	}
	return append(b.bytes(), make([]byte, 8)...)
}

// plainWebP is a lossless bitstream of one color, in 16 bytes.
func plainWebP(width, height int) []byte {
	b := new(lowBits)
	b.put(0x2F, 8)
	b.put(uint64(width-1), 14)
	b.put(uint64(height-1), 14)
	b.put(0, 4)
	b.put(0, 3)
	for range 5 {
		b.oneSymbol(0)
	}
	return append(b.bytes(), make([]byte, 8)...)
}

func TestVP8LDemand(t *testing.T) {
	for name, test := range map[string]struct {
		bitstream []byte
		want      vp8lDemand
	}{
		"one color":                     {plainWebP(300, 200), vp8lDemand{groups: 1}},
		"one group of an entropy image": {groupedWebP(64, 1, 1), vp8lDemand{groups: 1, pixels: 256}},
		"some groups":                   {groupedWebP(64, 100, 1), vp8lDemand{groups: 100, pixels: 256}},
		"all tiles differ":              {groupedWebP(64, 256, 1), vp8lDemand{groups: 256, pixels: 256}},
		"gaps between few":              {groupedWebP(64, 100, 9), vp8lDemand{groups: 892, pixels: 256}},
		"gaps between many":             {groupedWebP(64, 200, 7), vp8lDemand{groups: 200, pixels: 256}},
		"all groups":                    {groupedWebP(1024, 65536, 1), vp8lDemand{groups: 65536, pixels: 65536}},
		"OpenCV's":                      {webpLossless[20:], vp8lDemand{groups: 1, pixels: 4}},
	} {
		t.Run(name, func(t *testing.T) {
			width, height, ok := readVP8L(test.bitstream)
			if !ok {
				t.Fatal("the header is damaged")
			}
			got, err := readVP8LDemand(test.bitstream[5:], int(width), int(height))
			if err != nil || got.groups != test.want.groups || got.cacheBits != test.want.cacheBits {
				t.Errorf("%+v, %v; want %+v", got, err, test.want)
			}
			if test.want.pixels != got.pixels && name != "OpenCV's" {
				t.Errorf("%d pixels describe it, want %d", got.pixels, test.want.pixels)
			}
			for cut := range min(30, len(test.bitstream)-5) {
				if _, err := readVP8LDemand(test.bitstream[5:][:cut], int(width), int(height)); err == nil && test.want.pixels > 4 {
					t.Errorf("passed with %d bytes", cut)
				}
			}
		})
	}
}

// What takes more than libwebp may have is refused, in an image or as its transparency.
func TestWebPTablesCountAsMemory(t *testing.T) {
	full := groupedWebP(1024, 65536, 1)
	limits := DefaultConfig()
	for name, file := range map[string][]byte{
		"image":        riff(riffChunk("VP8L", full)),
		"transparency": riff(vp8x(0x10, 1024, 1024), riffChunk("ALPH", append([]byte{1}, full[5:]...)), riffChunk("VP8 ", vp8Header(1024, 1024))),
		"frame":        riff(vp8x(2, 1024, 1024), riffChunk("ANMF", anmf(0, 0, 1024, 1024, riffChunk("VP8L", full)))),
	} {
		if _, err := inspect(file, limits); !isRefusal(err) {
			t.Errorf("%s: %v", name, err)
		}
		limits.MaxMemory = 0
		h, err := inspect(file, limits)
		if err != nil || h.memory(fullSize) < 700<<20 {
			t.Errorf("%s without a limit: %d MB, %v", name, h.memory(fullSize)>>20, err)
		}
		limits = DefaultConfig()
	}
}

// vp8Header is the start of a bitstream with losses.
func vp8Header(width, height int) []byte {
	return append([]byte{0x10, 0, 0, 0x9D, 0x01, 0x2A, byte(width), byte(width >> 8), byte(height), byte(height >> 8)}, make([]byte, 20)...)
}

//go:build cgo

package preprocess

import (
	"math/rand/v2"
	"testing"
)

// decodes reports whether libwebp decodes a lossless bitstream of that size.
func decodes(bitstream []byte, width, height int64) bool {
	r, err := decodeByOpenCV(riff(riffChunk("VP8L", bitstream)), header{format: "webp", width: int(width), height: int(height)}, bgrColor{})
	if err == nil {
		r.free()
	}
	return err == nil
}

// checkVP8LDemand fails if a bitstream that libwebp decodes is not read, or if what it takes
// is impossible.
func checkVP8LDemand(t *testing.T, bitstream []byte) {
	t.Helper()
	width, height, ok := readVP8L(bitstream)
	if !ok || width*height > 1<<18 {
		return
	}
	d, err := readVP8LDemand(bitstream[5:], int(width), int(height))
	if err == nil && (d.groups < 1 || d.groups > 1<<16 || d.pixels < 0 || d.pixels > 4*width*height+1024 || d.bytes() < 0) {
		t.Errorf("%+v of %dx%d", d, width, height)
	}
	if (err != nil || d.bytes() < 64<<20) && decodes(bitstream, width, height) && err != nil {
		t.Errorf("%v, and libwebp decodes it", err)
	}
}

// Any bytes are read to the prefix codes, or rejected if libwebp does not decode them.
func FuzzVP8LDemand(f *testing.F) {
	for _, bitstream := range [][]byte{webpLossless[20:], plainWebP(30, 20), groupedWebP(40, 7, 1), groupedWebP(40, 100, 13), groupedWebP(16, 3, 500)} {
		f.Add(bitstream)
	}
	f.Fuzz(checkVP8LDemand)
}

func TestVP8LDemandOfDamage(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for _, bitstream := range [][]byte{webpLossless[20:], groupedWebP(64, 100, 9), groupedWebP(200, 2000, 1)} {
		for range 300 {
			checkVP8LDemand(t, flipped(bitstream, 1+random.IntN(20), random))
		}
	}
	for name, file := range map[string][]byte{"one color": plainWebP(300, 200), "groups": groupedWebP(64, 100, 9)} {
		if width, height, _ := readVP8L(file); !decodes(file, width, height) {
			t.Errorf("%s: libwebp does not decode it, so the test is in vain", name)
		}
	}
}

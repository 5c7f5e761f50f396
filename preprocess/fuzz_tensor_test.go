//go:build cgo

package preprocess

import (
	"bytes"
	"testing"

	"edgelens/models"
)

// Whatever the bytes, the process lives, and the answer is a tensor or a
// refusal that leaves the buffer as it was; the same bytes give the same.
func FuzzTensor(f *testing.F) {
	addSeeds(f)
	p, err := New(Config{MaxPixels: 250_000, MaxSide: 4000, MaxScans: 20}) // small, to try many
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { p.Close() })
	s := spec(9, 7, 3, models.Uint8)
	f.Fuzz(func(t *testing.T, file []byte) {
		dst, again := make([]byte, s.Bytes()), bytes.Repeat([]byte{0xA5}, s.Bytes())
		if _, _, err := p.Tensor(dst, file, s); err != nil {
			if !isRefusal(err) || !bytes.Equal(dst, make([]byte, s.Bytes())) {
				t.Errorf("refused with %v and the buffer %v", err, dst)
			}
			return
		}
		if _, _, err := p.Tensor(again, file, s); err != nil || !bytes.Equal(dst, again) {
			t.Errorf("the second time it is %v (%v), the first time it was %v", again, err, dst)
		}
	})
}

//go:build cgo

package preprocess

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"gocv.io/x/gocv"

	"edgelens"
	"edgelens/models"
)

// repairCRCs corrects the checksums of a PNG, so that the fuzzer's changes
// reach libpng.
func repairCRCs(file []byte) []byte {
	file = bytes.Clone(file)
	for pos := len(pngSignature); bytes.HasPrefix(file, []byte(pngSignature)); {
		_, data, ok := pngChunk(file, pos)
		if !ok {
			break
		}
		end := pos + 8 + len(data)
		binary.BigEndian.PutUint32(file[end:], crc32.ChecksumIEEE(file[pos+4:end]))
		pos = end + 4
	}
	return file
}

// soil fills memory of an image's size and frees it, to expose a decoder that
// leaves pixels unwritten.
func soil(info edgelens.ImageInfo, value float64) {
	m := gocv.NewMatWithSizeFromScalar(gocv.NewScalar(value, value, value, 0), info.Height, info.Width, gocv.MatTypeCV8UC3)
	m.Close()
}

// For any bytes, the process survives, and the result is a tensor or an
// error that leaves the buffer unchanged; the same bytes give the same result,
// whatever was in memory before, and are accepted or rejected alike if JPEGs are
// decoded at a reduced size.
func FuzzTensor(f *testing.F) {
	addSeeds(f)
	limits := Config{MaxPixels: 250_000, MaxSide: 4000, MaxScans: 20} // small, to try many
	p, err := New(limits)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { p.Close() })
	limits.ReduceJPEG = 1
	reducing, err := New(limits)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { reducing.Close() })
	s := spec(9, 7, 3, models.Uint8)
	f.Fuzz(func(t *testing.T, file []byte) {
		file = repairCRCs(file)
		agree(t, p, reducing, file, s)
		info, _ := p.Inspect(file)
		dst, again := make([]byte, s.Bytes()), bytes.Repeat([]byte{0xA5}, s.Bytes())
		soil(info, 0)
		if _, _, err := p.Tensor(dst, file, s); err != nil {
			if !isRefusal(err) || !bytes.Equal(dst, make([]byte, s.Bytes())) {
				t.Errorf("refused with %v and the buffer %v", err, dst)
			}
			return
		}
		soil(info, 255)
		if _, _, err := p.Tensor(again, file, s); err != nil || !bytes.Equal(dst, again) {
			t.Errorf("the second time it is %v (%v), the first time it was %v", again, err, dst)
		}
	})
}

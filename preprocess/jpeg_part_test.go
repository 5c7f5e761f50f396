//go:build cgo

package preprocess

import (
	"bytes"
	"fmt"
	"image"
	"math/rand/v2"
	"testing"

	"edgelens/internal/testutil"
)

// withScans returns a progressive JPEG with so many of its scans, which is a complete
// file of lower quality: its blocks are smoothed.
func withScans(t testing.TB, file []byte, scans int) []byte {
	t.Helper()
	at := 0
	for range scans + 1 {
		next := bytes.Index(file[at+1:], []byte{0xFF, 0xDA})
		if next < 0 {
			t.Fatal("the file has too few scans")
		}
		at += 1 + next
	}
	// The tables of the next scan may precede it; they do no harm.
	return append(bytes.Clone(file[:at]), 0xFF, 0xD9)
}

// rowsOf copies a part out of a raster.
func rowsOf(r raster, part image.Rectangle) []byte {
	var out []byte
	for y := part.Min.Y; y < part.Max.Y; y++ {
		out = append(out, r.bgr[3*(y*r.width+part.Min.X):3*(y*r.width+part.Max.X)]...)
	}
	return out
}

// anyPart returns a part of a size: in the middle, at the edges, or of one pixel.
func anyPart(size image.Point, random *rand.Rand) image.Rectangle {
	along := func(side int) (from, to int) {
		switch random.IntN(6) {
		case 0:
			return 0, side
		case 1:
			return 0, 1 + random.IntN(side)
		case 2:
			return random.IntN(side), side
		case 3:
			at := random.IntN(side)
			return at, at + 1
		}
		a, b := random.IntN(side), random.IntN(side)
		return min(a, b), max(a, b) + 1
	}
	left, right := along(size.X)
	top, bottom := along(size.Y)
	return image.Rect(left, top, right, bottom)
}

// withSampling returns a JPEG of other sampling factors, whose data do not fit them.
func withSampling(t testing.TB, file []byte, factors ...byte) []byte {
	t.Helper()
	file = bytes.Clone(file)
	at := max(bytes.Index(file, []byte{0xFF, 0xC0, 0x00}), bytes.Index(file, []byte{0xFF, 0xC2, 0x00}))
	if at < 0 {
		t.Fatal("the file has no frame header")
	}
	for i, factor := range factors[:min(len(factors), int(file[at+9]))] {
		file[at+11+3*i] = factor
	}
	return file
}

// partFiles are JPEGs of every kind at several sizes; some are damaged.
func partFiles(t *testing.T, random *rand.Rand) map[string][]byte {
	files := map[string][]byte{}
	for _, size := range []image.Point{{131, 77}, {250, 190}, {97, 300}} {
		kinds := jpegKinds(t, size.X, size.Y)
		kinds["cmyk"] = cmykJPEG(t, size.X, size.Y)
		for name, file := range kinds {
			files[name+" "+size.String()] = file
			if bytes.Contains(file, []byte{0xFF, 0xC2}) {
				files[name+" smoothed "+size.String()] = withScans(t, file, 2)
			}
			for _, factors := range [][]byte{{0x11, 0x11, 0x24, 0x11}, {0x11, 0x24, 0x11, 0x11}, {0x12, 0x21, 0x11, 0x22}, {0x41, 0x11, 0x11, 0x11}} {
				unusual := withSampling(t, file, factors...)
				if _, err := inspect(unusual, DefaultConfig()); err == nil {
					files[fmt.Sprintf("%s sampled %x %v", name, factors, size)] = unusual
				}
			}
			for range 3 {
				damaged := flipped(file, 1+random.IntN(3), random)
				if h, err := inspect(damaged, DefaultConfig()); err == nil && image.Pt(h.width, h.height) == size {
					files[name+" damaged "+size.String()] = damaged
				}
			}
		}
	}
	return files
}

// A part of a JPEG has the pixels that it has in the whole, bit by bit, and damage
// anywhere is noticed.
func TestJPEGPartsEqualTheWhole(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	files := partFiles(t, random)
	perFile := max(1, testutil.Rounds(10_000, 3_000)/len(files)/4)
	compared := 0
	for name, file := range files {
		h, err := inspect(file, DefaultConfig())
		if err != nil {
			t.Fatal(name, err)
		}
		for _, size := range []int{fullSize, 4, 2, 1} {
			all := wholeOf(h, size)
			whole, damaged, err := decodeJPEG(new(pixelBuffer), h, size, all)
			buffer := soiled(t)
			for range perFile {
				part := anyPart(all.Max, random)
				soilBytes(buffer.kept)
				got, alsoDamaged, partErr := decodeJPEG(buffer, h, size, part)
				if (err == nil) != (partErr == nil) || damaged != alsoDamaged {
					t.Fatalf("%s at %d/8, %v: damaged %v, %v; the whole: %v, %v", name, size, part, alsoDamaged, partErr, damaged, err)
				}
				if err != nil {
					continue
				}
				compared++
				if got.whole != all.Max || got.at != part.Min || !bytes.Equal(got.bgr, rowsOf(whole, part)) {
					t.Fatalf("%s at %d/8 of %v: %v has other pixels than in the whole", name, size, all.Max, part)
				}
			}
		}
	}
	t.Logf("%d parts of %d files", compared, len(files))
}

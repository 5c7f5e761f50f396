//go:build cgo

package preprocess

import (
	"bytes"
	"fmt"
	"image"
	"image/draw"
	"math/rand/v2"
	"testing"

	"gocv.io/x/gocv"
)

// encodings are the ways to write a JPEG for which OpenCV has settings; 7 is its
// sampling factor (imgcodecs.hpp, IMWRITE_JPEG_SAMPLING_FACTOR).
var encodings = map[string][]int{
	"baseline":      {gocv.IMWriteJpegQuality, 80},
	"best":          {gocv.IMWriteJpegQuality, 100},
	"worst":         {gocv.IMWriteJpegQuality, 1},
	"progressive":   {gocv.IMWriteJpegProgressive, 1},
	"with restarts": {gocv.IMWriteJpegRstInterval, 3},
	"4:4:4":         {7, 0x111111},
	"4:2:2":         {7, 0x211111},
	"4:4:0":         {7, 0x121111},
	"4:1:1":         {7, 0x411111},
}

func jpegKinds(t testing.TB, width, height int) map[string][]byte {
	t.Helper()
	gray := image.NewGray(image.Rect(0, 0, width, height))
	draw.Draw(gray, gray.Rect, scene(width, height), image.Point{}, draw.Src)
	files := map[string][]byte{"gray": asJPEG(gray), "by Go": asJPEG(scene(width, height))}
	mat := must(gocv.ImageToMatRGB(scene(width, height)))
	defer mat.Close()
	for name, settings := range encodings {
		buffer := must(gocv.IMEncodeWithParams(gocv.JPEGFileExt, mat, settings))
		files[name] = bytes.Clone(buffer.GetBytes())
		buffer.Close()
	}
	return files
}

// wholeOf is all of a JPEG at a size in eighths.
func wholeOf(h header, size int) image.Rectangle {
	return image.Rect(0, 0, scaled(h.width, size), scaled(h.height, size))
}

// soiled returns a buffer full of other data, as after an earlier image.
func soiled(t testing.TB) *pixelBuffer {
	t.Helper()
	b := new(pixelBuffer)
	r, err := b.take(300, 300, 4)
	if err != nil {
		t.Fatal(err)
	}
	soilBytes(r.bgr)
	r.free()
	t.Cleanup(b.close)
	return b
}

// left is the content of soiled memory.
const left = 0xA5

func soilBytes(b []byte) {
	for i := range b {
		b[i] = left
	}
}

// compare decodes a JPEG both ways: libjpeg-turbo alone must give the same pixels as
// OpenCV.
func compare(t *testing.T, file []byte) (decoded bool, err error) {
	t.Helper()
	h, err := inspect(file, DefaultConfig())
	if err != nil {
		return false, err
	}
	buffer := soiled(t)
	ours, _, err := decodeJPEG(buffer, h, fullSize, wholeOf(h, fullSize))
	if err != nil {
		if !isRefusal(err) {
			t.Errorf("refused with %v", err)
		}
		return false, nil
	}
	defer ours.free()
	theirs := gocv.NewMat()
	defer theirs.Close()
	if err := gocv.IMDecodeIntoMat(file, gocv.IMReadColor|gocv.IMReadIgnoreOrientation, &theirs); err != nil || theirs.Empty() {
		return true, fmt.Errorf("OpenCV does not decode it: %w", err)
	}
	if !bytes.Equal(ours.bgr, must(theirs.DataPtrUint8())) {
		t.Error("other pixels than OpenCV's")
	}
	return true, nil
}

func TestJPEGPixelsEqualOpenCV(t *testing.T) {
	for name, file := range jpegKinds(t, 131, 77) {
		t.Run(name, func(t *testing.T) {
			if decoded, err := compare(t, file); !decoded || err != nil {
				t.Errorf("decoded: %v, %v", decoded, err)
			}
			// Also damaged ones, if something remains to decode.
			random := rand.New(rand.NewPCG(1, uint64(len(file))))
			alike := 0
			for range 200 {
				damaged := bytes.Clone(file)
				for range 1 + random.IntN(3) {
					damaged[len(damaged)/3+random.IntN(len(damaged)*2/3)] = byte(random.Uint32())
				}
				if decoded, err := compare(t, damaged); decoded && err == nil {
					alike++
				}
			}
			if alike == 0 {
				t.Error("none of the damaged ones could be compared")
			}
		})
	}
}

func TestCMYKPixelsEqualOpenCV(t *testing.T) {
	if decoded, err := compare(t, cmykJPEG(t, 61, 47)); !decoded || err != nil {
		t.Errorf("decoded: %v, %v", decoded, err)
	}
}

// A decoder that continues after a warning and then fails has written
// nothing, or half. Data of another image in the memory must not be in the result,
// and not stay in the memory.
func TestFailedJPEGLeavesNoPixels(t *testing.T) {
	for name, file := range map[string][]byte{
		"warned, then fatal":              warnedJPEG(300, 300),
		"warned, then fatal, small":       warnedJPEG(90, 90),
		"no tables":                       jpegOf(sof(0xC0, 8, 8, 6), sos(100)),
		"a table that is not there, late": lateTableJPEG(),
	} {
		t.Run(name, func(t *testing.T) {
			h, err := inspect(file, DefaultConfig())
			if err != nil {
				t.Fatal(err)
			}
			buffer := soiled(t)
			for _, size := range []int{fullSize, 4, 2, 1} {
				soilBytes(buffer.kept)
				if _, _, err := decodeJPEG(buffer, h, size, wholeOf(h, size)); !isRefusal(err) {
					t.Fatalf("at %d/8 it was answered with %v", size, err)
				}
				used := scaled(h.width, size) * scaled(h.height, size) * 3
				if bytes.IndexByte(buffer.kept[:used], left) >= 0 {
					t.Errorf("at %d/8 the image before is left in the memory", size)
				}
			}
		})
	}
}

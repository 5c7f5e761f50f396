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

func jpegKinds(t testing.TB) map[string][]byte {
	t.Helper()
	gray := image.NewGray(image.Rect(0, 0, 61, 47))
	draw.Draw(gray, gray.Rect, scene(61, 47), image.Point{}, draw.Src)
	files := map[string][]byte{"gray": asJPEG(gray), "by Go": asJPEG(scene(97, 61))}
	mat := must(gocv.ImageToMatRGB(scene(131, 77)))
	defer mat.Close()
	for name, settings := range encodings {
		buffer := must(gocv.IMEncodeWithParams(gocv.JPEGFileExt, mat, settings))
		files[name] = bytes.Clone(buffer.GetBytes())
		buffer.Close()
	}
	return files
}

// soiled returns a decoder whose memory is full of something else, as that of an
// earlier picture.
func soiled() *turboJPEG {
	t := new(turboJPEG)
	picture, err := t.picture(300, 300)
	if err != nil {
		panic(err)
	}
	pixels := must(picture.DataPtrUint8())
	for i := range pixels {
		pixels[i] = 0xA5
	}
	picture.Close()
	return t
}

// compare decodes a JPEG both ways: where libjpeg-turbo does alone, its pixels are
// OpenCV's.
func compare(t *testing.T, file []byte) (decoded bool, err error) {
	h, err := inspect(file, DefaultConfig())
	if err != nil {
		return false, err
	}
	decoder := soiled()
	defer decoder.close()
	ours, theirs := gocv.NewMat(), gocv.NewMat()
	defer func() { ours.Close(); theirs.Close() }()
	if !decoder.decode(&ours, file, h, fullSize) {
		if !ours.Empty() {
			t.Error("it is refused, and there are pixels")
		}
		return false, nil
	}
	if err := decode(&theirs, file, h); err != nil {
		return true, fmt.Errorf("OpenCV: %w", err)
	}
	if !bytes.Equal(must(ours.DataPtrUint8()), must(theirs.DataPtrUint8())) {
		t.Error("other pixels than OpenCV's")
	}
	return true, nil
}

func TestJPEGPixelsAreOpenCVs(t *testing.T) {
	for name, file := range jpegKinds(t) {
		t.Run(name, func(t *testing.T) {
			if decoded, err := compare(t, file); !decoded || err != nil {
				t.Errorf("decoded: %v, %v", decoded, err)
			}
			// Damaged, too, where that leaves something to decode.
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

// CMYK is OpenCV's to convert.
func TestCMYKIsLeftToOpenCV(t *testing.T) {
	ours := gocv.NewMat()
	defer ours.Close()
	file := jpegOf(jpegSegmentOf(0xC0, []byte{8, 0, 6, 0, 8, 4, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0, 4, 0x11, 0}), sos(400))
	h, err := inspect(file, DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	decoder := soiled()
	defer decoder.close()
	if decoder.decode(&ours, file, h, fullSize) {
		t.Error("it was decoded")
	}
}

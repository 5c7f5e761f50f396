//go:build cgo

package preprocess

import (
	"image"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gocv.io/x/gocv"

	"edgelens/internal/testutil"
	"edgelens/models"
)

// benchFiles are images of common sizes: drawn ones, and photographs where
// EDGELENS_TEST_SHARED is set.
func benchFiles(b *testing.B) map[string][]byte {
	files := map[string][]byte{
		"drawn 512x384 bmp":    asBMP(scene(512, 384)),
		"drawn 1280x720 jpeg":  asJPEG(scene(1280, 720)),
		"drawn 1920x1080 jpeg": asJPEG(scene(1920, 1080)),
	}
	shared := testutil.SharedFolder()
	if shared == "" {
		return files
	}
	for _, name := range []string{"cat.bmp", "cat_720p.jpg", "cat_1080p.jpg"} {
		file, err := os.ReadFile(filepath.Join(shared, "images", name))
		if err != nil {
			b.Fatal(err)
		}
		files[name] = file
	}
	return files
}

func BenchmarkInspect(b *testing.B) {
	for name, file := range benchFiles(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(file)))
			for b.Loop() {
				if _, err := inspect(file, DefaultConfig()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkTensor reports which part of the time is decoding.
func BenchmarkTensor(b *testing.B) {
	p := newPreprocessor(b)
	s := spec(224, 224, 3, models.Uint8)
	dst := make([]byte, s.Bytes())
	for name, file := range benchFiles(b) {
		b.Run(name, func(b *testing.B) {
			var decode time.Duration
			b.ReportAllocs()
			for b.Loop() {
				_, t, err := p.Tensor(dst, file, s)
				if err != nil {
					b.Fatal(err)
				}
				decode += t.Decode
			}
			b.ReportMetric(100*decode.Seconds()/b.Elapsed().Seconds(), "%decode")
		})
	}
}

// BenchmarkPack is the last step alone: upright, RGB, table.
func BenchmarkPack(b *testing.B) {
	stored := bgrOf(scene(224, 224))
	for _, dtype := range []models.DType{models.Uint8, models.Float32} {
		s := spec(224, 224, 3, dtype)
		dst := make([]byte, s.Bytes())
		t := new(tables).of(s)
		for name, orientation := range map[string]int{"upright": 1, "to be turned": 6} {
			b.Run(dtype.String()+" "+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					pack(dst, stored, s, orientation, t)
				}
			})
		}
	}
}

// BenchmarkResize compares the way of resizing that is used, bilinear, with
// averaging by area.
func BenchmarkResize(b *testing.B) {
	oneThread()
	for name, size := range map[string]image.Point{"512x384": {X: 512, Y: 384}, "1280x720": {X: 1280, Y: 720}, "1920x1080": {X: 1920, Y: 1080}} {
		src := gocv.NewMatWithSize(size.Y, size.X, gocv.MatTypeCV8UC3)
		defer src.Close()
		dst := gocv.NewMat()
		defer dst.Close()
		for way, flag := range map[string]gocv.InterpolationFlags{"area": gocv.InterpolationArea, "linear": gocv.InterpolationLinear} {
			b.Run(name+" "+way, func(b *testing.B) {
				for b.Loop() {
					if err := gocv.Resize(src, &dst, image.Pt(224, 224), 0, 0, flag); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

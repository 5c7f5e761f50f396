//go:build cgo

package preprocess

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"

	"edgelens"
	"edgelens/models"
)

func newPreprocessor(t testing.TB) *Preprocessor {
	t.Helper()
	p, err := New(DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

var stretch = edgelens.View{Fit: edgelens.FitStretch}

// tensor preprocesses a file that must be good.
func tensor(t testing.TB, p *Preprocessor, file []byte, s models.InputSpec) []byte {
	t.Helper()
	dst := bytes.Repeat([]byte{0xA5}, s.Bytes())
	if _, _, err := p.Tensor(dst, file, s); err != nil {
		t.Fatal(err)
	}
	return dst
}

func TestTensorReportsTheImage(t *testing.T) {
	p := newPreprocessor(t)
	s := spec(4, 4, 3, models.Uint8)
	file := asPNG(scene(64, 48))
	info, timings, err := p.Tensor(make([]byte, s.Bytes()), file, s)
	if err != nil {
		t.Fatal(err)
	}
	inspected, err := p.Inspect(file)
	if want := (edgelens.ImageInfo{Width: 64, Height: 48, Format: "png"}); info != want || inspected != want || err != nil {
		t.Errorf("Tensor returned %+v, Inspect %+v, %v; want %+v", info, inspected, err, want)
	}
	if timings.Decode <= 0 || timings.Preprocess <= 0 {
		t.Errorf("timings %+v", timings)
	}
	if p.Version() != Version {
		t.Errorf("version %q", p.Version())
	}
}

// Several tensors of one decoding equal those of separate calls.
func TestTensorsEqualSingleTensors(t *testing.T) {
	p := newPreprocessor(t)
	specs := []models.InputSpec{spec(24, 24, 3, models.Uint8), spec(10, 10, 3, models.Int8), spec(33, 17, 1, models.Float32), spec(60, 40, 3, models.Uint8)}
	for name, file := range map[string][]byte{
		"jpeg": asJPEG(scene(60, 40)), "png": asPNG(scene(60, 40)), "webp": webpLossless, "turned": withOrientation(t, "jpeg", asJPEG(scene(60, 40)), 6),
	} {
		var buffers []models.InputBuffer
		for _, s := range specs {
			buffers = append(buffers, models.InputBuffer{Spec: s, View: stretch, Bytes: make([]byte, s.Bytes())})
		}
		filled, err := p.Tensors(file, buffers...)
		if err != nil || filled.Image.Width == 0 {
			t.Fatalf("%s: %+v, %v", name, filled, err)
		}
		for i, b := range buffers {
			if !bytes.Equal(b.Bytes, tensor(t, p, file, b.Spec)) {
				t.Errorf("%s: tensor %d is another than alone", name, i)
			}
		}
	}
	short := models.InputBuffer{Spec: specs[1], View: stretch, Bytes: make([]byte, 3)}
	good := models.InputBuffer{Spec: specs[0], View: stretch, Bytes: make([]byte, specs[0].Bytes())}
	if _, err := p.Tensors(asPNG(scene(9, 9)), good, short); !errors.Is(err, edgelens.ErrModel) {
		t.Errorf("a buffer too short: %v, want an ErrModel", err)
	}
}

// Every orientation, in every format with EXIF, is corrected.
func TestTensorTurnsUpright(t *testing.T) {
	p := newPreprocessor(t)
	for format, plain := range map[string][]byte{"jpeg": asJPEG(scene(60, 40)), "png": asPNG(scene(60, 40)), "webp": webpLossless} {
		info, err := p.Inspect(plain)
		if err != nil {
			t.Fatal(err)
		}
		for orientation := 1; orientation <= 8; orientation++ {
			// The stored image, at the size of the model's input ...
			s := spec(20, 10, 3, models.Uint8)
			size := turned(image.Pt(s.Width, s.Height), orientation)
			width, height := size.X, size.Y
			stored := image.NewNRGBA(image.Rect(0, 0, width, height))
			for i, v := range tensor(t, p, plain, spec(width, height, 3, models.Uint8)) {
				stored.Pix[i/3*4+i%3] = v
			}
			// ... rotated, must be the tensor of the file with that orientation.
			want := rgbOf(upright(stored, orientation))
			file := withOrientation(t, format, plain, orientation)
			if got := tensor(t, p, file, s); !bytes.Equal(got, want) {
				t.Errorf("%s, orientation %d: another image", format, orientation)
			}
			if got, err := p.Inspect(file); err != nil || got != info {
				t.Errorf("%s, orientation %d: Inspect returned %+v, %v; want the stored size %+v", format, orientation, got, err, info)
			}
		}
	}
}

func TestTensorDTypes(t *testing.T) {
	p := newPreprocessor(t)
	file := asPNG(scene(50, 30))
	bytesOf := tensor(t, p, file, spec(20, 10, 3, models.Uint8))
	for i, v := range tensor(t, p, file, spec(20, 10, 3, models.Int8)) {
		if int(int8(v)) != int(bytesOf[i])-128 {
			t.Fatalf("int8 element %d is %d for pixel value %d", i, int8(v), bytesOf[i])
		}
	}
	floats := tensor(t, p, file, spec(20, 10, 3, models.Float32))
	for i, v := range bytesOf {
		got := math.Float32frombits(binary.LittleEndian.Uint32(floats[4*i:]))
		if want := (float32(v) - 127.5) / 127.5; math.Abs(float64(got-want)) > 1e-6 {
			t.Fatalf("float32 element %d is %v for pixel value %d", i, got, v)
		}
	}
	// Gray is the luma of ITU-R BT.601, of the resized colors.
	for i, v := range tensor(t, p, file, spec(20, 10, 1, models.Uint8)) {
		luma := 0.299*float64(bytesOf[3*i]) + 0.587*float64(bytesOf[3*i+1]) + 0.114*float64(bytesOf[3*i+2])
		if math.Abs(luma-float64(v)) > 1 {
			t.Fatalf("gray pixel %d is %d, want %.1f", i, v, luma)
		}
	}
}

// The two Coral models get the very bytes of an image of their size.
func TestTensorIsIdentityForCoralModels(t *testing.T) {
	p := newPreprocessor(t)
	img := scene(224, 224)
	for name, q := range map[string]models.TensorSpec{
		"tf2_mobilenet_v2_1.0_224_ptq": {Scale: 0.007843137718737125, ZeroPoint: 127},
		"mobilenet_v2_1.0_224_quant":   {Scale: 0.0078125, ZeroPoint: 128},
	} {
		q.Shape, q.DType = []int{1, 224, 224, 3}, models.Uint8
		s, err := models.NewInputSpec(q, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := tensor(t, p, asPNG(img), s); !bytes.Equal(got, rgbOf(img)) {
			t.Errorf("%s: the tensor is not the image", name)
		}
	}
}

func allRefusals() map[string]refusal {
	all := map[string]refusal{
		"empty": {nil, wide, edgelens.ErrNoImage, "empty"},
		"text":  {[]byte("not an image"), wide, edgelens.ErrUnsupportedFormat, "send a"},
	}
	for _, some := range []map[string]refusal{badJPEGs(), badPNGs(), badWebPs(), badBMPs()} {
		for name, r := range some {
			all[string(r.file[:min(2, len(r.file))])+" "+name] = r
		}
	}
	return all
}

// Bad files are rejected by the checks, before OpenCV: the error contains "check",
// and neither memory nor the buffer is touched.
func TestTensorRejectsBeforeDecoding(t *testing.T) {
	s := spec(8, 6, 3, models.Uint8)
	for name, r := range allRefusals() {
		p, err := New(r.limits)
		if err != nil {
			t.Fatal(err)
		}
		dst := bytes.Repeat([]byte{0xA5}, s.Bytes())
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		info, _, err := p.Tensor(dst, r.file, s)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, r.sentinel) || !strings.HasPrefix(err.Error(), "check ") || info != (edgelens.ImageInfo{}) {
			t.Errorf("%q: Tensor() = %+v, %v", name, info, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 64<<10 {
			t.Errorf("%q: allocated %d bytes", name, n)
		}
		if !bytes.Equal(dst, bytes.Repeat([]byte{0xA5}, s.Bytes())) {
			t.Errorf("%q: the buffer was written", name)
		}
		p.Close()
	}
}

// brokenInside returns files with valid headers and invalid image data, which only
// the decoder can detect.
func brokenInside() map[string][]byte {
	iend := pngChunkOf("IEND", nil)
	badVP8L := groupedWebP(8, 1, 1) // its last codes, and eight bytes
	for i := len(badVP8L) - 13; i < len(badVP8L); i++ {
		badVP8L[i] = 0xFF
	}
	return map[string][]byte{
		"png: not deflate":     pngOf(ihdr(8, 6, 8, 2, 0), pngChunkOf("IDAT", []byte("this is not deflate at all")), iend),
		"png: too few rows":    pngOf(ihdr(8, 6, 8, 2, 0), pngChunkOf("IDAT", deflated(make([]byte, 60))), iend),
		"png: no palette":      pngOf(ihdr(8, 6, 8, 3, 0), pngChunkOf("IDAT", deflated(make([]byte, 54))), iend),
		"jpeg: no tables":      jpegOf(sof(0xC0, 8, 8, 6), sos(100)),
		"webp: no prefix code": riff(riffChunk("VP8L", badVP8L)),
		"bmp: palette of 2^31": bmpFile{size: 40, width: 8, height: 6, bits: 8, colors: 1 << 31, pixels: make([]byte, 48)}.encode(),
	}
}

// An image that fails in the decoder gives an error, too, and never reveals the
// previous image: not in its own result, and not in the next one.
func TestTensorDoesNotLeakPreviousImage(t *testing.T) {
	p := newPreprocessor(t)
	s := spec(8, 6, 3, models.Uint8)
	secret := tensor(t, p, asPNG(webpScene()), s)
	other := asPNG(scene(8, 6))
	for name, file := range brokenInside() {
		t.Run(name, func(t *testing.T) {
			tensor(t, p, asPNG(webpScene()), s)
			dst := make([]byte, s.Bytes())
			if _, _, err := p.Tensor(dst, file, s); !errors.Is(err, edgelens.ErrBadImage) || !strings.HasPrefix(err.Error(), "decode ") {
				t.Errorf("Tensor() = %v, want an error from the decoder", err)
			}
			if !bytes.Equal(dst, make([]byte, s.Bytes())) {
				t.Error("the buffer was written")
			}
			if got := tensor(t, p, other, s); bytes.Equal(got, secret) || !bytes.Equal(got, rgbOf(scene(8, 6))) {
				t.Error("the next answer is not its own image")
			}
		})
	}
}

// Valid and invalid images at once, for models of several sizes: each call gets
// its own error and its own image.
func TestTensorFromManyGoroutines(t *testing.T) {
	p := newPreprocessor(t)
	specs := []models.InputSpec{spec(20, 10, 3, models.Uint8), spec(7, 90, 1, models.Int8), spec(33, 33, 3, models.Float32)}
	files := [][]byte{asPNG(scene(64, 48)), asJPEG(scene(90, 60)), asBMP(scene(31, 77)), webpLossy,
		withOrientation(t, "jpeg", asJPEG(scene(90, 60)), 6)}
	for _, file := range brokenInside() {
		files = append(files, file)
	}
	for _, r := range []refusal{badJPEGs()["two frames"], badPNGs()["flipped bit"], badWebPs()["no image"]} {
		files = append(files, r.file)
	}
	type verdict struct {
		tensor []byte
		err    string
	}
	run := func(file []byte, s models.InputSpec) verdict {
		dst := make([]byte, s.Bytes())
		if _, _, err := p.Tensor(dst, file, s); err != nil {
			return verdict{dst, err.Error()}
		}
		return verdict{dst, ""}
	}
	alone := make(map[[2]int]verdict)
	for f := range files {
		for s := range specs {
			alone[[2]int{f, s}] = run(files[f], specs[s])
		}
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 10 * len(files) {
				f, s := (i*7+g)%len(files), (i+g)%len(specs)
				got, want := run(files[f], specs[s]), alone[[2]int{f, s}]
				if got.err != want.err || !bytes.Equal(got.tensor, want.tensor) {
					t.Errorf("file %d, spec %d: %q, alone %q", f, s, got.err, want.err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestTensorAfterClose(t *testing.T) {
	p := newPreprocessor(t)
	s := spec(20, 10, 3, models.Uint8)
	file := asPNG(scene(64, 48))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				if _, _, err := p.Tensor(make([]byte, s.Bytes()), file, s); err != nil {
					if !errors.Is(err, edgelens.ErrStopping) {
						t.Errorf("Tensor() = %v, want ErrStopping", err)
					}
					return
				}
			}
		})
	}
	for range 3 {
		wg.Go(func() {
			if err := p.Close(); err != nil {
				t.Errorf("Close() = %v", err)
			}
		})
	}
	wg.Wait()
	if _, err := p.Inspect(file); err != nil {
		t.Errorf("Inspect after Close: %v", err)
	}
}

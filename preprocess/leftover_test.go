//go:build cgo

package preprocess

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"maps"
	"math/rand/v2"
	"testing"

	"golang.org/x/image/tiff"

	"edgelens/internal/testutil"
	"edgelens/models"
)

// flipped returns file with so many of its bits flipped.
func flipped(file []byte, bits int, random *rand.Rand) []byte {
	damaged := bytes.Clone(file)
	for range bits {
		at := random.IntN(8 * len(damaged))
		damaged[at/8] ^= 1 << (at % 8)
	}
	return damaged
}

// everyKind is an image in every supported coding.
func everyKind(t testing.TB) map[string][]byte {
	t.Helper()
	files := map[string][]byte{
		"cmyk": cmykJPEG(t, 31, 23), "png": asPNG(scene(31, 23)), "png, interlaced": interlacedPNG(scene(31, 23)),
		"png, alpha": asPNG(translucent(31, 23)), "png, palette": asPNG(drawn(image.NewPaletted(image.Rect(0, 0, 31, 23), grays(9)), scene(31, 23))),
		"bmp": asBMP(scene(31, 23)), "bmp, runs": runsBMP(31, 23), "webp": webpLossy, "webp, lossless": webpLossless, "webp, alpha": onePixelWebP(99),
		"webp, animated": riff(vp8x(2, 31, 23), riffChunk("ANMF", anmf(2, 4, 8, 6, bitstream(webpLossy)))),
		"gif":            asGIF(scene(31, 23)), "gif, a part": animation(drawn(image.NewPaletted(image.Rect(3, 2, 9, 7), grays(16)), scene(12, 10))),
		"tiff": asTIFF(scene(31, 23), nil), "tiff, deflate": asTIFF(scene(31, 23), &tiff.Options{Compression: tiff.Deflate}),
	}
	maps.Copy(files, jpegKinds(t, 31, 23))
	return files
}

// A damaged image has a result of its own, or none: the same after a black image
// as after a white one. Of progressive JPEGs with some flipped bits, one in
// thirty once contained the previous image.
func TestDamagedImageDoesNotLeakPrevious(t *testing.T) {
	perFormat := testutil.Rounds(10_000, 500)
	s := spec(8, 6, 3, models.Uint8)
	var before [2][]byte
	for i, shade := range []color.Color{color.Black, color.White} {
		plain := image.NewNRGBA(image.Rect(0, 0, 31, 23))
		draw.Draw(plain, plain.Rect, image.NewUniform(shade), image.Point{}, draw.Src)
		before[i] = asJPEG(plain)
	}
	files, kinds := everyKind(t), map[string]int{}
	formatOf := func(file []byte) string { return must(inspect(file, DefaultConfig())).format }
	for _, file := range files {
		kinds[formatOf(file)]++
	}
	for name, file := range files {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			flips := perFormat / kinds[formatOf(file)]
			p := newPreprocessor(t) // used by one goroutine, so it keeps one scratch
			random := rand.New(rand.NewPCG(3, uint64(len(file))))
			answered := 0
			for range flips {
				damaged := repairCRCs(flipped(file, 1+random.IntN(32), random))
				var answers [2][]byte
				var refusals [2]error
				for i := range before {
					tensor(t, p, before[i], s)
					answers[i] = make([]byte, s.Bytes())
					_, _, refusals[i] = p.Tensor(answers[i], damaged, s)
				}
				if (refusals[0] == nil) != (refusals[1] == nil) {
					t.Fatalf("after a black image: %v, after a white one: %v", refusals[0], refusals[1])
				}
				if !bytes.Equal(answers[0], answers[1]) {
					t.Fatal("the answer depends on the image before")
				}
				if refusals[0] == nil {
					answered++
				}
			}
			t.Logf("%d of %d have an answer", answered, flips)
		})
	}
}

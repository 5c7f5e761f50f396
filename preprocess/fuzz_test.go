package preprocess

import (
	"errors"
	"testing"

	"golang.org/x/image/tiff"

	"edgelens"
)

// addSeeds adds a valid and an invalid file of every kind to a fuzz target.
func addSeeds(f *testing.F) {
	for _, file := range validFiles() {
		f.Add(file)
	}
	img, plain := webpScene(), asPNG(webpScene())
	const xmp = `<a xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>`
	for _, file := range [][]byte{
		asGIF(img), asTIFF(img, nil), asTIFF(img, &tiff.Options{Compression: tiff.Deflate, Predictor: true}), runsBMP(8, 6),
		riff(vp8x(0x12, 9, 9), riffChunk("ANMF", anmf(0, 2, 8, 6, bitstream(webpLossy)))),
		insertChunk(plain, pngChunkOf("iTXt", []byte(xmpKeyword+"\x00\x00\x00\x00\x00"+xmp))),
		insertChunk(plain, pngChunkOf("tEXt", []byte("Raw profile type exif\x00\nexif\n 6\n457869660000"))),
		insertSegments(asJPEG(img), jpegSegmentOf(0xE1, []byte(xmpPrefix+xmp))),
		append([]byte("--frame\r\nContent-Type: image/png\r\n\r\n"), plain...), plain[:len(plain)-12], asJPEG(img)[:len(asJPEG(img))-2],
		lateTableJPEG(), warnedJPEG(16, 16),
	} {
		f.Add(file)
	}
	for _, some := range []map[string]refusal{badJPEGs(), badPNGs(), badWebPs(), badBMPs()} {
		for _, r := range some {
			if len(r.file) < 4096 {
				f.Add(r.file)
			}
		}
	}
}

// isRefusal reports whether err wraps a sentinel for bad images.
func isRefusal(err error) bool {
	return errors.Is(err, edgelens.ErrBadImage) || errors.Is(err, edgelens.ErrUnsupportedFormat) || errors.Is(err, edgelens.ErrNoImage) || errors.Is(err, edgelens.ErrTooLarge)
}

// For any bytes, inspect does not panic, and images that it passes are within the
// limits.
func FuzzInspect(f *testing.F) {
	addSeeds(f)
	limits := DefaultConfig()
	f.Fuzz(func(t *testing.T, file []byte) {
		h, err := inspect(file, limits)
		if err != nil {
			if !isRefusal(err) {
				t.Errorf("a refusal of no kind: %v", err)
			}
			return
		}
		if h.width < 1 || h.height < 1 || h.width > limits.MaxSide || h.height > limits.MaxSide ||
			int64(h.width)*int64(h.height) > limits.MaxPixels || h.orientation < 1 || h.orientation > 8 || h.format == "" {
			t.Errorf("passed %+v", h)
		}
	})
}

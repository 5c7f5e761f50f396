package sandbox

import (
	"bytes"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"

	"edgelens"
	"edgelens/models"
	"edgelens/preprocess"
)

// tinyWebP is a lossless WebP of one pixel.
const tinyWebP = "RIFF\x1C\x00\x00\x00WEBPVP8L\x10\x00\x00\x00\x2F\x00\x00\x00\x00\x88\x88\x08\x00\x00\x00\x00\x00\x00\x00\x00"

// warmUp decodes an image of each format. Libraries load, allocate and look up what they do
// once, and what a confined process cannot.
func warmUp() error {
	p, err := preprocess.New(preprocess.DefaultConfig())
	if err != nil {
		return err
	}
	defer p.Close()
	img := image.NewRGBA(image.Rect(0, 0, 24, 16))
	files := [][]byte{[]byte(tinyWebP)}
	for _, encode := range []func(*bytes.Buffer) error{
		func(b *bytes.Buffer) error { return jpeg.Encode(b, img, nil) },
		func(b *bytes.Buffer) error { return png.Encode(b, img) },
		func(b *bytes.Buffer) error { return gif.Encode(b, img, nil) },
		func(b *bytes.Buffer) error { return tiff.Encode(b, img, nil) },
		func(b *bytes.Buffer) error { return bmp.Encode(b, img) },
	} {
		var file bytes.Buffer
		if err := encode(&file); err != nil {
			return fmt.Errorf("warm up: %w", err)
		}
		files = append(files, file.Bytes())
	}
	for _, channels := range []int{3, 1} {
		spec, err := models.NewInputSpec(models.TensorSpec{Shape: []int{1, 20, 10, channels}, DType: models.Uint8}, nil)
		if err != nil {
			return fmt.Errorf("warm up: %w", err)
		}
		tensor := make([]byte, spec.Bytes())
		for _, file := range files {
			for _, fit := range edgelens.Fits() {
				if _, err := p.Tensors(file, models.InputBuffer{Spec: spec, View: edgelens.View{Fit: fit}, Bytes: tensor}); err != nil {
					return fmt.Errorf("warm up: %w", err)
				}
			}
		}
	}
	return nil
}

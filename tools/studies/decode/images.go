package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"

	"golang.org/x/image/draw"

	"edgelens/models/rewrite"
	"edgelens/tools/studies/study"
)

// decodeImage is a JPEG to decode in full and reduced.
type decodeImage struct {
	name string
	file []byte
	// size is "WIDTHxHEIGHT", or asItIs for a given file, and strength
	// the name of that of the variant.
	size, strength string
	// detailed is false for images that were enlarged, and are soft.
	detailed bool
	// control is the same variant at a slightly lower quality; nil for a file as it is.
	control []byte
}

const asItIs = "as it is"

const (
	minQuality, maxQuality = 60, 95
	// controlSteps is by how much the quality of the control is lower: a negligible
	// change, for comparison.
	controlSteps = 3
)

// decodeImages calls use with JPEGs made of the image in a file: itself, if
// it is one, and variants of each strength in each size. Equal seeds give equal
// images; their JPEG quality is random, chroma is subsampled (4:2:0).
func decodeImages(ctx context.Context, path string, sizes []image.Point, variants int, seed uint64, use func(decodeImage) error) error {
	name := filepath.Base(path)
	file, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	image, format, err := image.Decode(bytes.NewReader(file))
	if err != nil {
		return fmt.Errorf("decode %s: %w", path, err)
	}
	if format == "jpeg" {
		if err := use(decodeImage{name: name, file: file, size: asItIs, strength: asItIs, detailed: true}); err != nil {
			return err
		}
	}
	square := squared(image)
	quality := rand.New(rand.NewPCG(seed, 1))
	for _, size := range sizes {
		for _, strength := range study.Strengths {
			for i, pixels := range rewrite.Variants(square, size.X, size.Y, variants, strength.Strength, seed) {
				if err := ctx.Err(); err != nil {
					return err
				}
				p := decodeImage{
					name: fmt.Sprintf("%s, %s %d", name, strength.Name, i), size: sizeText(size), strength: strength.Name,
					detailed: image.Bounds().Dx() >= size.X && image.Bounds().Dy() >= size.Y,
				}
				q := minQuality + quality.IntN(maxQuality-minQuality+1)
				p.file, err = rgbAsJPEG(pixels, size, q)
				var worse error
				p.control, worse = rgbAsJPEG(pixels, size, q-controlSteps)
				if err := errors.Join(err, worse); err != nil {
					return err
				}
				if err := use(p); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func sizeText(size image.Point) string { return fmt.Sprintf("%dx%d", size.X, size.Y) }

// squared stretches the shorter side of an image to the longer one: variants
// are made of squares, and are stretched back when they get their size.
func squared(img image.Image) image.Image {
	b := img.Bounds()
	side := max(b.Dx(), b.Dy())
	square := image.NewRGBA(image.Rect(0, 0, side, side))
	draw.BiLinear.Scale(square, square.Rect, img, b, draw.Src, nil)
	return square
}

// rgbAsJPEG encodes RGB pixels, one byte a channel.
func rgbAsJPEG(pixels []byte, size image.Point, quality int) ([]byte, error) {
	img := image.NewRGBA(image.Rectangle{Max: size})
	for i := range size.X * size.Y {
		copy(img.Pix[4*i:], pixels[3*i:3*i+3])
		img.Pix[4*i+3] = 255
	}
	var file bytes.Buffer
	err := jpeg.Encode(&file, img, &jpeg.Options{Quality: quality})
	return file.Bytes(), err
}

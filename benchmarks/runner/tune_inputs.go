package runner

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"

	"edgelens/benchmarks/suite"
	"edgelens/models"
	"edgelens/models/rewrite"
	"edgelens/preprocess"
)

// The number of images that answers are compared on: scenes are generated where fewer are given, and more than
// maxInputs would take long on a slow board.
const (
	minInputs = 32
	maxInputs = 256
)

// writeInputs writes images as tensors of a model and as those of its float32 variant, one behind the other, and
// returns the two files.
func writeInputs(dir string, model models.Model, config preprocess.Config, images []suite.Image) (own, float32s string, err error) {
	spec, err := model.InputOf(model.Facts)
	if err != nil {
		return "", "", err
	}
	preprocessor, err := preprocess.New(config)
	if err != nil {
		return "", "", err
	}
	defer func() { err = errors.Join(err, preprocessor.Close()) }()
	images = images[:min(len(images), maxInputs)]
	if missing := minInputs - len(images); missing > 0 {
		scenes, err := sceneImages(spec.Width, spec.Height, missing)
		if err != nil {
			return "", "", err
		}
		images = append(images[:len(images):len(images)], scenes...)
	}
	var tensors, reals []byte
	values := make([]float32, spec.Elements())
	for _, image := range images {
		tensor := make([]byte, spec.Bytes())
		if _, _, err := preprocessor.Tensor(tensor, image.Data, spec); err != nil {
			return "", "", fmt.Errorf("--images: %s: %w", image.Name, err)
		}
		if err := spec.Dequantize(values, tensor); err != nil {
			return "", "", err
		}
		real := make([]byte, models.Float32.Size()*len(values))
		for i, v := range values {
			models.PutFloat32(real[models.Float32.Size()*i:], v)
		}
		tensors, reals = append(tensors, tensor...), append(reals, real...)
	}
	own, float32s = filepath.Join(dir, "inputs"), filepath.Join(dir, "inputs-float32")
	return own, float32s, errors.Join(os.WriteFile(own, tensors, 0o600), os.WriteFile(float32s, reals, 0o600))
}

// sceneImages returns generated images of the size of a model's input.
func sceneImages(width, height, n int) ([]suite.Image, error) {
	var images []suite.Image
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	for i, rgb := range rewrite.Scenes(width, height, n) {
		canvas := image.NewNRGBA(image.Rect(0, 0, width, height))
		for k := range width * height {
			copy(canvas.Pix[4*k:], rgb[3*k:3*k+3])
			canvas.Pix[4*k+3] = 255
		}
		var data bytes.Buffer
		if err := encoder.Encode(&data, canvas); err != nil {
			return nil, fmt.Errorf("generate an image: %w", err)
		}
		images = append(images, suite.Image{Name: fmt.Sprintf("scene %d", i), Data: data.Bytes()})
	}
	return images, nil
}

package kernelcheck

import (
	"bytes"
	"testing"

	"edgelens/models"
)

func spec(t *testing.T, dtype models.DType, width, height, channels int) models.InputSpec {
	t.Helper()
	tensor := models.TensorSpec{Shape: []int{1, height, width, channels}, DType: dtype}
	switch dtype {
	case models.Uint8:
		tensor.Scale, tensor.ZeroPoint = 1/127.5, 127
	case models.Int8:
		tensor.Scale, tensor.ZeroPoint = 1/127.5, -1
	}
	in, err := models.NewInputSpec(tensor, nil)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// Every sample fills all of a tensor of any type and size, with the same bytes each time, and
// no two samples are alike.
func TestSamplesFillTensors(t *testing.T) {
	if len(samples) > 10 {
		t.Fatalf("%d samples: the reference kernels would run more than ten times", len(samples))
	}
	for _, in := range []models.InputSpec{
		spec(t, models.Uint8, 224, 224, 3), spec(t, models.Int8, 96, 64, 3), spec(t, models.Float32, 32, 48, 3),
		spec(t, models.Uint8, 28, 28, 1), spec(t, models.Uint8, 1, 1, 3), spec(t, models.Float32, 300, 520, 1),
	} {
		var filled [][]byte
		again := drawings(in)
		for i, d := range drawings(in) {
			first, second := bytes.Repeat([]byte{0xAA}, in.Bytes()), bytes.Repeat([]byte{0x55}, in.Bytes())
			d.fill(in, first)
			again[i].fill(in, second)
			if !bytes.Equal(first, second) {
				t.Errorf("%s at %v %v: two drawings differ, or part of the tensor is not filled", samples[i].name, in.Shape, in.DType)
			}
			for k, other := range filled {
				if in.Width > 1 && bytes.Equal(first, other) {
					t.Errorf("%s and %s are alike at %v", samples[i].name, samples[k].name, in.Shape)
				}
			}
			filled = append(filled, first)
		}
	}
}

// Pixels are normalized as images are.
func TestSampleValues(t *testing.T) {
	for _, in := range []models.InputSpec{spec(t, models.Uint8, 8, 8, 3), spec(t, models.Int8, 8, 8, 3), spec(t, models.Float32, 8, 8, 3)} {
		d := samples[0].draw(8, 8)
		tensor := make([]byte, in.Bytes())
		d.fill(in, tensor)
		values := make([]float32, in.Elements())
		if err := in.Dequantize(values, tensor); err != nil {
			t.Fatal(err)
		}
		for i, v := range values {
			if want := (float32(d.pixels[i]) - 127.5) / 127.5; v < want-0.009 || v > want+0.009 {
				t.Fatalf("%v: element %d is %v for a pixel of %d, want %v", in.DType, i, v, d.pixels[i], want)
			}
		}
	}
}

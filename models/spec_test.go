package models_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"edgelens"
	"edgelens/models"
)

func TestNewInputSpec(t *testing.T) {
	tensor := func(dtype models.DType, shape ...int) models.TensorSpec {
		return models.TensorSpec{Name: "in", Shape: shape, DType: dtype}
	}
	for name, tc := range map[string]struct {
		tensor models.TensorSpec
		norm   *models.Normalization
		want   string // in the error; empty for none
	}{
		"color":         {tensor(models.Uint8, 1, 96, 128, 3), nil, ""},
		"gray":          {tensor(models.Float32, 1, 28, 28, 1), uniform(0, 255), ""},
		"batch":         {tensor(models.Uint8, 2, 8, 8, 3), nil, "shape [2 8 8 3]"},
		"a vector":      {tensor(models.Uint8, 1, 3), nil, "shape [1 3]"},
		"channel first": {tensor(models.Uint8, 1, 3, 8, 8), nil, "channels first (NCHW"},
		"five channels": {tensor(models.Uint8, 1, 8, 8, 5), nil, "neither 3 channels"},
		"empty":         {tensor(models.Uint8, 1, 0, 8, 3), nil, "8x0 pixels"},
		"huge":          {tensor(models.Uint8, 1, 8, 4097, 3), nil, "4097x8 pixels"},
		"dtype":         {tensor(models.InvalidDType, 1, 8, 8, 3), nil, "not uint8, int8 or float32"},
		"std of 0":      {tensor(models.Uint8, 1, 8, 8, 3), &models.Normalization{}, "std of 0"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := models.NewInputSpec(tc.tensor, tc.norm)
			if tc.want != "" {
				if !errors.Is(err, edgelens.ErrModel) || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("got %v, want ErrModel with %q", err, tc.want)
				}
				return
			}
			want := models.InputSpec{
				TensorSpec: tc.tensor, Normalization: models.DefaultNormalization, NormalizationFrom: models.FromDefault,
				Height: tc.tensor.Shape[1], Width: tc.tensor.Shape[2], Channels: tc.tensor.Shape[3],
			}
			if tc.norm != nil {
				want.Normalization, want.NormalizationFrom = *tc.norm, models.FromManifest
			}
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, %v\nwant %+v", got, err, want)
			}
		})
	}
}

func TestTensorSpec(t *testing.T) {
	for dtype, want := range map[models.DType]struct {
		name  string
		bytes int
	}{
		models.Uint8: {"uint8", 192}, models.Int8: {"int8", 192}, models.Float32: {"float32", 768}, models.InvalidDType: {"invalid", 0},
	} {
		spec := models.TensorSpec{Name: "in", Shape: []int{1, 8, 8, 3}, DType: dtype, Scale: 0.5, ZeroPoint: -1}
		if spec.Elements() != 192 || spec.Bytes() != want.bytes {
			t.Errorf("%v: %d elements, %d bytes", dtype, spec.Elements(), spec.Bytes())
		}
		public := spec.Public()
		if !reflect.DeepEqual(public, &edgelens.Tensor{Name: "in", Shape: []int{1, 8, 8, 3}, DType: want.name, Scale: 0.5, ZeroPoint: -1}) {
			t.Errorf("public: %+v", public)
		}
		if public.Shape[0] = 7; spec.Shape[0] != 1 {
			t.Error("the public shape is shared")
		}
	}
}

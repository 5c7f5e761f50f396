package models_test

import (
	"fmt"
	"strings"
	"testing"

	"edgelens"
	"edgelens/models"
	"edgelens/models/modeltest"
)

// An 8-bit input's quantization implies its range.
func TestNormalizationByQuantization(t *testing.T) {
	for name, tc := range map[string]struct {
		dtype models.DType
		scale float64
		zero  int
		want  models.Normalization
		from  models.NormalizationSource
	}{
		"0 to 1, uint8":              {models.Uint8, 1.0 / 255, 0, models.Uniform(0, 255), models.FromQuantization},
		"0 to 1, of 256":             {models.Uint8, 1.0 / 256, 0, models.Uniform(0, 255), models.FromQuantization},
		"0 to 1, int8":               {models.Int8, 1.0 / 255, -128, models.Uniform(0, 255), models.FromQuantization},
		"0 to 255, uint8":            {models.Uint8, 1, 0, models.Uniform(0, 1), models.FromQuantization},
		"0 to 255, int8":             {models.Int8, 1, -128, models.Uniform(0, 1), models.FromQuantization},
		"-128 to 127":                {models.Int8, 1, 0, models.Uniform(128, 1), models.FromQuantization},
		"-1 to 1, uint8":             {models.Uint8, 0.0078125, 128, models.Uniform(127.5, 127.5), models.FromQuantization},
		"-1 to 1, int8":              {models.Int8, 1 / 127.5, -1, models.Uniform(127.5, 127.5), models.FromQuantization},
		"samples without white":      {models.Int8, 0.95 / 255, -128, models.Uniform(0, 255), models.FromQuantization},
		"samples without black":      {models.Uint8, 1.95 / 255, 124, models.Uniform(127.5, 127.5), models.FromQuantization},
		"ImageNet's, bytes as is":    {models.Uint8, 0.0186, 114, models.Uniform(114, 1/0.0186), models.FromQuantization},
		"ImageNet's int8, as is":     {models.Int8, 0.0186, -14, models.Uniform(114, 1/0.0186), models.FromQuantization},
		"no scale":                   {models.Uint8, 0, 0, models.DefaultNormalization, models.FromDefault},
		"float32":                    {models.Float32, 0, 0, models.DefaultNormalization, models.FromDefault},
		"float32 with a stray scale": {models.Float32, 1, 0, models.DefaultNormalization, models.FromDefault},
	} {
		spec, err := models.NewInputSpec(models.TensorSpec{Shape: []int{1, 8, 8, 3}, DType: tc.dtype, Scale: tc.scale, ZeroPoint: tc.zero}, nil)
		if err != nil || spec.Normalization != tc.want || spec.NormalizationFrom != tc.from {
			t.Errorf("%s: %v from %s, %v; want %v", name, spec.Normalization, spec.NormalizationFrom, err, tc.want)
		}
	}
}

// Manifest before metadata before quantization before the default; unusable
// metadata is a problem.
func TestNormalizationSources(t *testing.T) {
	f := func(v ...float32) []float32 { return v }
	whole := modeltest.TensorMetadata(f(1, 2, 3), f(4, 5, 6))
	byte8 := modeltest.Brightness{Input: models.Uint8, Scale: 1}
	for name, tc := range map[string]struct {
		model    modeltest.Brightness
		metadata []byte
		manifest string
		want     string // "" where the model is refused
		problem  string
	}{
		"default":                 {modeltest.Brightness{}, nil, "", "[127.5] [127.5] default", ""},
		"quantization":            {byte8, nil, "", "[0] [1] quantization", ""},
		"metadata":                {byte8, whole, "", "[1 2 3] [4 5 6] metadata", ""},
		"metadata, one value":     {modeltest.Brightness{}, modeltest.TensorMetadata(f(0), f(255)), "", "[0] [255] metadata", ""},
		"metadata, mixed":         {modeltest.Brightness{}, modeltest.TensorMetadata(f(1, 2, 3), f(255)), "", "[1 2 3] [255] metadata", ""},
		"metadata without":        {modeltest.Brightness{}, modeltest.TensorMetadata(nil, nil, "labels.txt"), "", "[127.5] [127.5] default", ""},
		"manifest":                {byte8, whole, "input: {mean: 7, std: 8}", "[7] [8] manifest", ""},
		"manifest, per channel":   {byte8, whole, "input: {mean: [7, 8, 9], std: [1, 2.5, 3]}", "[7 8 9] [1 2.5 3] manifest", ""},
		"manifest, half":          {byte8, nil, "input: {mean: [7, 8, 9], std: 2}", "[7 8 9] [2] manifest", ""},
		"std of 0":                {modeltest.Brightness{}, modeltest.TensorMetadata(f(0), f(0)), "", "", "divides by a std of 0"},
		"two means":               {modeltest.Brightness{}, modeltest.TensorMetadata(f(0, 1), f(1)), "", "", "2 means"},
		"no std":                  {modeltest.Brightness{}, modeltest.TensorMetadata(f(0), nil), "", "", "0 stds"},
		"not metadata":            {modeltest.Brightness{}, []byte("something else"), "", "", "format M001"},
		"damaged":                 {modeltest.Brightness{}, whole[:len(whole)-8], "", "", "is damaged"},
		"damaged, but stated":     {modeltest.Brightness{}, whole[:len(whole)-8], "input: {mean: 7, std: 8}", "[7] [8] manifest", ""},
		"unusable, but stated":    {modeltest.Brightness{}, modeltest.TensorMetadata(f(0), f(0)), "input: {mean: 7, std: 8}", "[7] [8] manifest", ""},
		"stated without a number": {modeltest.Brightness{}, whole, "description: text", "[1 2 3] [4 5 6] metadata", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			tc.model.Labels, tc.model.Metadata = modeltest.BrightnessLabels(), tc.metadata
			file := tc.model.File()
			write(t, dir, "m.tflite", file)
			if tc.manifest != "" {
				write(t, dir, "manifest.yaml", fmt.Appendf(nil, "models:\n- {name: m, file: m.tflite, sha256: %s, size: %d, %s}\n", hexSum(file), len(file), tc.manifest))
			}
			l := listed(t, open(t, dir), "m")
			if tc.want == "" {
				if l.State != edgelens.ModelFailed || !strings.Contains(l.Problem, tc.problem) || !strings.Contains(l.Problem, "manifest.yaml") {
					t.Errorf("%s %q, want %q", l.State, l.Problem, tc.problem)
				}
				return
			}
			input, err := l.InputOf(l.Facts)
			if err != nil || l.State != edgelens.ModelAvailable {
				t.Fatalf("%s %q, %v", l.State, l.Problem, err)
			}
			n := input.PublicNormalization()
			if got := fmt.Sprint(n.Mean, " ", n.Std, " ", n.Source); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestManifestNormalizationErrors(t *testing.T) {
	for input, want := range map[string]string{
		"{mean: [1, 2], std: 1}":    "list of three numbers",
		"{mean: [1, a, 3], std: 1}": "list of three numbers",
		"{mean: 1, std: [1, 0, 1]}": "other than 0",
		"{mean: {r: 1}, std: 1}":    "wrong type",
		"{std: 1}":                  "mean: is missing",
	} {
		_, err := models.ParseManifest(fmt.Appendf(nil, "models:\n- {name: m, file: m.tflite, sha256: %064d, size: 1, input: %s}\n", 0, input))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", input, err, want)
		}
	}
}

// Everything that determines the result besides the file is in the variant, which is
// part of the cache key.
func TestVariants(t *testing.T) {
	base := func() models.Spec {
		return models.Spec{Model: models.Model{Labels: []string{"a", "b"}}, Input: models.InputSpec{Normalization: models.DefaultNormalization}, Activation: models.ActivationLogits}
	}
	seen := map[string]string{}
	for name, change := range map[string]func(*models.Spec){
		"as it is": func(*models.Spec) {}, "mean": func(s *models.Spec) { s.Input.Mean[2] = 1 }, "std": func(s *models.Spec) { s.Input.Std[0] = 1 },
		"activation": func(s *models.Spec) { s.Activation = models.ActivationProbabilities },
		"labels":     func(s *models.Spec) { s.Labels = []string{"a", "c"} }, "split labels": func(s *models.Spec) { s.Labels = []string{"a b"} },
	} {
		s := base()
		change(&s)
		s.SetVariant()
		if other := seen[s.Variant]; other != "" || s.Variant == "" {
			t.Errorf("%s has the variant of %s, %q", name, other, s.Variant)
		}
		seen[s.Variant] = name
	}
}

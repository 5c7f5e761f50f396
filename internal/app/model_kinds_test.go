//go:build cgo

package app

import (
	"math"
	"strings"
	"testing"

	"edgelens/models"
	"edgelens/models/modeltest"
	"edgelens/models/tflitefile"
)

// brightnessOf recognizes the three grays with a model and returns the best label and its probability for each.
func (s *service) brightnessOf(model string) (labels []string, scores []float64) {
	s.t.Helper()
	for _, class := range modeltest.BrightnessLabels() {
		a := s.form(path+"?cache=false&top_k=9&model="+model, modeltest.Gray(class))
		if a.status != 200 || len(a.Predictions) == 0 {
			return nil, nil
		}
		labels, scores = append(labels, a.Predictions[0].Label), append(scores, a.Predictions[0].Probability)
	}
	return labels, scores
}

// Whatever representation the scores have, they become the model's probabilities.
func TestScores(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	softmax := func(x ...float64) float64 { // of the first
		sum := 0.0
		for _, v := range x {
			sum += math.Exp(v)
		}
		return math.Exp(x[0]) / sum
	}
	dark := 40.0 / 255
	mild := func(last tflitefile.BuiltinOperator) modeltest.Brightness {
		return modeltest.Brightness{Last: last, Slopes: []float64{-4, 0, 4}, Offsets: []float64{2, 0.4, -2}}
	}
	named := func(b modeltest.Brightness) modeltest.Brightness { b.Labels = modeltest.BrightnessLabels(); return b }
	single := func(last tflitefile.BuiltinOperator) modeltest.Brightness {
		return modeltest.Brightness{Last: last, Slopes: []float64{8}, Offsets: []float64{-4}, Labels: []string{"dark", "bright"}}
	}
	quantized := func(b modeltest.Brightness, t models.DType, scale float64, zero int) modeltest.Brightness {
		b.Output, b.OutputScale, b.OutputZero = t, scale, zero
		return b
	}
	shaped := func(b modeltest.Brightness, shape ...int) modeltest.Brightness { b.OutputShape = shape; return b }
	ofSoftmax := softmax(2-4*dark, .4, 4*dark-2)
	s := start(t, c)
	for name, tc := range map[string]struct {
		model modeltest.Brightness
		want  float64 // of dark, for the dark image; bright is as likely for the bright one
	}{
		"softmax":                     {named(mild(tflitefile.Softmax)), ofSoftmax},
		"softmax_1x1x1x3":             {named(shaped(mild(tflitefile.Softmax), 1, 1, 1, 3)), ofSoftmax},
		"softmax_int8_1_128":          {named(quantized(mild(tflitefile.Softmax), models.Int8, 1.0/128, 0)), ofSoftmax},
		"softmax_uint8_1_255":         {named(quantized(mild(tflitefile.Softmax), models.Uint8, 1.0/255, 0)), ofSoftmax},
		"sigmoids":                    {named(mild(tflitefile.Logistic)), sigmoid(2 - 4*dark)},
		"sigmoids_uint8":              {named(quantized(mild(tflitefile.Logistic), models.Uint8, 1.0/200, 0)), sigmoid(2 - 4*dark)},
		"logits":                      {named(mild(modeltest.NoActivation)), ofSoftmax},
		"logits_int8":                 {named(quantized(mild(modeltest.NoActivation), models.Int8, 0.05, 0)), ofSoftmax},
		"one_sigmoid":                 {single(tflitefile.Logistic), 1 - sigmoid(8*dark-4)},
		"one_sigmoid_1x1x1x1":         {shaped(single(tflitefile.Logistic), 1, 1, 1, 1), 1 - sigmoid(8*dark-4)},
		"one_probability_not_by_name": {modeltest.Brightness{Last: modeltest.NoActivation, Slopes: []float64{.8}, Offsets: []float64{.1}, Labels: []string{"dark", "bright"}}, 1 - (.8*dark + .1)},
	} {
		t.Run(name, func(t *testing.T) {
			put(t, c, name+".tflite", tc.model.File())
			a := s.form(path+"?top_k=9&model="+name, modeltest.Gray("dark"))
			if a.status != 200 || a.Predictions[0].Label != "dark" || math.Abs(a.Predictions[0].Probability-tc.want) > 0.01 {
				t.Errorf("%d %s, want dark %.3f", a.status, a.body, tc.want)
			}
			b := s.form(path+"?top_k=9&model="+name, modeltest.Gray("bright"))
			if b.status != 200 || b.Predictions[0].Label != "bright" {
				t.Errorf("%d %s, want bright", b.status, b.body)
			}
		})
	}
	t.Run("one_number", func(t *testing.T) {
		put(t, c, "one_number.tflite", single(modeltest.NoActivation).File())
		a := s.form(path+"?model=one_number", modeltest.Gray("dark"))
		if a.status != 500 || !strings.Contains(a.Detail, "measure something") || !strings.Contains(a.Detail, "output: logits") {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
}

// Each model gets input as it was trained, wherever that is documented, and the API reports the source.
func TestNormalizations(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	imagenet := [2][3]float64{{123.675, 116.28, 103.53}, {58.395, 57.12, 57.375}}
	floats := func(v [3]float64) []float32 { return []float32{float32(v[0]), float32(v[1]), float32(v[2])} }
	uniform := func(v float64) [3]float64 { return [3]float64{v, v, v} }
	s := start(t, c)
	for name, tc := range map[string]struct {
		model  modeltest.Brightness
		source string
	}{
		"default":       {modeltest.Brightness{}, "default"},
		"metadata_0_1":  {modeltest.Brightness{Mean: uniform(0), Std: uniform(255), Metadata: modeltest.TensorMetadata([]float32{0}, []float32{255})}, "metadata"},
		"metadata_each": {modeltest.Brightness{Mean: imagenet[0], Std: imagenet[1], Metadata: modeltest.TensorMetadata(floats(imagenet[0]), floats(imagenet[1]))}, "metadata"},
		"uint8_0_1":     {modeltest.Brightness{Mean: uniform(0), Std: uniform(255), Input: models.Uint8, Scale: 1.0 / 255}, "quantization"},
		"int8_0_1":      {modeltest.Brightness{Mean: uniform(0), Std: uniform(255), Input: models.Int8, Scale: 1.0 / 255, ZeroPoint: -128}, "quantization"},
		"uint8_0_255":   {modeltest.Brightness{Mean: uniform(0), Std: uniform(1), Input: models.Uint8, Scale: 1}, "quantization"},
		"int8_caffe":    {modeltest.Brightness{Mean: uniform(128), Std: uniform(1), Input: models.Int8, Scale: 1}, "quantization"},
		"uint8_metadata": {modeltest.Brightness{Mean: uniform(100), Std: uniform(200), Input: models.Uint8, Scale: 0.006, ZeroPoint: 100,
			Metadata: modeltest.TensorMetadata([]float32{100}, []float32{200})}, "metadata"},
		"uint8_imagenet": {modeltest.Brightness{Mean: uniform(114), Std: uniform(56), Input: models.Uint8, Scale: 1.0 / 56, ZeroPoint: 114}, "quantization"},
	} {
		tc.model.Labels = modeltest.BrightnessLabels()
		put(t, c, name+".tflite", tc.model.File())
		labels, scores := s.brightnessOf(name)
		if strings.Join(labels, " ") != "dark middle bright" || len(scores) != 3 || min(scores[0], scores[1], scores[2]) < 0.9 {
			t.Errorf("%s: %v %v", name, labels, scores)
		}
		if a := s.get("/api/models/" + name); !strings.Contains(string(a.body), `"source":"`+tc.source+`"`) {
			t.Errorf("%s: %s", name, a.body)
		}
	}
}

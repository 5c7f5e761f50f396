package rewrite_test

import (
	"errors"
	"testing"

	"edgelens"
	"edgelens/models/modeltest"
	"edgelens/models/rewrite"
	"edgelens/models/tflitefile"
)

func FuzzRewrite(f *testing.F) {
	for _, typ := range []tflitefile.TensorType{tflitefile.Uint8, tflitefile.Int8, tflitefile.Float32} {
		f.Add(modeltest.Network(typ))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := tflitefile.Read(data)
		if err != nil {
			return
		}
		for _, f := range []func(*tflitefile.Model) (*tflitefile.Model, error){rewrite.Requantize, rewrite.Dequantize} {
			other, err := f(m)
			if err == nil {
				_, err = other.Write()
			}
			if err != nil && !errors.Is(err, edgelens.ErrModel) {
				t.Errorf("not ErrModel: %v", err)
			}
		}
	})
}

//go:build cgo

package modeltest_test

import (
	"encoding/binary"
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/mattn/go-tflite"

	"edgelens/models"
	"edgelens/models/modeltest"
)

// load opens a model with the real TFLite; nil if that rejects it.
func load(t *testing.T, file []byte) *tflite.Interpreter {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.tflite")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	model := tflite.NewModelFromFile(path)
	if model == nil {
		return nil
	}
	t.Cleanup(model.Delete)
	options := tflite.NewInterpreterOptions()
	t.Cleanup(options.Delete)
	options.SetNumThread(1)
	interpreter := tflite.NewInterpreter(model, options)
	if interpreter == nil {
		return nil
	}
	t.Cleanup(interpreter.Delete)
	if status := interpreter.AllocateTensors(); status != tflite.OK {
		t.Fatalf("AllocateTensors: %v", status)
	}
	return interpreter
}

func elements(t *tflite.Tensor) int {
	n := 1
	for _, d := range t.Shape() {
		n *= d
	}
	return n
}

func fill(t *testing.T, in *tflite.Tensor, c color.RGBA) {
	t.Helper()
	data := make([]byte, in.ByteSize())
	channels := [3]uint8{c.R, c.G, c.B}
	for i := range elements(in) {
		switch p := channels[i%3]; in.Type() {
		case tflite.UInt8:
			data[i] = p
		case tflite.Int8:
			data[i] = byte(int(p) - 128)
		case tflite.Float32:
			binary.LittleEndian.PutUint32(data[4*i:], math.Float32bits((float32(p)-127.5)/127.5))
		default:
			t.Fatalf("the input is %v", in.Type())
		}
	}
	if status := in.CopyFromBuffer(&data[0]); status != tflite.OK {
		t.Fatalf("CopyFromBuffer: %v", status)
	}
}

func read(t *testing.T, out *tflite.Tensor) []float64 {
	t.Helper()
	data := make([]byte, out.ByteSize())
	if status := out.CopyToBuffer(&data[0]); status != tflite.OK {
		t.Fatalf("CopyToBuffer: %v", status)
	}
	q := out.QuantizationParams()
	values := make([]float64, elements(out))
	for i := range values {
		switch out.Type() {
		case tflite.UInt8:
			values[i] = q.Scale * float64(int(data[i])-q.ZeroPoint)
		case tflite.Int8:
			values[i] = q.Scale * float64(int(int8(data[i]))-q.ZeroPoint)
		case tflite.Float32:
			values[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:])))
		}
	}
	return values
}

func TestMeanRunsInTFLite(t *testing.T) {
	types := map[string]struct {
		opts modeltest.Options
		want tflite.TensorType
	}{
		"float32":           {modeltest.Options{DType: models.Float32}, tflite.Float32},
		"uint8":             {modeltest.Options{DType: models.Uint8}, tflite.UInt8},
		"int8":              {modeltest.Options{DType: models.Int8}, tflite.Int8},
		"uint8 int8 inside": {modeltest.Options{DType: models.Uint8, Int8Inside: true}, tflite.UInt8},
	}
	colors := []color.RGBA{modeltest.Red, modeltest.Green, modeltest.Blue, {R: 200, G: 100, B: 10, A: 255}}
	for name, typ := range types {
		for _, softmax := range []bool{false, true} {
			for _, side := range []int{1, 8, 224} {
				t.Run(fmt.Sprintf("%s/softmax=%v/%d", name, softmax, side), func(t *testing.T) {
					opts := typ.opts
					opts.Side, opts.Softmax, opts.Labels = side, softmax, modeltest.Labels()
					interpreter := load(t, modeltest.Mean(opts))
					if interpreter == nil {
						t.Fatal("TFLite refused the model")
					}
					in, out := interpreter.GetInputTensor(0), interpreter.GetOutputTensor(0)
					if got := fmt.Sprint(in.Shape(), out.Shape(), in.Type(), out.Type()); got != fmt.Sprintf("[1 %d %d 3] [1 3] %v %v", side, side, typ.want, typ.want) {
						t.Fatalf("tensors are %s", got)
					}
					for _, c := range colors {
						fill(t, in, c)
						if status := interpreter.Invoke(); status != tflite.OK {
							t.Fatalf("Invoke: %v", status)
						}
						got, want := read(t, out), expected(c, softmax)
						for class := range want {
							// Half a pixel of input offset and the steps of the scales.
							if math.Abs(got[class]-want[class]) > 2.0/127.5 {
								t.Errorf("%v: got %.3f, want %.3f", c, got, want)
								break
							}
						}
					}
				})
			}
		}
	}
}

// expected is what the graph computes in real numbers.
func expected(c color.RGBA, softmax bool) []float64 {
	values := make([]float64, 3)
	sum := 0.0
	for i, p := range []uint8{c.R, c.G, c.B} {
		values[i] = (float64(p) - 127.5) / 127.5
		sum += math.Exp(values[i])
	}
	if softmax {
		for i := range values {
			values[i] = math.Exp(values[i]) / sum
		}
	}
	return values
}

func TestBrokenModelsInTFLite(t *testing.T) {
	t.Run("not loaded", func(t *testing.T) {
		for name, file := range map[string][]byte{
			"truncated": modeltest.Truncated(), "wrong identifier": modeltest.WrongIdentifier(),
		} {
			if load(t, file) != nil {
				t.Errorf("%s: TFLite loads it", name)
			}
		}
	})
	t.Run("two outputs", func(t *testing.T) {
		interpreter := load(t, modeltest.TwoOutputs(modeltest.Options{DType: models.Uint8}))
		if interpreter == nil || interpreter.GetOutputTensorCount() != 2 {
			t.Fatal("want a model with two outputs")
		}
		fill(t, interpreter.GetInputTensor(0), modeltest.Green)
		if status := interpreter.Invoke(); status != tflite.OK {
			t.Errorf("Invoke: %v", status)
		}
	})
	t.Run("not an image", func(t *testing.T) {
		interpreter := load(t, modeltest.NotAnImage())
		if interpreter == nil {
			t.Fatal("TFLite refused the model")
		}
		if got := fmt.Sprint(interpreter.GetInputTensor(0).Shape()); got != "[1 3]" {
			t.Errorf("input shape %s", got)
		}
		if status := interpreter.Invoke(); status != tflite.OK {
			t.Errorf("Invoke: %v", status)
		}
	})
	for name, dtype := range map[string]models.DType{"float32": models.Float32, "uint8": models.Uint8, "int8": models.Int8} {
		t.Run("failing Invoke "+name, func(t *testing.T) {
			interpreter := load(t, modeltest.FailingInvoke(modeltest.Options{DType: dtype}))
			if interpreter == nil {
				t.Fatal("TFLite refused the model")
			}
			for range 2 {
				if status := interpreter.Invoke(); status == tflite.OK {
					t.Error("Invoke did not fail")
				}
			}
		})
	}
}

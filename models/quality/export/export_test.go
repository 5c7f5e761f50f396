package main

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edgelens/models/tflitefile"
)

// small is a net of every kind of layer: 4 pixels a side, 2 classes.
func small() net {
	return net{Side: 4, Classes: []string{"good", "bad"}, Layers: []layer{
		{Op: "convolution", Inputs: []int{0}, Stride: 2, Relu6: true, Shape: []int{2, 3, 3, 3}, Weights: 0, Bias: 54, Range: [2]float64{0, 9}},
		{Op: "depthwise", Inputs: []int{1}, Stride: 1, Relu6: true, Shape: []int{1, 3, 3, 2}, Weights: 56, Bias: 74, Range: [2]float64{0, 3}},
		{Op: "convolution", Inputs: []int{2}, Stride: 1, Shape: []int{2, 1, 1, 2}, Weights: 76, Bias: 80, Range: [2]float64{-2, 2}},
		{Op: "add", Inputs: []int{1, 3}, Range: [2]float64{-2, 8}},
		{Op: "mean", Inputs: []int{4}, Range: [2]float64{-1, 1}},
		{Op: "dense", Inputs: []int{5}, Shape: []int{2, 2}, Weights: 82, Bias: 86, Range: [2]float64{-4, 4}},
		{Op: "softmax", Inputs: []int{6}},
	}}
}

// trained writes a net with some numbers as training/export.py does.
func trained(t *testing.T, n net, numbers int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "net")
	text, err := json.Marshal(map[string]any{"side": n.Side, "classes": n.Classes, "layers": n.Layers})
	if err != nil {
		t.Fatal(err)
	}
	var raw []byte
	for i := range numbers {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(float32(math.Sin(float64(i)))))
	}
	if err := os.WriteFile(path+".json", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".f32", raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestExportedModelCanBeRead(t *testing.T) {
	out := filepath.Join(t.TempDir(), "net.tflite")
	if err := export(trained(t, small(), 88), out); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	m, err := tflitefile.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	g := m.Main()
	if got, want := len(g.Operators), len(small().Layers)+2; got != want {
		t.Errorf("it has %d operators, want %d: the layers and a QUANTIZE at each end", got, want)
	}
	verdict := g.Tensors[g.Outputs[0]]
	if verdict.Type != tflitefile.Uint8 || verdict.Quantization.Scale[0] != 1.0/256 || verdict.Quantization.ZeroPoint[0] != 0 {
		t.Errorf("the output is %v, %+v", verdict.Type, verdict.Quantization)
	}
	if len(m.Files) != 1 || m.Files[0].Name != "labels.txt" {
		t.Errorf("the files in it are %v, want labels.txt", m.Files)
	}
}

func TestExportRejects(t *testing.T) {
	tests := map[string]struct {
		change  func(n *net)
		numbers int
		want    string
	}{
		"too few numbers":        {func(*net) {}, 80, "ends before"},
		"a layer of no kind":     {func(n *net) { n.Layers[4].Op = "magic" }, 88, "not supported"},
		"an input to come":       {func(n *net) { n.Layers[0].Inputs = []int{3} }, 88, "does not exist yet"},
		"two inputs":             {func(n *net) { n.Layers[0].Inputs = []int{0, 0} }, 88, "2 inputs"},
		"no stride":              {func(n *net) { n.Layers[0].Stride = 0 }, 88, "stride is 0"},
		"weights of another net": {func(n *net) { n.Layers[2].Shape = []int{2, 1, 1, 5} }, 99, "shape"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			n := small()
			test.change(&n)
			err := export(trained(t, n, test.numbers), filepath.Join(t.TempDir(), "out"))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v; want %q", err, test.want)
			}
		})
	}
}

// 0 must be exact, or the padding of a convolution is not.
func TestActivationRepresentsZero(t *testing.T) {
	for name, ends := range map[string][2]float64{"relu6": {0, 6}, "both signs": {-1.3, 2.9}, "above": {1, 4}, "below": {-4, -1}, "nothing": {0, 0}} {
		t.Run(name, func(t *testing.T) {
			scale, zero := activation(ends[0], ends[1])
			if zero < -128 || zero > 127 || !(scale > 0) {
				t.Fatalf("scale %g, zero point %d", scale, zero)
			}
			for _, v := range ends {
				q := math.Round(v/float64(scale)) + float64(zero)
				if q < -129 || q > 128 {
					t.Errorf("%g becomes %g, outside int8", v, q)
				}
			}
		})
	}
}

func TestWeightsRoundTripWithinHalfStep(t *testing.T) {
	values := []float32{0.5, -1, 0.25, 100, -3, 0}
	quantized, scales := weights(values, 2, func(i int) int { return i / 3 })
	for i, v := range values {
		scale := scales[i/3]
		if d := float64(v - scale*float32(int8(quantized[i]))); math.Abs(d) > float64(scale)/2*1.001 {
			t.Errorf("value %d: %g came back %g away, with steps of %g", i, v, d, scale)
		}
	}
}

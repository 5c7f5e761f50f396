package tflitefile_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"edgelens/internal/testutil"
	"edgelens/models"
	"edgelens/models/modeltest"
	"edgelens/models/tflitefile"
)

// testModels returns models that run, small ones and those that are used in
// tests but are not part of the project.
func testModels(t *testing.T) map[string][]byte {
	t.Helper()
	files := map[string][]byte{
		"mean float32": modeltest.Mean(modeltest.Options{Softmax: true}),
		"mean uint8":   modeltest.Mean(modeltest.Options{DType: models.Uint8, Softmax: true, Labels: modeltest.Labels()}),
		"int8 inside":  modeltest.Mean(modeltest.Options{DType: models.Uint8, Softmax: true, Int8Inside: true}),
	}
	for _, typ := range []tflitefile.TensorType{tflitefile.Float32, tflitefile.Uint8, tflitefile.Int8} {
		files["small "+typ.String()] = modeltest.Network(typ)
	}
	for _, name := range []string{"tf2_mobilenet_v2_1.0_224_ptq", "mobilenet_v2_1.0_224_quant", "mobilenet_v1_0.25_128_quant", "mobilenet_v1_1.0_224_quant_embedding_extractor"} {
		if file, ok := shared(t, name+".tflite"); ok {
			files[name] = file
		}
	}
	return files
}

func shared(t testing.TB, name string) ([]byte, bool) {
	t.Helper()
	dir := testutil.SharedFolder()
	if dir == "" {
		return nil, false
	}
	file, err := os.ReadFile(filepath.Join(dir, "models", name))
	if err != nil {
		t.Fatal(err)
	}
	return file, true
}

func ExampleModel_Write() {
	g := &tflitefile.Subgraph{Name: "main"}
	in := g.Add(&tflitefile.Tensor{Name: "image", Shape: []int{1, 8, 8, 3}, Type: tflitefile.Int8, Quantization: tflitefile.PerTensor(1/127.5, -1)})
	out := g.Add(&tflitefile.Tensor{Name: "mean", Shape: []int{1, 1, 1, 3}, Type: tflitefile.Int8, Quantization: tflitefile.PerTensor(1/127.5, -1)})
	g.Operators = append(g.Operators, &tflitefile.Operator{
		Code: tflitefile.AveragePool2D, Version: 2, Inputs: []int{in}, Outputs: []int{out},
		Options: &tflitefile.Pool2DOptions{Padding: tflitefile.PaddingValid, StrideW: 1, StrideH: 1, FilterW: 8, FilterH: 8},
	})
	g.Inputs, g.Outputs = []int{in}, []int{out}
	file, err := (&tflitefile.Model{Subgraphs: []*tflitefile.Subgraph{g}}).Write()
	if err != nil {
		panic(err)
	}
	m, err := tflitefile.Read(file)
	if err != nil {
		panic(err)
	}
	fmt.Println(m.Main().Operators[0].Name(), m.Main().Tensors[m.Main().Outputs[0]].Shape)
	// Output: AVERAGE_POOL_2D [1 1 1 3]
}

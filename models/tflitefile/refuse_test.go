package tflitefile_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"edgelens"
	"edgelens/models/modeltest"
	"edgelens/models/tflitefile"
	"edgelens/models/tflitefile/schema"
)

func vector(values ...uint32) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(values)))
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

// patched replaces the first vector with those values.
func patched(t testing.TB, file, old, now []byte) []byte {
	t.Helper()
	if !bytes.Contains(file, old) {
		t.Fatalf("% x is not in the file", old)
	}
	return bytes.Replace(file, old, now, 1)
}

func TestReadRejects(t *testing.T) {
	good := modeltest.Network(tflitefile.Int8)
	start := func(at int, value uint32) []byte {
		b := bytes.Clone(good)
		binary.LittleEndian.PutUint32(b[at:], value)
		return b
	}
	shape := vector(1, 4, 4, 3)
	huge := patched(t, good, shape, vector(1, 1<<30, 1<<30, 3))
	for name, tc := range map[string]struct {
		file []byte
		want string
	}{
		"empty":               {nil, "too short"},
		"web page":            {[]byte("<!doctype html>"), "web page"},
		"other identifier":    {modeltest.WrongIdentifier(), "TFL3"},
		"half":                {good[:len(good)/2], "truncated"},
		"offset past the end": {start(0, 1<<31-1), "truncated"},
		"offset wrapped":      {start(0, 1<<32-4), "truncated"},
		"dimension 0":         {patched(t, good, shape, vector(1, 0, 4, 3)), "empty or too large"},
		"dimension below 0":   {patched(t, good, shape, vector(1, 1<<32-1, 4, 3)), "empty or too large"},
		"shape overflows":     {huge, "empty or too large"},
		"shape of 2 GB":       {patched(t, good, shape, vector(1, 1<<14, 1<<14, 7)), "for what it computes"},
		"4 GB of values":      {patched(t, good, shape, append(binary.LittleEndian.AppendUint32(nil, 1<<32-1), vector(1, 4, 4, 3)[4:]...)), "truncated"},
		"other shape":         {patched(t, good, shape, vector(1, 4, 4, 2)), "PAD"},
		"weights too short":   {patched(t, good, vector(4, 2, 2, 3), vector(4, 2, 2, 4)), "do not agree"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tflitefile.Read(tc.file)
			if !errors.Is(err, edgelens.ErrModel) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want ErrModel with %q", err, tc.want)
			}
		})
	}
	if _, err := tflitefile.Read(good); err != nil {
		t.Errorf("the model itself: %v", err)
	}
}

// Write rejects the same models as Read.
func TestWriteRejects(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(*tflitefile.Subgraph)
		want  string
	}{
		"no such tensor":     {func(g *tflitefile.Subgraph) { g.Operators[0].Inputs[0] = 999 }, "not there"},
		"order of operators": {func(g *tflitefile.Subgraph) { g.Operators[0], g.Operators[1] = g.Operators[1], g.Operators[0] }, "nothing computes before"},
		"missing operator":   {func(g *tflitefile.Subgraph) { g.Operators = g.Operators[:3] }, "no operator computes"},
		"result not used":    {func(g *tflitefile.Subgraph) { g.Outputs[0] = g.Operators[3].Outputs[0] }, "nothing uses"},
		"computed twice":     {func(g *tflitefile.Subgraph) { g.Operators[1].Outputs = g.Operators[0].Outputs }, "there already"},
		"input is output":    {func(g *tflitefile.Subgraph) { g.Outputs = g.Inputs }, "no operator computes"},
		"wrong options":      {func(g *tflitefile.Subgraph) { g.Operators[1].Options = &tflitefile.AddOptions{} }, "wrong options"},
		"no options":         {func(g *tflitefile.Subgraph) { g.Operators[1].Options = nil }, "wrong options"},
		"unknown options": {func(g *tflitefile.Subgraph) {
			g.Operators[1].Code = 0x7b // SELECT_V2
			g.Operators[1].Options = tflitefile.UnknownOptions{Kind: 9}
		}, "does not know"},
		"no strides": {func(g *tflitefile.Subgraph) { // MEAN has 2 inputs
			g.Operators[6].Code, g.Operators[6].Options = schema.BuiltinOperatorSTRIDED_SLICE, nil
		}, "STRIDED_SLICE, with 2 inputs and 1 outputs"},
		"an input absent": {func(g *tflitefile.Subgraph) {
			g.Operators[6].Code, g.Operators[6].Options = schema.BuiltinOperatorPRELU, nil
			g.Operators[6].Inputs[1] = tflitefile.NoTensor
		}, "PRELU, without input 1"},
		"stride 0":             {func(g *tflitefile.Subgraph) { g.Operators[1].Options.(*tflitefile.Conv2DOptions).StrideW = 0 }, "cannot make shape"},
		"no bias":              {func(g *tflitefile.Subgraph) { g.Operators[2].Inputs = g.Operators[2].Inputs[:2] }, "2 inputs"},
		"no scale":             {func(g *tflitefile.Subgraph) { g.Tensors[g.Inputs[0]].Quantization = nil }, "without its one scale"},
		"scale 0":              {func(g *tflitefile.Subgraph) { g.Tensors[g.Inputs[0]].Quantization.Scale[0] = 0 }, "with scale 0"},
		"zero point too large": {func(g *tflitefile.Subgraph) { g.Tensors[g.Inputs[0]].Quantization.ZeroPoint[0] = 128 }, "zero point 128"},
		"unknown type":         {func(g *tflitefile.Subgraph) { g.Tensors[g.Inputs[0]].Type = 99 }, "type 99"},
		"softmax without beta": {func(g *tflitefile.Subgraph) { g.Operators[len(g.Operators)-1].Options = &tflitefile.SoftmaxOptions{} }, "beta 0"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := tflitefile.Read(modeltest.Network(tflitefile.Int8))
			if err != nil {
				t.Fatal(err)
			}
			tc.spoil(m.Main())
			if _, err := m.Write(); !errors.Is(err, edgelens.ErrModel) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want ErrModel with %q", err, tc.want)
			}
		})
	}
}

// Operators that image classifiers do not use are rejected with what they are and what
// to do, before the runtime sees them.
func TestRejectedOperators(t *testing.T) {
	custom := func(name string) func(*tflitefile.Subgraph) {
		return func(g *tflitefile.Subgraph) {
			g.Operators[3].Code, g.Operators[3].CustomName, g.Operators[3].Options = tflitefile.Custom, name, nil
		}
	}
	code := func(code tflitefile.BuiltinOperator) func(*tflitefile.Subgraph) {
		return func(g *tflitefile.Subgraph) { g.Operators[3].Code, g.Operators[3].Options = code, nil }
	}
	// insert puts an operator with a parameter behind the input.
	insert := func(code tflitefile.BuiltinOperator, shape []int, data []byte) func(*tflitefile.Subgraph) {
		return func(g *tflitefile.Subgraph) {
			image := g.Inputs[0]
			parameter := g.Add(&tflitefile.Tensor{Name: "parameter", Shape: shape, Type: tflitefile.Int32, Data: data})
			out := g.Add(&tflitefile.Tensor{Name: "out", Shape: g.Tensors[image].Shape, Type: g.Tensors[image].Type, Quantization: g.Tensors[image].Quantization})
			g.Operators = append([]*tflitefile.Operator{{Code: code, Inputs: []int{image, parameter}, Outputs: []int{out}}}, g.Operators...)
			g.Operators[1].Inputs[0] = out
		}
	}
	for name, tc := range map[string]struct {
		spoil func(*tflitefile.Subgraph)
		want  string // "" where it is taken
	}{
		"as it is":             {func(*tflitefile.Subgraph) {}, ""},
		"Edge TPU":             {custom("edgetpu-custom-op"), "Edge TPU (Coral) and runs nowhere else: edgelens has no support for that accelerator and its library libedgetpu"},
		"Flex":                 {custom("FlexErf"), "TFLITE_BUILTINS"},
		"detector":             {custom("TFLite_Detection_PostProcess"), "detector"},
		"sound":                {custom("AudioSpectrogram"), "sound"},
		"other custom":         {custom("MaxUnpooling2D"), "custom operator"},
		"no name":              {custom(""), "without a name"},
		"WHILE":                {code(119), "WHILE"},
		"IF":                   {code(118), "IF"},
		"LSTM":                 {code(16), "recurrent"},
		"EMBEDDING_LOOKUP":     {code(7), "lookups"},
		"NMS":                  {code(120), "detector"},
		"VAR_HANDLE":           {code(142), "VAR_HANDLE"},
		"newer than all":       {code(206), "newer than this program"},
		"transposed as it was": {insert(39, []int{4}, vector(0, 1, 2, 3)[4:]), ""},
		"one axis twice":       {insert(39, []int{4}, vector(0, 1, 1, 3)[4:]), "orders 4 dimensions"},
		"axis outside":         {insert(39, []int{4}, vector(0, 1, 2, 4)[4:]), "orders 4 dimensions"},
		"too few axes":         {insert(39, []int{3}, vector(0, 1, 2)[4:]), "orders 4 dimensions"},
		"other result":         {insert(39, []int{4}, vector(0, 3, 1, 2)[4:]), "cannot make shape"},
		"resized as it is":     {insert(97, []int{2}, vector(4, 4)[4:]), ""},
		"resized to 30000":     {insert(97, []int{2}, vector(30000, 30000)[4:]), "30000"},
		"maximum over 9":       {insert(82, []int{1}, vector(9)[4:]), "over dimensions"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := tflitefile.Read(modeltest.Network(tflitefile.Float32))
			if err != nil {
				t.Fatal(err)
			}
			tc.spoil(m.Main())
			_, err = m.Write()
			if tc.want == "" && err != nil || tc.want != "" && (!errors.Is(err, edgelens.ErrModel) || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// A shape or an index that depends on the image is rejected: one trial run would
// not represent other images. One that depends on a shape is accepted.
func TestParametersDoNotDependOnTheImage(t *testing.T) {
	build := func(code tflitefile.BuiltinOperator) error {
		g := &tflitefile.Subgraph{Name: "main"}
		image := g.Add(&tflitefile.Tensor{Name: "image", Shape: []int{1, 2, 2, 3}, Type: tflitefile.Float32})
		numbers := g.Add(&tflitefile.Tensor{Name: "numbers", Shape: []int{4}, Type: tflitefile.Int32})
		out := g.Add(&tflitefile.Tensor{Name: "out", Shape: []int{1, 2, 2, 3}, Type: tflitefile.Float32})
		g.Operators = []*tflitefile.Operator{
			{Code: code, Inputs: []int{image}, Outputs: []int{numbers}},
			{Code: 69, Inputs: []int{image, numbers}, Outputs: []int{out}}, // TILE
		}
		g.Inputs, g.Outputs = []int{image}, []int{out}
		_, err := (&tflitefile.Model{Subgraphs: []*tflitefile.Subgraph{g}}).Write()
		return err
	}
	if err := build(77); err != nil { // SHAPE
		t.Errorf("from a shape: %v", err)
	}
	if err := build(53); !errors.Is(err, edgelens.ErrModel) || !strings.Contains(err.Error(), "depend on what is in the image") { // CAST
		t.Errorf("from pixels: %v", err)
	}
}

// A file with an open input size has placeholders for shapes, so that
// any other error would be misleading.
func TestOpenSize(t *testing.T) {
	m, err := tflitefile.Read(modeltest.Network(tflitefile.Float32))
	if err != nil {
		t.Fatal(err)
	}
	input := m.Main().Tensors[m.Main().Inputs[0]]
	input.ShapeSignature = []int{-1, 4, 4, 3} // the batch may be open
	if _, err := m.Write(); err != nil {
		t.Errorf("an open batch: %v", err)
	}
	input.ShapeSignature, input.Shape = []int{-1, -1, -1, 3}, []int{1, 1, 1, 3}
	if _, err := m.Write(); !errors.Is(err, edgelens.ErrModel) || !strings.Contains(err.Error(), "fixed input size") {
		t.Errorf("got %v", err)
	}
}

// Packed files are copied unchanged.
func TestPackedFilesAreKept(t *testing.T) {
	m, err := tflitefile.Read(modeltest.Mean(modeltest.Options{Labels: modeltest.Labels()}))
	if err != nil {
		t.Fatal(err)
	}
	file, err := m.Write()
	if err != nil {
		t.Fatal(err)
	}
	files, err := tflitefile.OpenFiles(file)
	if err != nil || len(files) != 1 || files[0].Name != "labels.txt" {
		t.Errorf("%v, %v", files, err)
	}
}

func TestFacts(t *testing.T) {
	for name, tc := range map[string]struct {
		typ          tflitefile.TensorType
		quantization string
		share        float64
		advice       string
	}{
		"legacy":  {tflitefile.Uint8, "uint8, legacy", 1, "requantize"},
		"float32": {tflitefile.Float32, "float32", 1, "float32"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := tflitefile.Read(modeltest.Network(tc.typ))
			if err != nil {
				t.Fatal(err)
			}
			f := m.Facts()
			// 4x4x4 outputs of 2x2x3 weights, 4x4x4 of 3x3, 3 of 8.
			if f.MultiplyAdds != 64*12+64*9+24 || f.Parameters != 48+4+36+4+24+3 {
				t.Errorf("%d multiply-adds, %d parameters", f.MultiplyAdds, f.Parameters)
			}
			if f.Quantization != tc.quantization || f.DelegateShare != tc.share || !strings.Contains(strings.Join(f.Advice, " "), tc.advice) {
				t.Errorf("%+v", f)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	for _, typ := range []tflitefile.TensorType{tflitefile.Uint8, tflitefile.Int8, tflitefile.Float32} {
		f.Add(modeltest.Network(typ))
	}
	f.Add(modeltest.Mean(modeltest.Options{Labels: modeltest.Labels()}))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := tflitefile.Read(data)
		if err != nil {
			if !errors.Is(err, edgelens.ErrModel) {
				t.Errorf("not ErrModel: %v", err)
			}
			return
		}
		m.Facts()
		file, err := m.Write()
		if err != nil {
			return // options that are not known, for one
		}
		if _, err := tflitefile.Read(file); err != nil {
			t.Errorf("what was written is refused: %v", err)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	file, ok := shared(b, "mobilenet_v2_1.0_224_quant.tflite")
	if !ok {
		b.Skip("EDGELENS_TEST_SHARED is not set, so there is no model")
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tflitefile.Read(file); err != nil {
			b.Fatal(err)
		}
	}
}

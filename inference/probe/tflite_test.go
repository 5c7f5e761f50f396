//go:build cgo

package probe_test

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edgelens"
	"edgelens/inference"
	"edgelens/inference/probe"
	"edgelens/models/modeltest"
	"edgelens/models/tflitefile"
	"edgelens/models/tflitefile/schema"
)

// graph is a float32 model of 8x8 pixels to which a test adds one operator.
type graph struct{ *tflitefile.Subgraph }

func (g graph) value(shape ...int) int {
	return g.Add(&tflitefile.Tensor{Name: "value", Shape: shape, Type: tflitefile.Float32})
}

func (g graph) numbers(values ...int) int {
	var data []byte
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, uint32(v))
	}
	return g.Add(&tflitefile.Tensor{Name: "numbers", Shape: []int{len(values)}, Type: tflitefile.Int32, Data: data})
}

func (g graph) op(code tflitefile.BuiltinOperator, options any, output int, inputs ...int) {
	g.Operators = append(g.Operators, &tflitefile.Operator{Code: code, Options: options, Inputs: inputs, Outputs: []int{output}})
}

// Files with errors that the checks of package tflitefile cannot find: the real
// runtime, with and without XNNPACK, may crash, use all memory, or reject them; this
// process must survive.
func TestHostileGraphs(t *testing.T) {
	for name, build := range map[string]func(g graph, image int) int{
		"FILL with 10 GB": func(g graph, image int) int {
			out := g.value(1, 8, 8, 3)
			zero := g.Add(&tflitefile.Tensor{Name: "zero", Type: tflitefile.Float32, Data: make([]byte, 4)})
			g.op(schema.BuiltinOperatorFILL, nil, out, g.numbers(1, 30000, 30000, 3), zero)
			return out
		},
		"TILE to 10 GB": func(g graph, image int) int {
			out := g.value(1, 8, 8, 3)
			g.op(schema.BuiltinOperatorTILE, nil, out, image, g.numbers(1, 4000, 4000, 1))
			return out
		},
		"BROADCAST_TO 10 GB": func(g graph, image int) int {
			one, out := g.Add(&tflitefile.Tensor{Name: "one", Shape: []int{1}, Type: tflitefile.Float32, Data: make([]byte, 4)}), g.value(1, 8, 8, 3)
			g.op(schema.BuiltinOperatorBROADCAST_TO, nil, out, one, g.numbers(1, 30000, 30000, 3))
			g.Operators[0].Version = 2
			return out
		},
		"PADV2 below 0": func(g graph, image int) int {
			pads := g.Add(&tflitefile.Tensor{Name: "pads", Shape: []int{4, 2}, Type: tflitefile.Int32, Data: make([]byte, 32)})
			for i := range 8 {
				binary.LittleEndian.PutUint32(g.Tensors[pads].Data[4*i:], 0xfffff000)
			}
			zero, out := g.Add(&tflitefile.Tensor{Name: "zero", Shape: []int{1}, Type: tflitefile.Float32, Data: make([]byte, 4)}), g.value(1, 8, 8, 3)
			g.op(schema.BuiltinOperatorPADV2, nil, out, image, pads, zero)
			return out
		},
		"SPACE_TO_BATCH_ND of 0": func(g graph, image int) int {
			crops := g.Add(&tflitefile.Tensor{Name: "crops", Shape: []int{2, 2}, Type: tflitefile.Int32, Data: make([]byte, 16)})
			out := g.value(1, 8, 8, 3)
			g.op(schema.BuiltinOperatorSPACE_TO_BATCH_ND, nil, out, image, g.numbers(0, 0), crops)
			return out
		},
	} {
		for _, delegate := range []string{inference.DelegateAuto, inference.DelegateNone} {
			t.Run(name+"/"+delegate, func(t *testing.T) {
				g := graph{&tflitefile.Subgraph{Name: "main"}}
				image := g.value(1, 8, 8, 3)
				g.Inputs = []int{image}
				g.Outputs = []int{build(g, image)}
				file, err := (&tflitefile.Model{Subgraphs: []*tflitefile.Subgraph{g.Subgraph}}).Write()
				if err != nil {
					t.Fatalf("the checks see it already: %v", err)
				}
				path := filepath.Join(t.TempDir(), "m.tflite")
				if err := os.WriteFile(path, file, 0o600); err != nil {
					t.Fatal(err)
				}
				m, c := model(path), config()
				m.Digest, c.Delegate = "", delegate
				err = newProber(probe.Config{MemoryBytes: 1 << 30}).Probe(t.Context(), m, c.Options(m), c.Pool())
				if !errors.Is(err, edgelens.ErrModel) || strings.Contains(name, "GB") && !strings.Contains(err.Error(), "memory") {
					t.Errorf("got %v, want ErrModel", err)
				}
				t.Log(err)
			})
		}
	}
}

func TestValidModelsPass(t *testing.T) {
	for name, file := range map[string][]byte{
		"float32": modeltest.Network(tflitefile.Float32), "int8": modeltest.Network(tflitefile.Int8), "uint8": modeltest.Network(tflitefile.Uint8),
	} {
		path := filepath.Join(t.TempDir(), "m.tflite")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		m := model(path)
		m.Digest = ""
		if err := newProber(probe.Config{}).Probe(t.Context(), m, config().Options(m), config().Pool()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

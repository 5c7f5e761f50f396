//go:build cgo && linux

package litert_test

import (
	"encoding/binary"
	"errors"
	"os"
	"testing"

	"edgelens"
	"edgelens/inference"
	"edgelens/models/tflitefile"
	"edgelens/models/tflitefile/schema"
)

// growing returns a model whose output has another size at run time than in the file:
// its image is repeated as often as the sum of two constants requires.
func growing(t *testing.T, times int) []byte {
	t.Helper()
	g := &tflitefile.Subgraph{Name: "main"}
	numbers := func(values ...int) int {
		var data []byte
		for _, v := range values {
			data = binary.LittleEndian.AppendUint32(data, uint32(v))
		}
		return g.Add(&tflitefile.Tensor{Name: "numbers", Shape: []int{len(values)}, Type: tflitefile.Int32, Data: data})
	}
	image := g.Add(&tflitefile.Tensor{Name: "image", Shape: []int{1, 8, 8, 3}, Type: tflitefile.Float32})
	sum := g.Add(&tflitefile.Tensor{Name: "sum", Shape: []int{4}, Type: tflitefile.Int32})
	out := g.Add(&tflitefile.Tensor{Name: "out", Shape: []int{1, 8, 8, 3}, Type: tflitefile.Float32})
	g.Operators = []*tflitefile.Operator{
		{Code: schema.BuiltinOperatorADD, Options: &schema.AddOptionsT{}, Inputs: []int{numbers(0, 0, 0, 0), numbers(1, times, times, 1)}, Outputs: []int{sum}},
		{Code: schema.BuiltinOperatorTILE, Inputs: []int{image, sum}, Outputs: []int{out}},
	}
	g.Inputs, g.Outputs = []int{image}, []int{out}
	file, err := (&tflitefile.Model{Subgraphs: []*tflitefile.Subgraph{g}}).Write()
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// An output that is larger than the file declares is an error and never written past
// the memory of the declared size. The process is another one.
func TestOutputThatGrows(t *testing.T) {
	root(t)
	if os.Getenv(taskVariable) == "" {
		if stdout, stderr, err := child(t, "grow"); err != nil {
			t.Errorf("the process ended: %v\n%.3000s%.1000s", err, stdout, stderr)
		}
		return
	}
	b := backend(t)
	for _, delegate := range []string{inference.DelegateAuto, inference.DelegateNone} {
		for _, times := range []int{2, 100} {
			err := runOnce(b, write(t, growing(t, times)), delegate)
			if !errors.Is(err, edgelens.ErrModel) && !errors.Is(err, edgelens.ErrInference) {
				t.Errorf("%d times with %s: got %v, want ErrModel or ErrInference", times, delegate, err)
			}
		}
	}
}

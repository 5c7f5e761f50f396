package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
)

// net is a trained network as training/export.py writes it.
type net struct {
	// Side is that of the square input, in pixels.
	Side    int
	Classes []string
	Layers  []layer

	numbers []float32
}

// layer is one step. Tensor 0 is the input, tensor i+1 the output of Layers[i].
type layer struct {
	Op     string
	Inputs []int
	Stride int
	Relu6  bool
	// Shape is that of the weights, in TensorFlow Lite's order.
	Shape []int
	// Weights and Bias are the offsets of their first numbers in the file.
	Weights, Bias int
	// Range is the minimum and maximum value seen in calibration.
	Range [2]float64
}

func readNet(path string) (*net, error) {
	text, err := os.ReadFile(path + ".json")
	if err != nil {
		return nil, err
	}
	var n net
	if err := json.Unmarshal(text, &n); err != nil {
		return nil, fmt.Errorf("read %s.json: %w", path, err)
	}
	raw, err := os.ReadFile(path + ".f32")
	if err != nil {
		return nil, err
	}
	for ; len(raw) >= 4; raw = raw[4:] {
		n.numbers = append(n.numbers, math.Float32frombits(binary.LittleEndian.Uint32(raw)))
	}
	return &n, nil
}

// values returns count numbers from the one at start on.
func (n *net) values(start, count int) ([]float32, error) {
	if start < 0 || count < 0 || start+count > len(n.numbers) {
		return nil, fmt.Errorf("the file of numbers ends before number %d", start+count)
	}
	return n.numbers[start:][:count], nil
}

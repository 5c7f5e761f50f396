package rewrite

import (
	"encoding/binary"
	"fmt"
	"math"

	"edgelens"
	"edgelens/models/tflitefile"
	"edgelens/models/tflitefile/schema"
)

// AppendClassifier returns a model of a headless one, whose only output are features, with a linear classifier behind it: the
// features, as float32 numbers, are brought to length 1 (L2_NORMALIZATION), multiplied by the weights, one row of as many numbers
// for each class (FULLY_CONNECTED), and turned into probabilities (SOFTMAX). There is one bias for each class.
//
// m is not changed. The error wraps edgelens.ErrModel: the model has not one output, it is not for one image, or it has another
// number of features.
func AppendClassifier(m *tflitefile.Model, weights [][]float64, biases []float64) (*tflitefile.Model, error) {
	c, g, err := copyMain(m)
	if err != nil {
		return nil, err
	}
	if len(g.Outputs) != 1 || len(weights) == 0 || len(weights) != len(biases) {
		return nil, fmt.Errorf("%w: it has %d outputs, and %d rows of weights are for %d biases", edgelens.ErrModel, len(g.Outputs), len(weights), len(biases))
	}
	last := g.Outputs[0]
	features := g.Tensors[last]
	n := len(weights[0])
	if dims := len(features.Shape); dims < 2 || dims > 4 || features.Shape[dims-1] != n || features.Elements() != n {
		return nil, fmt.Errorf("%w: its output of shape %v is not one vector of %d features", edgelens.ErrModel, features.Shape, n)
	}
	add := func(code tflitefile.BuiltinOperator, version int, options any, name string, shape []int, inputs ...int) {
		last = g.Add(&tflitefile.Tensor{Name: name, Shape: shape, Type: tflitefile.Float32})
		g.Operators = append(g.Operators, &tflitefile.Operator{Code: code, Version: version, Options: options, Inputs: inputs, Outputs: []int{last}})
	}
	if features.Type != tflitefile.Float32 {
		add(tflitefile.Dequantize, 2, nil, "head/features", features.Shape, last)
	}
	add(schema.BuiltinOperatorL2_NORMALIZATION, 1, &schema.L2NormOptionsT{}, "head/normalized", features.Shape, last)
	var rows []float64
	for _, row := range weights {
		if len(row) != n {
			return nil, fmt.Errorf("%w: a row has %d weights, and another one %d", edgelens.ErrModel, len(row), n)
		}
		rows = append(rows, row...)
	}
	add(tflitefile.FullyConnected, 1, &tflitefile.FullyConnectedOptions{}, "head/logits", []int{1, len(weights)}, last,
		g.constant("head/weights", []int{len(weights), n}, rows), g.constant("head/biases", []int{len(biases)}, biases))
	add(tflitefile.Softmax, 1, &tflitefile.SoftmaxOptions{Beta: 1}, "head/probabilities", []int{1, len(weights)}, last)
	g.Outputs[0] = last
	// They name the former output, and labels of it. What the metadata has of the input stays right.
	c.Signatures, c.Files = nil, nil
	c.Description = "a head, trained on site, on its extractor, by edgelens"
	return c, nil
}

// constant adds a tensor of float32 numbers.
func (g *graph) constant(name string, shape []int, values []float64) int {
	data := make([]byte, 0, 4*len(values))
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(v)))
	}
	return g.Add(&tflitefile.Tensor{Name: name, Shape: shape, Type: tflitefile.Float32, Data: data})
}

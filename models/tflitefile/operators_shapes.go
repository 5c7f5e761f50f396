package tflitefile

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// numbers returns the values of a constant list of int32 or int64, all of which fit
// into an int32. Lists without values would be computed when the model runs, unchecked.
func numbers(t *Tensor) ([]int, error) {
	size := SizeOf(t.Type)
	if t.Type != Int32 && t.Type != Int64 || t.Data == nil {
		return nil, fmt.Errorf("that needs constant whole numbers in %.100q", t.Name)
	}
	values := make([]int, len(t.Data)/size)
	for i := range values {
		if size == 4 {
			values[i] = int(int32(binary.LittleEndian.Uint32(t.Data[4*i:])))
		} else {
			value := int64(binary.LittleEndian.Uint64(t.Data[8*i:]))
			if value != int64(int32(value)) {
				return nil, fmt.Errorf("with %d in %.100q, which is beyond every shape", value, t.Name)
			}
			values[i] = int(value)
		}
	}
	return values, nil
}

func checkConcatenation(o *Operator, in []*Tensor, out *Tensor) error {
	c := o.Options.(*ConcatenationOptions)
	axis := int(c.Axis)
	if axis < 0 {
		axis += len(out.Shape)
	}
	if axis < 0 || axis >= len(out.Shape) {
		return fmt.Errorf("along dimension %d of shape %v", c.Axis, out.Shape)
	}
	want := slices.Clone(out.Shape)
	want[axis] = 0
	for _, t := range in {
		if t == nil || len(t.Shape) != len(out.Shape) || t.Type != out.Type {
			return wrongShapes(in, out)
		}
		if err := checkScaled(t); err != nil {
			return err
		}
		if t.Shape[axis] > out.Shape[axis]-want[axis] { // before the sum could overflow
			return wrongShapes(in, out)
		}
		want[axis] += t.Shape[axis]
		for d := range want {
			if d != axis && t.Shape[d] != want[d] {
				return wrongShapes(in, out)
			}
		}
	}
	if want[axis] != out.Shape[axis] {
		return wrongShapes(in, out)
	}
	return checkActivation(c.FusedActivation)
}

// maxBroadcastRank is how many dimensions the runtime's kernels for operators
// of two tensors have.
const maxBroadcastRank = 4

func checkBroadcast(o *Operator, in []*Tensor, out *Tensor) error {
	a, b := in[0].Shape, in[1].Shape
	if len(out.Shape) != max(len(a), len(b)) || len(out.Shape) > maxBroadcastRank {
		return wrongShapes(in, out)
	}
	for i := range out.Shape { // from the last dimension
		want := 1
		for _, s := range [][]int{a, b} {
			if i >= len(s) {
				continue
			}
			d := s[len(s)-1-i]
			if d != 1 && want != 1 && d != want {
				return wrongShapes(in, out)
			}
			want = max(want, d)
		}
		if want != out.Shape[len(out.Shape)-1-i] {
			return wrongShapes(in, out)
		}
	}
	if in[0].Type != in[1].Type || in[0].Type != out.Type {
		return fmt.Errorf("that makes %s of %s and %s", out.Type, in[0].Type, in[1].Type)
	}
	switch options := o.Options.(type) {
	case *AddOptions:
		return checkActivation(options.FusedActivation)
	case *SubOptions:
		return checkActivation(options.FusedActivation)
	case *MulOptions:
		return checkActivation(options.FusedActivation)
	}
	return nil
}

// checkAdd also checks that the scales are compatible: the runtime ends the process
// if the output's is a millionth of the inputs'.
func checkAdd(o *Operator, in []*Tensor, out *Tensor) error {
	if err := checkBroadcast(o, in, out); err != nil {
		return err
	}
	if err := checkScaled(in[1]); err != nil {
		return err
	}
	if out.Type != Uint8 && out.Type != Int8 && out.Type != Int16 {
		return nil
	}
	a, b, sum := in[0].Quantization.Scale[0], in[1].Quantization.Scale[0], out.Quantization.Scale[0]
	shift := float32(1 << 20)
	if out.Type == Int16 {
		shift = 1 << 15
	}
	if 2*max(a, b) >= shift*sum {
		return fmt.Errorf("with scales %v and %v that do not fit its output's, %v", a, b, sum)
	}
	return nil
}

func checkPad(_ *Operator, in []*Tensor, out *Tensor) error {
	pads, err := numbers(in[1])
	if err != nil {
		return err
	}
	if len(pads) != 2*len(in[0].Shape) || len(out.Shape) != len(in[0].Shape) {
		return wrongShapes(in, out)
	}
	for i, d := range in[0].Shape {
		before, after := pads[2*i], pads[2*i+1]
		if before < 0 || after < 0 || before > out.Shape[i] || d+before+after != out.Shape[i] {
			return fmt.Errorf("that adds %v to shape %v and gets %v", pads, in[0].Shape, out.Shape)
		}
	}
	return nil
}

func checkMean(o *Operator, in []*Tensor, out *Tensor) error {
	axes, err := numbers(in[1])
	if err != nil {
		return err
	}
	reduced := make([]bool, len(in[0].Shape))
	for _, axis := range axes {
		if axis < 0 {
			axis += len(reduced)
		}
		if axis < 0 || axis >= len(reduced) {
			return fmt.Errorf("over dimensions %v of shape %v", axes, in[0].Shape)
		}
		reduced[axis] = true
	}
	options, _ := o.Options.(*ReducerOptions)
	var want []int
	for i, d := range in[0].Shape {
		switch {
		case !reduced[i]:
			want = append(want, d)
		case options != nil && options.KeepDims:
			want = append(want, 1)
		}
	}
	if !slices.Equal(want, out.Shape) || in[0].Type != out.Type {
		return wrongShapes(in[:1], out)
	}
	return nil
}

func checkResize(_ *Operator, in []*Tensor, out *Tensor) error {
	if len(in[0].Shape) != 4 || len(out.Shape) != 4 || in[0].Shape[0] != out.Shape[0] || in[0].Shape[3] != out.Shape[3] {
		return wrongShapes(in[:1], out)
	}
	size, err := numbers(in[1])
	if err != nil {
		return err
	}
	if !slices.Equal(size, out.Shape[1:3]) {
		return fmt.Errorf("to %v, with shape %v as its output", size, out.Shape)
	}
	return nil
}

func checkGather(o *Operator, in []*Tensor, out *Tensor) error {
	indexes, err := numbers(in[1])
	if err != nil {
		return err
	}
	options, _ := o.Options.(*GatherOptions)
	if options == nil {
		options = &GatherOptions{}
	}
	axis := int(options.Axis)
	if axis < 0 {
		axis += len(in[0].Shape)
	}
	if axis < 0 || axis >= len(in[0].Shape) || options.BatchDims != 0 {
		return fmt.Errorf("along dimension %d of shape %v", options.Axis, in[0].Shape)
	}
	for _, i := range indexes { // the runtime finds those below 0 itself
		if i >= in[0].Shape[axis] {
			return fmt.Errorf("of index %d along dimension %d of shape %v", i, axis, in[0].Shape)
		}
	}
	if !slices.Equal(slices.Concat(in[0].Shape[:axis], in[1].Shape, in[0].Shape[axis+1:]), out.Shape) || in[0].Type != out.Type {
		return wrongShapes(in, out)
	}
	return nil
}

package tflitefile

import (
	"encoding/binary"
	"testing"
)

// Numbers of a file must not overflow the checks where an int has 32 bits, as on armv7: the sums and products of these
// would pass there if they were ints.
func TestChecksDoNotOverflow(t *testing.T) {
	bytes := func(sides ...int) *Tensor { return &Tensor{Shape: sides, Type: Int8} }
	many := make([]*Tensor, 9)
	for i := range many {
		many[i] = bytes(1<<29 - 1)
		many[i].Quantization = PerTensor(1, 0)
	}
	many[8] = bytes(1<<29 + 7) // 1<<32 + 1<<29 - 1 in all
	many[8].Quantization = PerTensor(1, 0)
	beyond := &Tensor{Type: Int64, Data: binary.LittleEndian.AppendUint64(nil, 1<<32+1)}
	for name, err := range map[string]error{
		"bytes computed": (&Subgraph{Tensors: []*Tensor{bytes(1 << 30), bytes(3 << 29)}}).check(),
		"concatenation":  checkConcatenation(&Operator{Options: &ConcatenationOptions{}}, many, bytes(1<<29-1)),
		"64-bit number":  second(numbers(beyond)),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	wide := window{size: 1 << 16, stride: 1, dilation: 1 << 16, padding: PaddingValid}
	if n := wide.out(224); n != 0 {
		t.Errorf("a window wider than 224 pixels has %d positions", n)
	}
	if n := (window{size: 3, stride: 2, dilation: 1, padding: PaddingValid}).out(224); n != 111 {
		t.Errorf("a window of 3 with a stride of 2 has %d positions on 224 pixels, want 111", n)
	}
	small := &Tensor{Type: Int64, Data: binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, 7), 1<<64-1)}
	if got, err := numbers(small); err != nil || len(got) != 2 || got[0] != 7 || got[1] != -1 {
		t.Errorf("got %v (%v), want 7 and -1", got, err)
	}
}

func second(_ []int, err error) error { return err }

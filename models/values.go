package models

import (
	"encoding/binary"
	"fmt"
	"math"

	"edgelens"
)

// PutFloat32 writes one float32 element of a tensor's buffer.
func PutFloat32(b []byte, v float32) { binary.NativeEndian.PutUint32(b, math.Float32bits(v)) }

// Float32At reads one float32 element of a tensor's buffer.
func Float32At(b []byte) float32 { return math.Float32frombits(binary.NativeEndian.Uint32(b)) }

// Dequantize writes the real values of the tensor's raw bytes to dst, which
// must have t.Elements() elements, and raw t.Bytes(). A quantized q becomes
// Scale * (q - ZeroPoint); without a Scale, q itself.
func (t TensorSpec) Dequantize(dst []float32, raw []byte) error {
	if len(raw) != t.Bytes() || len(dst) != t.Elements() {
		return fmt.Errorf("dequantize: %w: %d bytes for %d values of %s", edgelens.ErrInvalid, len(raw), len(dst), t.DType)
	}
	scale, zero := float32(t.Scale), float32(t.ZeroPoint)
	if t.Scale == 0 {
		scale, zero = 1, 0
	}
	switch t.DType {
	case Uint8:
		for i, q := range raw {
			dst[i] = scale * (float32(q) - zero)
		}
	case Int8:
		for i, q := range raw {
			dst[i] = scale * (float32(int8(q)) - zero)
		}
	case Float32:
		for i := range dst {
			dst[i] = Float32At(raw[4*i:])
		}
	default:
		return fmt.Errorf("dequantize: %w: element type %s", edgelens.ErrModel, t.DType)
	}
	return nil
}

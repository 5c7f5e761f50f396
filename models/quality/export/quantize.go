package main

import (
	"encoding/binary"
	"math"
)

// The formulas are those of the TensorFlow Lite quantization specification:
// https://ai.google.dev/edge/litert/models/quantization_spec

// activation returns the int8 scale and zero point for values from low to
// high. 0 is always among them and is represented exactly.
func activation(low, high float64) (scale float32, zeroPoint int64) {
	low, high = min(low, 0), max(high, 0)
	if high-low < 1e-6 {
		high = low + 1e-6
	}
	scale = float32((high - low) / 255)
	zeroPoint = int64(math.Round(-128 - low/float64(scale)))
	return scale, min(max(zeroPoint, -128), 127)
}

// weights quantizes symmetrically, each channel with a scale of its own.
// channel returns the channel of the i-th value.
func weights(values []float32, channels int, channel func(i int) int) (quantized []byte, scales []float32) {
	scales = make([]float32, channels)
	for i, v := range values {
		c := channel(i)
		scales[c] = max(scales[c], float32(math.Abs(float64(v))))
	}
	for c := range scales {
		scales[c] = max(scales[c], 1e-7) / 127
	}
	quantized = make([]byte, len(values))
	for i, v := range values {
		q := math.Round(float64(v) / float64(scales[channel(i)]))
		quantized[i] = byte(int8(min(max(q, -127), 127)))
	}
	return quantized, scales
}

// bias quantizes to int32 with the scale of the products it is added to.
func bias(values []float32, input float32, weights []float32) (quantized []byte, scales []float32) {
	for i, v := range values {
		scale := input * weights[i]
		q := math.Round(float64(v) / float64(scale))
		q = min(max(q, math.MinInt32), math.MaxInt32)
		quantized = binary.LittleEndian.AppendUint32(quantized, uint32(int32(q)))
		scales = append(scales, scale)
	}
	return quantized, scales
}

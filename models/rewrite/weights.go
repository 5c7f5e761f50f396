package rewrite

import (
	"fmt"
	"math"

	"edgelens"
	"edgelens/models/tflitefile"
)

// requantizeWeights makes the weights of one operator signed and symmetric and
// rescales the bias with them.
func (g *graph) requantizeWeights(o *tflitefile.Operator) error {
	w := *g.Tensors[o.Inputs[1]]
	if w.Type != tflitefile.Uint8 || w.Data == nil {
		return fmt.Errorf("%w: the weights of its %s are not constant uint8, so they cannot be requantized", edgelens.ErrModel, o.Name())
	}
	inScale, _, err := perTensor(g.Tensors[o.Inputs[0]])
	if err != nil {
		return err
	}
	scale, zero, err := perTensor(&w)
	if err != nil {
		return err
	}
	dimension := channelDimension(o)
	channel, channels := channelOf(&w, dimension), w.Shape[dimension]
	bias, err := g.biases(o, channels)
	if err != nil {
		return err
	}
	steps := make([][]int, channels)
	if o.Code == tflitefile.FullyConnected { // whose kernels have one scale
		channel, steps = func(int) int { return 0 }, steps[:1]
	}
	for i, q := range w.Data {
		steps[channel(i)] = append(steps[channel(i)], int(q)-int(zero))
	}
	scales := make([]float32, len(steps))
	largest := make([]float64, len(steps))
	for c, b := range bias {
		largest[c%len(steps)] = max(largest[c%len(steps)], math.Abs(b))
	}
	for c := range scales {
		scales[c] = scale * float32(newStep(steps[c], largest[c]))
	}

	data := make([]byte, len(w.Data))
	for i, q := range w.Data {
		real := float64(scale) * float64(int(q)-int(zero))
		data[i] = byte(int8(min(max(math.Round(real/float64(scales[channel(i)])), -127), 127)))
	}
	w.Type, w.Data, w.Quantization = tflitefile.Int8, data, tflitefile.PerChannel(scales, dimension)
	o.Inputs[1] = g.Add(&w) // others may use the old ones
	if biasOf(o) != tflitefile.NoTensor {
		for c := range bias {
			bias[c] += g.roundedUp(o, inScale*scale)
		}
		o.Inputs[2] = g.Add(newBias(g.Tensors[biasOf(o)], bias, inScale, scale, scales))
	}
	return nil
}

// biases returns the bias of each channel, in steps of the input's scale times
// the weights'; zeros where there is none.
func (g *graph) biases(o *tflitefile.Operator, channels int) ([]float64, error) {
	bias := make([]float64, channels)
	i := biasOf(o)
	if i == tflitefile.NoTensor {
		return bias, nil
	}
	t := g.Tensors[i]
	if t.Type != tflitefile.Int32 || t.Data == nil {
		return nil, fmt.Errorf("%w: its bias %.100q is not constant int32, so it cannot be requantized", edgelens.ErrModel, t.Name)
	}
	for c := range bias {
		bias[c] = float64(int32At(t.Data, c))
	}
	return bias, nil
}

// newBias is the bias in steps of the input's scale times the weights' new
// ones.
func newBias(old *tflitefile.Tensor, bias []float64, inScale, scale float32, scales []float32) *tflitefile.Tensor {
	b := *old
	b.Data = nil
	for c, v := range bias {
		b.Data = appendInt32(b.Data, v*float64(scale)/float64(scales[c%len(scales)]))
	}
	biasScales := make([]float32, len(scales))
	for c, s := range scales {
		biasScales[c] = inScale * s
	}
	b.Quantization = tflitefile.PerChannel(biasScales, 0)
	return &b
}

// roundedUp returns by how much of an accumulator's step the legacy kernels
// round up, where results are not negative. They multiply the accumulator by a
// number from 1/2 to 1, round, shift to the right and round again (gemmlowp's
// RoundingDivideByPOT of SaturatingRoundingDoublingHighMul): what is up to half
// a step below a half becomes one, and goes up. XNNPACK rounds once. Results of
// both signs are rounded away from 0, which no bias can follow.
func (g *graph) roundedUp(o *tflitefile.Operator, accumulator float32) float64 {
	outScale, outZero, err := perTensor(g.Tensors[o.Outputs[0]])
	if err != nil || outZero != 0 {
		return 0
	}
	mantissa, exponent := math.Frexp(float64(accumulator) / float64(outScale))
	if exponent >= 0 { // nothing is shifted to the right
		return 0
	}
	return 0.5 / mantissa
}

// maxAccumulated keeps a bias exact in float32, in which XNNPACK rescales.
const maxAccumulated = 1 << 22

// newStep returns the factor of the step between the weights of a channel that
// makes them fit into -127 to 127. Weights are whole steps from the zero
// point. While none is further than 127, they stay exactly what they were, and
// where there is room the step becomes a fraction, so that the bias (the
// largest of which is given, in old steps) is finer. Of the steps for the
// others, the one with the least squared error is used: a far weight may be
// clipped so that near ones stay exact.
func newStep(weights []int, bias float64) float64 {
	most := 0
	for _, k := range weights {
		most = max(most, k, -k)
	}
	if most == 0 {
		return 1
	}
	if most <= 127 {
		room := math.Floor(min(127/float64(most), maxAccumulated/max(1, bias)))
		return 1 / max(1, room)
	}
	counts := map[int]int{}
	for _, k := range weights {
		counts[k]++
	}
	best, least := 1.0, math.Inf(1)
	for candidate := 127; candidate <= most; candidate++ {
		grown, sum := float64(candidate)/127, 0.0
		for k, n := range counts {
			q := min(max(math.Round(float64(k)/grown), -127), 127)
			e := float64(k) - q*grown
			sum += e * e * float64(n)
		}
		if sum < least {
			best, least = grown, sum
		}
	}
	return best
}

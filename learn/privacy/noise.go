// Package privacy is differential privacy for federated rounds: the noise of the Gaussian mechanism, and what it guarantees
// after many rounds.
//
// An update that is clipped to a norm C gets noise of the standard deviation multiplier x C on each value. How much the
// update can then reveal about the examples of its node is the pair (epsilon, delta) of an Accountant. The neighbors of a
// set of nodes are the same nodes with one that sends 0 instead of its update (user-level privacy).
package privacy

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"edgelens"
)

// AddNoise adds an independent normally distributed number with the standard deviation to each value. The random bytes must
// come from crypto/rand outside tests: noise that can be predicted can be subtracted. The error wraps edgelens.ErrInvalid for
// a deviation that cannot be used, or is that of random.
//
// Each number is half the sum of four by the method of Box and Muller. The last bits of one alone can reveal the value that
// it was added to, as floating-point numbers have gaps; the effort grows exponentially with the number of terms (Holohan and
// Braghin, "Secure Random Sampling in Differential Privacy", ESORICS 2021).
func AddNoise(values []float64, deviation float64, random io.Reader) error {
	if !(deviation >= 0) || math.IsInf(deviation, 0) { // NaN too
		return fmt.Errorf("%w: noise with a standard deviation of %v", edgelens.ErrInvalid, deviation)
	}
	if deviation == 0 {
		return nil
	}
	// Two pairs of 8 bytes give four numbers.
	block := make([]byte, 32)
	for i := range values {
		if _, err := io.ReadFull(random, block); err != nil {
			return fmt.Errorf("read random bytes for noise: %w", err)
		}
		sum := 0.0
		for pair := block; len(pair) > 0; pair = pair[16:] {
			radius := math.Sqrt(-2 * math.Log(unit(pair)))
			sine, cosine := math.Sincos(2 * math.Pi * unit(pair[8:]))
			sum += radius * (sine + cosine)
		}
		values[i] += deviation * sum / 2
	}
	return nil
}

// unit returns a number above 0 and up to 1 from 8 random bytes.
func unit(random []byte) float64 {
	return float64(binary.LittleEndian.Uint64(random)>>11+1) / (1 << 53)
}

// MaxNorm returns the norm that an update of so many values has at most once it was clipped and got noise of multiplier x
// clip, but for one in a billion (Laurent and Massart, "Adaptive estimation of a quadratic functional", 2000, lemma 1).
func MaxNorm(clip, multiplier float64, values int) float64 {
	const unlikely = 20.72 // -log(1e-9)
	d := float64(values)
	return clip + multiplier*clip*math.Sqrt(d+2*math.Sqrt(d*unlikely)+2*unlikely)
}

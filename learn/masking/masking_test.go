package masking_test

import (
	"bytes"
	"crypto/ecdh"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"edgelens"
	"edgelens/learn/masking"
)

// group returns the keys of members, the same in each run, and their public keys.
func group(t testing.TB, members int) (own []*ecdh.PrivateKey, public [][]byte) {
	t.Helper()
	for i := range members {
		scalar := make([]byte, 32)
		binary.BigEndian.PutUint32(scalar[28:], uint32(i+1))
		scalar[1] = 0x19
		key, err := ecdh.P256().NewPrivateKey(scalar)
		if err != nil {
			t.Fatal(err)
		}
		own, public = append(own, key), append(public, key.PublicKey().Bytes())
	}
	return own, public
}

// masked returns the masked shares of members with values by the seed, and the weighted mean of the values.
func masked(t testing.TB, members, size int, round string) (shares [][]uint64, mean []float64, total int) {
	t.Helper()
	own, public := group(t, members)
	random := rand.New(rand.NewPCG(uint64(members), uint64(size)))
	mean = make([]float64, size)
	for i, key := range own {
		values, weight := make([]float64, size), 1+random.IntN(500)
		for j := range values {
			values[j] = random.NormFloat64()
			mean[j] += float64(weight) * values[j]
		}
		total += weight
		share, err := masking.Encode(values, weight)
		if err != nil {
			t.Fatal(err)
		}
		// Each member may have them in another order.
		order := slices.Clone(public)
		random.Shuffle(len(order), func(a, b int) { order[a], order[b] = order[b], order[a] })
		if err := masking.Mask(share, key, order, round); err != nil {
			t.Fatalf("member %d: %v", i, err)
		}
		shares = append(shares, share)
	}
	for j := range mean {
		mean[j] /= float64(total)
	}
	return shares, mean, total
}

func TestSumIsThatWithoutMasks(t *testing.T) {
	for _, members := range []int{3, 4, 10} {
		for _, size := range []int{1, 511, 512, 2050} {
			shares, want, total := masked(t, members, size, "round 1")
			mean, weight, err := masking.Sum(shares, members)
			if err != nil {
				t.Fatal(err)
			}
			if weight != total {
				t.Errorf("%d members: the weight is %d, not %d", members, weight, total)
			}
			for i := range want {
				if math.Abs(mean[i]-want[i]) > masking.Step {
					t.Fatalf("%d members: value %d is %v, not %v", members, i, mean[i], want[i])
				}
			}
		}
	}
}

// TestShareIsUniform checks by chi-squared tests that each byte of a masked share of zeros is as often one number as another,
// whether the member adds its masks or subtracts them.
func TestShareIsUniform(t *testing.T) {
	const size = 40_000
	own, public := group(t, 3)
	for member, key := range own {
		share, err := masking.Encode(make([]float64, size), 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := masking.Mask(share, key, public, "round 1"); err != nil {
			t.Fatal(err)
		}
		var counts [8][256]float64
		for _, v := range share {
			for i := range counts {
				counts[i][byte(v>>(8*i))]++
			}
		}
		expected := float64(len(share)) / 256
		for i := range counts {
			sum := 0.0
			for _, c := range counts[i] {
				sum += (c - expected) * (c - expected) / expected
			}
			// 255 degrees of freedom: one uniform share in ten thousand is above 347.
			if sum > 347 || sum < 180 {
				t.Errorf("member %d, byte %d: chi-squared is %v", member, i, sum)
			}
		}
	}
}

func TestSumDetects(t *testing.T) {
	shares, _, _ := masked(t, 5, 20, "round 1")
	other, _, _ := masked(t, 5, 20, "round 2")
	longer, _, _ := masked(t, 5, 21, "round 1")
	for name, c := range map[string]struct {
		shares  [][]uint64
		members int
	}{
		"missing":                 {shares[1:], 5},
		"missing, not counted":    {shares[1:], 4},
		"twice":                   {append(shares[1:2:2], shares[1:]...), 5},
		"one of another round":    {append(other[:1:1], shares[1:]...), 5},
		"one of another length":   {append(longer[:1:1], shares[1:]...), 5},
		"two members":             {shares[:2], 2},
		"none":                    {nil, 0},
		"no values":               {[][]uint64{{1, 1}, {1, 1}, {1, 1}}, 3},
		"empty":                   {[][]uint64{{}, {}, {}}, 3},
		"value out of range":      {[][]uint64{{1 << 63, 1, 1}, {0, 1, 1}, {0, 1, 1}}, 3},
		"weight 0":                {[][]uint64{{0, 0, 1}, {0, 0, 1}, {0, 0, 1}}, 3},
		"weight above the limits": {[][]uint64{{0, 1 << 62, 1}, {0, 1, 1}, {0, 1, 1}}, 3},
	} {
		if mean, _, err := masking.Sum(c.shares, c.members); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%s: the mean is %v, %v", name, mean, err)
		}
	}
}

func TestMaskRefuses(t *testing.T) {
	own, public := group(t, 4)
	outside := append(bytes.Clone(public[0][:64]), public[0][64]^1) // not on the curve
	for name, members := range map[string][][]byte{
		"two":       public[:2],
		"twice":     {public[0], public[1], public[1], public[2]},
		"not there": public[1:],
		"bad key":   {public[0], public[1], outside},
		"empty key": {public[0], public[1], {}},
		"too many":  make([][]byte, masking.MaxMembers+1),
	} {
		if err := masking.Mask(make([]uint64, 3), own[0], members, "round 1"); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	for _, c := range []struct {
		value  float64
		weight int
	}{{math.NaN(), 1}, {math.Inf(1), 1}, {masking.MaxValue + 1, 1}, {-masking.MaxValue - 1, 1}, {0, 0}, {0, -1}, {0, masking.MaxWeight + 1}} {
		if _, err := masking.Encode([]float64{c.value}, c.weight); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestLargestSum checks that the largest values of the heaviest members do not wrap.
func TestLargestSum(t *testing.T) {
	for _, value := range []float64{masking.MaxValue, -masking.MaxValue} {
		share, err := masking.Encode([]float64{value}, masking.MaxWeight)
		if err != nil {
			t.Fatal(err)
		}
		mean, weight, err := masking.Sum(slices.Repeat([][]uint64{share}, masking.MaxMembers), masking.MaxMembers)
		if err != nil || mean[0] != value || weight != masking.MaxWeight*masking.MaxMembers {
			t.Errorf("the mean of %v is %v with weight %d, %v", value, mean, weight, err)
		}
	}
}

func BenchmarkMask(b *testing.B) {
	for _, members := range []int{3, 10, 100} {
		b.Run(fmt.Sprintf("members=%d", members), func(b *testing.B) {
			own, public := group(b, members)
			share := make([]uint64, 8*1025+2)
			for b.Loop() {
				if err := masking.Mask(share, own[0], public, "round 1"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSum(b *testing.B) {
	shares, _, _ := masked(b, 10, 8*1025, "round 1")
	for b.Loop() {
		if _, _, err := masking.Sum(shares, 10); err != nil {
			b.Fatal(err)
		}
	}
}

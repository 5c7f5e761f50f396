package preprocess

import (
	"math"
	"sync"
	"testing"

	"edgelens/models"
)

func quantized(dtype models.DType, scale float64, zero int, n models.Normalization) models.InputSpec {
	return models.InputSpec{TensorSpec: models.TensorSpec{DType: dtype, Scale: scale, ZeroPoint: zero}, Normalization: n}
}

func TestTable(t *testing.T) {
	mobilenet := models.DefaultNormalization
	imagenet := models.Uniform(123.675, 58.395)
	tests := map[string]struct {
		spec models.InputSpec
		want func(p int) uint32
	}{
		"tf2_mobilenet_v2 ptq takes the bytes": {quantized(models.Uint8, 0.007843137718737125, 127, mobilenet), func(p int) uint32 { return uint32(p) }},
		"mobilenet_v2 quant takes the bytes":   {quantized(models.Uint8, 0.0078125, 128, mobilenet), func(p int) uint32 { return uint32(p) }},
		"the same in int8 is shifted":          {quantized(models.Int8, 0.007843137718737125, -1, mobilenet), func(p int) uint32 { return uint32(uint8(int8(p - 128))) }},
		"uint8 without a scale":                {quantized(models.Uint8, 0, 0, imagenet), func(p int) uint32 { return uint32(p) }},
		"int8 without a scale":                 {quantized(models.Int8, 0, 0, imagenet), func(p int) uint32 { return uint32(uint8(int8(p - 128))) }},
		"inputs of 0 to 1 in int8":             {quantized(models.Int8, 1.0/255, -128, models.Uniform(0, 255)), func(p int) uint32 { return uint32(uint8(int8(p - 128))) }},
		"another normalization is computed": {quantized(models.Uint8, 0.02, 100, imagenet), func(p int) uint32 {
			q := math.Floor((float64(p)-123.675)/58.395/0.02+0.5) + 100
			return uint32(uint8(math.Min(255, math.Max(0, q))))
		}},
		"two steps off is not the shift": {quantized(models.Uint8, 1.0/128, 130, models.Uniform(128, 128)), func(p int) uint32 {
			return uint32(min(255, p+2))
		}},
		"int8 clamps": {quantized(models.Int8, 0.001, 0, mobilenet), func(p int) uint32 {
			q := math.Round((float64(p) - 127.5) / 127.5 / 0.001)
			return uint32(uint8(int8(math.Min(127, math.Max(-128, q)))))
		}},
		"float32": {quantized(models.Float32, 0, 0, mobilenet), func(p int) uint32 {
			return math.Float32bits(float32((float64(p) - 127.5) / 127.5))
		}},
	}
	var cache tables
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := cache.of(test.spec)
			for p := range 256 {
				if want := test.want(p); got[0][p] != want {
					t.Fatalf("element of pixel %d is %#x, want %#x", p, got[0][p], want)
				}
			}
			if cache.of(test.spec) != got {
				t.Error("the table was computed twice")
			}
		})
	}
}

// The number of tables is limited for any number of specs, from many
// goroutines at once.
func TestTableCacheIsBounded(t *testing.T) {
	var cache tables
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 5 * maxTables {
				spec := quantized(models.Uint8, 0, 0, models.Uniform(float64(i), float64(g+1)))
				if got := cache.of(spec); got[1][7] != 7 {
					t.Errorf("element of pixel 7 is %d", got[1][7])
				}
			}
		})
	}
	wg.Wait()
	if n := len(cache.kept); n > maxTables {
		t.Errorf("%d tables are kept, %d is the bound", n, maxTables)
	}
}

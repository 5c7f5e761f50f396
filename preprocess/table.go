package preprocess

import (
	"math"
	"sync"

	"edgelens/models"
)

// table maps a pixel value, 0 to 255, to the bits of an element of the tensor.
// An 8-bit element is in the low byte.
type table [256]uint32

// tableKey is everything that determines a table. It has no NaN in it, so that
// it can be found again in a map.
type tableKey struct {
	dtype     models.DType
	mean, std float64
	scale     float64
	zeroPoint int
}

func keyOf(spec models.InputSpec, channel int) tableKey {
	return tableKey{
		dtype: spec.DType, mean: spec.Mean[channel], std: spec.Std[channel],
		scale: spec.Scale, zeroPoint: spec.ZeroPoint,
	}
}

// channelTables are those of red, green and blue; a gray model has the first
// alone. They are usually the same.
type channelTables [3]*table

// newTable computes a table. A float32 element is (p-mean)/std. A quantized
// one is that number quantized for the model's input, q =
// round((p-mean)/std/scale) + zeroPoint, clamped; but if this is within one
// step of the plain shift for every pixel (uint8: q = p; int8: q = p-128), it
// is the plain shift: the model's quantization is then the inverse of its
// normalization, the step is only rounding noise, and Coral's own tools feed
// such models the bytes as they are. So it is if the tensor has no scale.
func newTable(k tableKey) *table {
	if k.dtype == models.Float32 {
		var t table
		for p := range t {
			t[p] = math.Float32bits(float32((float64(p) - k.mean) / k.std))
		}
		return &t
	}
	low := 0 // the element for a pixel of 0 in the plain shift
	if k.dtype == models.Int8 {
		low = -128
	}
	var exact, shift table
	inverse := true
	for p := range shift {
		plain := low + p
		q := plain
		if k.scale != 0 {
			rounded := math.Round((float64(p)-k.mean)/k.std/k.scale) + float64(k.zeroPoint)
			q = int(min(max(rounded, float64(low)), float64(low+255)))
		}
		if q < plain-1 || q > plain+1 {
			inverse = false
		}
		shift[p], exact[p] = uint32(uint8(plain)), uint32(uint8(q))
	}
	if inverse {
		return &shift
	}
	return &exact
}

// maxTables limits the cache of tables: a service has a handful of models,
// and a table takes a kilobyte.
const maxTables = 96

// tables caches the tables that were computed. It is safe for concurrent use.
type tables struct {
	mu   sync.Mutex
	kept map[tableKey]*table
}

// of returns the tables for spec, which must not be changed.
func (t *tables) of(spec models.InputSpec) channelTables {
	t.mu.Lock()
	defer t.mu.Unlock()
	var found channelTables
	for channel := range found {
		found[channel] = t.one(keyOf(spec, channel))
	}
	return found
}

func (t *tables) one(k tableKey) *table {
	if found := t.kept[k]; found != nil {
		return found
	}
	if t.kept == nil || len(t.kept) >= maxTables {
		t.kept = make(map[tableKey]*table)
	}
	made := newTable(k)
	t.kept[k] = made
	return made
}

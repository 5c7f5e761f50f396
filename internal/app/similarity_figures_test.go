//go:build cgo

package app

import (
	"path/filepath"
	"slices"
	"testing"

	"edgelens"
	"edgelens/internal/testutil"
	"edgelens/learn/vector"
	"edgelens/models/quality"
)

// The figures of docs/embeddings.md: how often the most similar of 400 photographs is another one by int8 than by float32, and
// how much similarities differ. Run it with -v.
func TestInt8FindsWhatFloatFinds(t *testing.T) {
	testutil.SkipIfShort(t, "it embeds 400 photographs")
	shared := testutil.Shared(t)
	files, err := filepath.Glob(filepath.Join(shared, "labelled", "*.jpg"))
	if err != nil || len(files) == 0 {
		t.Skip("there are no labelled photographs")
	}
	if underRace { // a part of them, for time
		files = every(4, files)
	}
	c := settings(t)
	withShared(t, c)
	c.Model = quality.Name // no classifier is needed
	var floats [][]float32
	err = RecognizeFiles(t.Context(), c, nil, files, edgelens.Request{Task: edgelens.TaskEmbedding}, func(file string, result *edgelens.Result, err error) error {
		if err == nil {
			floats = append(floats, result.Embedding)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	bytes := make([][]int8, len(floats))
	for i, v := range floats {
		q, err := vector.Quantize(v)
		if err != nil {
			t.Fatal(err)
		}
		bytes[i] = q.Values
	}
	others, inTop5, largest := 0, 0, 0.0
	var nearest, pairs []float64
	for i := range floats {
		byFloat, byInt := make([]float64, len(floats)), make([]float64, len(floats))
		for k := range floats {
			if k == i {
				byFloat[k], byInt[k] = -2, -2
				continue
			}
			for d, x := range floats[i] {
				byFloat[k] += float64(x) * float64(floats[k][d])
			}
			byInt[k] = vector.Cosine(bytes[i], bytes[k])
			pairs = append(pairs, byFloat[k])
			largest = max(largest, byFloat[k]-byInt[k], byInt[k]-byFloat[k])
		}
		nearest = append(nearest, slices.Max(byFloat))
		best := slices.Index(byFloat, slices.Max(byFloat))
		if slices.Index(byInt, slices.Max(byInt)) != best {
			others++
		}
		sorted := slices.Clone(byInt)
		slices.Sort(sorted)
		if byInt[best] >= sorted[len(sorted)-5] {
			inTop5++
		}
	}
	t.Logf("%d photographs: for %d, int8 finds another most similar one than float32; for %d, that of float32 is among the five of int8; similarities differ by %.5f at most", len(floats), others, inTop5, largest)
	slices.Sort(nearest)
	slices.Sort(pairs)
	t.Logf("similarity to the most similar other photograph: median %.2f, of 90%% below %.2f; of two photographs: median %.2f, of 99%% below %.2f",
		nearest[len(nearest)/2], nearest[len(nearest)*9/10], pairs[len(pairs)/2], pairs[len(pairs)*99/100])
	if share := float64(others) / float64(len(floats)); share > 0.05 || largest > 0.01 {
		t.Errorf("int8 finds others for %.1f%%, and differs by %.4f", 100*share, largest)
	}
}

// every returns one in n of the files.
func every(n int, files []string) (part []string) {
	for i := 0; i < len(files); i += n {
		part = append(part, files[i])
	}
	return part
}

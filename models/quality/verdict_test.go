//go:build cgo

package quality_test

import (
	"encoding/json"
	"errors"
	"fmt"
	_ "image/jpeg" // photographs to read
	_ "image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	_ "golang.org/x/image/bmp"

	"edgelens"
	"edgelens/inference"
	"edgelens/inference/tflite"
	"edgelens/internal/testutil"
	"edgelens/models"
	"edgelens/models/quality"
	"edgelens/preprocess"
)

// rater runs an image through preprocess and TensorFlow Lite.
type rater struct {
	t           testing.TB
	prepare     *preprocess.Preprocessor
	interpreter inference.Interpreter
	input       models.InputSpec
}

func newRater(t testing.TB) *rater {
	t.Helper()
	builtIn, err := quality.Model()
	if err != nil {
		t.Fatal(err)
	}
	model, err := tflite.New().Open(builtIn.Path, inference.Options{Threads: 1, Delegate: inference.DelegateAuto})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = model.Close() })
	j := &rater{t: t}
	if j.interpreter, err = model.NewInterpreter(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.interpreter.Close() })
	if j.prepare, err = preprocess.New(preprocess.DefaultConfig()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.prepare.Close() })
	if j.input, err = models.NewInputSpec(j.interpreter.Input(), builtIn.Normalization); err != nil {
		t.Fatal(err)
	}
	return j
}

// verdict returns the label of the greatest score and the score in 0..1.
func (j *rater) verdict(file []byte) (string, float64) {
	j.t.Helper()
	tensor := make([]byte, j.input.Bytes())
	if _, _, err := j.prepare.Tensor(tensor, file, j.input); err != nil {
		j.t.Fatal(err)
	}
	scores := make([]byte, j.interpreter.Output().Bytes())
	if err := errors.Join(inference.SetInput(j.interpreter, tensor), j.interpreter.Invoke(), j.interpreter.ReadOutput(scores)); err != nil {
		j.t.Fatal(err)
	}
	best := 0
	for i, s := range scores {
		if s > scores[best] {
			best = i
		}
	}
	return quality.Labels()[best], float64(scores[best]) / 256
}

// recall rates n images of each class and requires these shares of correct verdicts
// for good images and for each degradation. The model's accuracy is in README.md,
// from many more images; these are lower limits for so
// few, with room for another processor's rounding.
func (j *rater) recall(n int, leastOK, leastDegraded float64, scene func(r *rand.Rand, i int) light) {
	j.t.Helper()
	taken := map[string]map[string]int{}
	for k, class := range quality.Labels() {
		taken[class] = map[string]int{}
		for i := range n {
			r := rand.New(rand.NewPCG(uint64(i), uint64(k)))
			verdict, _ := j.verdict(degraded(j.t, r, scene(r, i), class))
			taken[class][verdict]++
		}
		least := leastDegraded
		if class == edgelens.QualityOK {
			least = leastOK
		}
		if right := float64(taken[class][class]) / float64(n); right < least {
			j.t.Errorf("%s: %.0f %% right, want %.0f %%: rated %v", class, 100*right, 100*least, taken[class])
		}
	}
	shown, err := json.Marshal(taken)
	if err != nil {
		j.t.Fatal(err)
	}
	j.t.Logf("verdicts by class: %s", shown)
}

func TestXNNPACKRunsModel(t *testing.T) {
	if got := newRater(t).interpreter.Delegation().Delegate; got != inference.DelegateXNNPACK {
		t.Errorf("the model runs with delegate %s, want %s", got, inference.DelegateXNNPACK)
	}
}

func TestVerdictsOnSyntheticImages(t *testing.T) {
	sizes := [][2]int{{240, 320}, {320, 240}, {256, 256}, {400, 300}}
	// Flat drawings without texture are the model's worst case: it rates half
	// of the good ones as blurred (README.md).
	newRater(t).recall(testutil.Rounds(20, 4), 0.4, 0.75, func(r *rand.Rand, i int) light {
		return synthetic(r, sizes[i%len(sizes)][0], sizes[i%len(sizes)][1])
	})
}

// photographs are those of the shared folder that are well exposed and sharp.
var photographs = []string{
	"bird.bmp", "cat.bmp", "grace_hopper.bmp", "sunflower.bmp", "imprinting/cat_test_0.bmp", "imprinting/dog_test_0.bmp",
	"imprinting/dog_train_0.bmp", "imprinting/hotdog_test_0.bmp", "imprinting/hotdog_train_0.bmp",
}

func TestVerdictsOnPhotographs(t *testing.T) {
	dir := testutil.Shared(t, "images")
	var photos []light
	for _, name := range photographs {
		file, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		photos = append(photos, decoded(t, file))
	}
	newRater(t).recall(testutil.Rounds(2*len(photos), len(photos)), 0.75, 0.8, func(r *rand.Rand, i int) light { return view(r, photos[i%len(photos)]) })
}

func BenchmarkInvoke(b *testing.B) {
	j := newRater(b)
	if err := inference.SetInput(j.interpreter, make([]byte, j.input.Bytes())); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := j.interpreter.Invoke(); err != nil {
			b.Fatal(err)
		}
	}
}

func ExampleModel() {
	m, err := quality.Model()
	if err != nil {
		panic(err)
	}
	fmt.Println(m.Name, m.Labels)
	// Output: snapshot_quality [ok blurred dark overexposed noisy blocked blank]
}

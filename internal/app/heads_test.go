//go:build cgo

package app

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/internal/config"
	"edgelens/learn/head"
	"edgelens/learn/heads"
	"edgelens/learn/train"
	"edgelens/models"
	"edgelens/models/modeltest"
)

// withExtractor gives the service a model of task embedding, whose features are the mean color of the image.
func withExtractor(t testing.TB, c *config.Config, o modeltest.Options) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "extractor.tflite")
	if err := os.WriteFile(file, modeltest.Mean(o), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := models.Add(c.ModelsDir, models.Addition{File: file, Task: edgelens.TaskEmbedding}); err != nil {
		t.Fatal(err)
	}
}

// shade returns a noisy image of about a color.
func shade(random *rand.Rand, c color.RGBA) []byte {
	img := image.NewRGBA(image.Rect(0, 0, 16, 16))
	for i := 0; i < len(img.Pix); i += 4 {
		for j, v := range []uint8{c.R, c.G, c.B} {
			img.Pix[i+j] = uint8(min(255, max(0, int(v)+random.IntN(81)-40)))
		}
		img.Pix[i+3] = 255
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		panic(err) // writing to a bytes.Buffer never fails
	}
	return out.Bytes()
}

// grass and sky are what the head of these tests distinguishes.
var (
	grass = color.RGBA{R: 60, G: 190, B: 70, A: 255}
	sky   = color.RGBA{R: 70, G: 90, B: 210, A: 255}
	brick = color.RGBA{R: 220, G: 60, B: 50, A: 255}
)

// trained trains a head on images of grass and sky by the extractor of the core.
func trained(t *testing.T, recognizer edgelens.Recognizer, o train.Options) *head.Head {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 1))
	var examples []edgelens.Example
	for label, c := range map[string]color.RGBA{"grass": grass, "sky": sky} {
		for range 8 {
			img := shade(random, c)
			sum := sha256.Sum256(img)
			result, err := recognizer.Recognize(t.Context(), &edgelens.Request{Task: edgelens.TaskEmbedding, Model: "extractor", Image: img, SHA256: sum, View: o.View})
			if err != nil {
				t.Fatal(err)
			}
			o.Extractor = result.Model
			examples = append(examples, edgelens.Example{Label: label, SHA256: fmt.Sprintf("%x", sum), Extractor: result.Model, Embedding: result.Embedding})
		}
	}
	o.Name = "garden"
	h, _, err := train.Run(t.Context(), examples, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestHeadAnswersRequests asks a head over HTTP and by a job, rolls it back and removes it, while the service runs.
func TestHeadAnswersRequests(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	withExtractor(t, c, modeltest.Options{})
	s := start(t, c)
	store := heads.Open(filepath.Join(c.DataDir, "heads"))
	if a := s.form(path+"?model=garden", modeltest.Image(grass, 16, 16)); a.status != 404 {
		t.Errorf("before it is trained: %d %s", a.status, a.body)
	}
	h := trained(t, s.core.Recognizer, train.Options{})
	if _, err := store.Put(h, nil, true); err != nil {
		t.Fatal(err)
	}
	for label, img := range map[string][]byte{"grass": modeltest.Image(grass, 16, 16), "sky": modeltest.Image(sky, 16, 16)} {
		a := s.form(path+"?model=garden&top_k=9", img)
		if a.status != 200 || a.Predictions[0].Label != label || len(a.Predictions) != 3 {
			t.Errorf("%s: %d %s", label, a.status, a.body)
		}
		done := s.wait(t, s.async(t, "/api/recognize_async?model=garden", img, nil))
		if done.Status != "succeeded" || done.Result.Predictions[0].Label != label {
			t.Errorf("a job: %+v", done)
		}
	}
	strict := *h
	strict.Threshold = 0.9999
	if _, err := store.Put(&strict, nil, true); err != nil {
		t.Fatal(err)
	}
	between := modeltest.Image(color.RGBA{R: 65, G: 140, B: 140, A: 255}, 16, 16)
	if a := s.form(path+"?model=garden&top_k=9", between); a.status != 200 || a.Predictions[0].Label != head.Unknown {
		t.Errorf("neither: %d %s", a.status, a.body)
	}
	if _, err := store.Rollback("garden", 0); err != nil {
		t.Fatal(err)
	}
	if a := s.form(path+"?model=garden", between); a.status != 200 || a.Predictions[0].Label == "" {
		t.Errorf("rolled back: %d %s", a.status, a.body)
	}
	list := s.get("/api/models")
	if !strings.Contains(string(list.body), `"head_version":1`) || !strings.Contains(string(list.body), `"extractor":"extractor"`) {
		t.Errorf("/api/models: %s", list.body)
	}
	if err := store.Remove("garden"); err != nil {
		t.Fatal(err)
	}
	if a := s.form(path+"?model=garden&cache=false", between); a.status != 404 {
		t.Errorf("removed: %d %s", a.status, a.body)
	}
}

// TestHeadIsTheDefault starts a service whose model is a head.
func TestHeadIsTheDefault(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	withExtractor(t, c, modeltest.Options{DType: models.Uint8})
	core, err := NewCore(c, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	region := edgelens.Region{X: 0.5, Width: 0.5, Height: 1}
	h := trained(t, core.Recognizer, train.Options{View: edgelens.View{Region: region}})
	if _, err := core.Heads.Put(h, nil, true); err != nil {
		t.Fatal(err)
	}
	if err := core.Close(t.Context()); err != nil {
		t.Error(err)
	}
	c.Model = "garden"
	s := start(t, c)
	a := s.form(path, bandsOf(32, brick, sky))
	if a.status != 200 || a.Predictions[0].Label != "sky" || a.View.Region == nil || a.View.Region.X != 0.5 {
		t.Errorf("%d %s", a.status, a.body)
	}
	whole := s.form(path+"?region=0,0,0.5,1", bandsOf(32, grass, sky))
	if whole.Predictions[0].Label != "grass" {
		t.Errorf("with a region of the request: %s", whole.body)
	}
	if list := s.get("/api/models/garden"); !strings.Contains(string(list.body), `"default":true`) || !strings.Contains(string(list.body), `"head_version":1`) {
		t.Errorf("/api/models/garden: %s", list.body)
	}
	listed, err := ListModels(c)
	if last := listed[len(listed)-1]; err != nil || last.Name != "garden" || !last.Default || last.State != edgelens.ModelAvailable {
		t.Errorf("listed as %+v, %v", last, err)
	}
	spec, _, err := DescribeModel(t.Context(), c, "garden")
	if err != nil || spec.Name != "garden" || len(spec.Labels) != 3 {
		t.Errorf("described as %+v, %v", spec, err)
	}
	put(t, c, "garden.tflite", modeltest.Mean(modeltest.Options{Labels: modeltest.Labels()}))
	listed, err = ListModels(c)
	if i := slices.IndexFunc(listed, func(l models.Listed) bool { return l.Name == "garden" }); err != nil || !strings.Contains(listed[i].Problem, "a head of this name") {
		t.Errorf("hidden by a file: %+v, %v", listed, err)
	}
	c.Model = "nothing"
	if _, err := OpenModels(c); err == nil {
		t.Error("a default that is neither a file nor a head is accepted")
	}
}

// TestExportedHeadAnswersLikeTheHead drops the exported file into the models folder, and compares the answers for many images.
func TestExportedHeadAnswersLikeTheHead(t *testing.T) {
	for name, o := range map[string]modeltest.Options{"float32": {}, "uint8": {DType: models.Uint8}, "int8": {DType: models.Int8}} {
		t.Run(name, func(t *testing.T) {
			c := settings(t)
			withColors(t, c)
			withExtractor(t, c, o)
			s := start(t, c)
			stored := heads.Open(filepath.Join(c.DataDir, "heads"))
			if _, err := stored.Put(trained(t, s.core.Recognizer, train.Options{Threshold: new(float64)}), nil, true); err != nil {
				t.Fatal(err)
			}
			copied := *c
			exported, err := ExportHead(t.Context(), &copied, "garden", 0, filepath.Join(c.ModelsDir, "exported.tflite"), false)
			if err != nil {
				t.Fatal(err)
			}
			if labels, err := os.ReadFile(exported.Labels); err != nil || string(labels) != "grass\nsky\n" {
				t.Errorf("the labels are %q, %v", labels, err)
			}
			if _, err := ExportHead(t.Context(), &copied, "garden", 0, exported.File, false); err == nil {
				t.Error("an existing file was replaced")
			}
			random := rand.New(rand.NewPCG(2, 2))
			for range 20 {
				img := shade(random, color.RGBA{R: uint8(random.IntN(256)), G: uint8(random.IntN(256)), B: uint8(random.IntN(256)), A: 255})
				want := s.form(path+"?model=garden&top_k=9", img)
				got := s.form(path+"?model=exported&top_k=9", img)
				if want.status != 200 || got.status != 200 || want.Predictions[0].Label != got.Predictions[0].Label || math.Abs(want.Predictions[0].Probability-got.Predictions[0].Probability) > 1e-3 {
					t.Fatalf("the head answers %d %s, and the file %d %s", want.status, want.body, got.status, got.body)
				}
			}
		})
	}
}

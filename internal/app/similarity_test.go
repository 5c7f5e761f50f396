//go:build cgo

package app

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"edgelens/internal/config"
	"edgelens/internal/testutil"
	"edgelens/models"
	"edgelens/models/modeltest"
)

// embeddingSettings has a classifier, and a model that gives the mean color as its embedding.
func embeddingSettings(t *testing.T) *config.Config {
	t.Helper()
	c := settings(t)
	file := modeltest.Mean(modeltest.Options{Side: 8, DType: models.Uint8})
	put(t, c, "own.tflite", modeltest.Mean(modeltest.Options{Side: 8, DType: models.Uint8, Softmax: true, Labels: modeltest.Labels()}))
	put(t, c, "features.tflite", file)
	put(t, c, models.ManifestFile, fmt.Appendf(nil, "models:\n- {name: features, file: features.tflite, sha256: %x, size: %d, task: embedding}\n", sha256.Sum256(file), len(file)))
	c.Model, c.Recognize.EmbeddingModel = "own", "features"
	return c
}

// similar is the body of the routes of similar results.
type similar struct {
	Results []struct {
		Similarity float64
		Result     struct{ ID string }
	}
}

// An image that was seen before is found: as a job whose image is kept or not, and as a synchronous result.
func TestSeenBefore(t *testing.T) {
	for name, keepImages := range map[string]bool{"images are kept": true, "images are not kept": false} {
		t.Run(name, func(t *testing.T) {
			c := embeddingSettings(t)
			c.Similarity.Enabled, c.Ledger.KeepSync, c.Ledger.KeepImages = true, true, keepImages
			s, _, _ := serving(t, c)
			red, green := modeltest.Image(modeltest.Red, 320, 240), modeltest.Image(modeltest.Green, 64, 64)
			if a := s.form("/api/recognize", red); a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			for _, image := range [][]byte{red, green} {
				if a := s.form("/api/recognize_async", image); a.status != 202 {
					t.Fatalf("%d %s", a.status, a.body)
				}
			}
			var found similar
			search := func(method, target string) bool {
				a := s.form(target, red)
				if method == "GET" {
					a = s.get(target)
				}
				found = similar{}
				return a.status == 200 && json.Unmarshal(a.body, &found) == nil
			}
			testutil.Eventually(t, "all three are found, and the red ones first", func() bool {
				return search("POST", "/api/similar?min_similarity=-1") && len(found.Results) == 3 && found.Results[1].Similarity > 0.999 && found.Results[2].Similarity < 0.9
			})
			first := found.Results[0].Result.ID
			if !search("GET", "/api/results/"+first+"/similar?min_similarity=0.99") || len(found.Results) != 1 || found.Results[0].Result.ID == first {
				t.Errorf("similar to a result: %+v", found)
			}
			if a := s.send("DELETE", "/api/results/"+first, "", nil); a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			if !search("POST", "/api/similar?min_similarity=0.99") || len(found.Results) != 1 || found.Results[0].Result.ID == first {
				t.Errorf("after the erasure of one: %+v", found)
			}
		})
	}
}

// task=embedding answers with a vector, also as a job, whose result keeps it.
func TestEmbeddingOverHTTP(t *testing.T) {
	c := embeddingSettings(t)
	s, _, _ := serving(t, c)
	image := modeltest.Image(modeltest.Green, 320, 240)
	var r struct {
		Model       struct{ Name string }
		Embedding   []float64
		Predictions []any
	}
	a := s.form("/api/recognize?task=embedding", image)
	if err := json.Unmarshal(a.body, &r); err != nil || a.status != 200 || r.Model.Name != "features" || len(r.Embedding) != 3 || r.Embedding[1] < 0.5 || len(r.Predictions) != 0 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := s.form("/api/recognize", image); a.status != 200 || a.Model.Name != "own" || strings.Contains(string(a.body), "embedding") {
		t.Errorf("without a task: %d %s", a.status, a.body)
	}
	if a := s.form("/api/recognize?task=embedding&model=own", image); a.status != 400 || !strings.Contains(a.Detail, "task classification") {
		t.Errorf("of a classifier: %d %s", a.status, a.body)
	}
	a = s.form("/api/recognize_async?task=embedding", image)
	var accepted struct {
		StatusURL string `json:"status_url"`
	}
	if err := json.Unmarshal(a.body, &accepted); err != nil || a.status != 202 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	a = s.get(accepted.StatusURL + "?wait=30s")
	var job struct {
		Status string
		Result struct{ Embedding []float64 }
	}
	if err := json.Unmarshal(a.body, &job); err != nil || job.Status != "succeeded" || len(job.Result.Embedding) != 3 {
		t.Errorf("%s", a.body)
	}
}

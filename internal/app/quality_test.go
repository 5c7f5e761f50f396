//go:build cgo

package app

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"edgelens"
	"edgelens/internal/testutil"
	"edgelens/models"
	"edgelens/models/modeltest"
	"edgelens/models/quality"
	"edgelens/recognize"
)

// health is the body of /readyz.
type health struct {
	Status  string
	Waiting []string
	Reasons []struct{ Name, Severity, Reason string }
}

func (s *service) ready() (status int, h health) {
	s.t.Helper()
	a := s.get("/readyz")
	if err := json.Unmarshal(a.body, &h); err != nil {
		s.t.Fatalf("%s: %v", a.body, err)
	}
	return a.status, h
}

// Without a classifier the quality model does not replace it: the service reports what is missing, and recognizes as
// soon as it is there.
func TestNoClassifier(t *testing.T) {
	c := settings(t)
	s, log, _ := serving(t, c)
	log.waitFor(t, "no classifier")
	image := modeltest.Image(modeltest.Green, 320, 240)
	a := s.form(path, image)
	if a.status != 503 || a.Code != "no_model" || !strings.Contains(a.Detail, "edgelens model pull") || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %s, want 503 with advice", a.status, a.body)
	}
	if a := s.form("/api/recognize_async", image); a.status != 503 || a.Code != "no_model" {
		t.Errorf("a job: %d %s, want it rejected at once", a.status, a.body)
	}
	if status, h := s.ready(); status != 503 || h.Status != "unavailable" || len(h.Reasons) != 1 || h.Reasons[0].Name != "model" || !strings.Contains(h.Reasons[0].Reason, "model pull") || len(h.Waiting) != 1 {
		t.Errorf("/readyz: %d %+v", status, h)
	}
	put(t, c, "own.tflite", modeltest.Mean(modeltest.Options{Side: 8, DType: models.Uint8, Softmax: true, Labels: modeltest.Labels()}))
	for model, label := range map[string]string{"own": "green", quality.Name: edgelens.QualityBlank} {
		if a := s.form(path+"?model="+model, image); a.status != 200 || a.Predictions[0].Label != label || strings.Contains(string(a.body), "warnings") {
			t.Errorf("%s by its name: %d %s", model, a.status, a.body)
		}
	}
	if testutil.SharedFolder() != "" {
		withShared(t, c)
		if a := s.form(path, image); a.status != 200 || a.Model.Name != "mobilenet_v2_1.0_224_int8" {
			t.Errorf("once it is fetched: %d %s", a.status, a.body)
		}
		if status, h := s.ready(); status != 200 || h.Status != "ok" || len(h.Reasons) != 0 {
			t.Errorf("/readyz, once it is fetched: %d %+v", status, h)
		}
	}
}

// As a stand-in, it adds a warning to each result, also to a cached one, to a job and to its events.
func TestStandIn(t *testing.T) {
	c := settings(t)
	c.Recognize.AllowStandIn = true
	s, log, _ := serving(t, c)
	log.waitFor(t, "no classifier")
	image := modeltest.Image(modeltest.Green, 320, 240)
	for range 2 {
		a := s.form(path, image)
		if a.status != 200 || a.Model.Name != quality.Name || a.Predictions[0].Label != edgelens.QualityBlank || !strings.Contains(string(a.body), `"warnings":["There is no classifier`) {
			t.Errorf("%d %s, want an answer of %s with a warning", a.status, a.body, quality.Name)
		}
	}
	if a := s.form(path+"?model="+quality.Name, image); a.status != 200 || strings.Contains(string(a.body), "warnings") {
		t.Errorf("by its name: %d %s, want no warning", a.status, a.body)
	}
	if status, h := s.ready(); status != 200 || h.Status != "degraded" || len(h.Reasons) != 1 || h.Reasons[0].Severity != "degraded" {
		t.Errorf("/readyz: %d %+v", status, h)
	}
	var accepted struct {
		TaskID string `json:"task_id"`
	}
	if err := json.Unmarshal(s.form("/api/recognize_async", image).body, &accepted); err != nil {
		t.Fatal(err)
	}
	if a := s.get("/api/jobs/" + accepted.TaskID + "?wait=30s"); !strings.Contains(string(a.body), `"succeeded"`) || !strings.Contains(string(a.body), `"warnings":["There is no classifier`) {
		t.Errorf("the job: %s", a.body)
	}
	if a := s.get("/api/results"); !strings.Contains(string(a.body), `"outcome":"uncertain"`) || !strings.Contains(string(a.body), `"warnings":[`) {
		t.Errorf("the results: %s", a.body)
	}
	if files, err := filepath.Glob(filepath.Join(c.DataDir, "*", "*.tflite")); err != nil || len(files) != 0 {
		t.Errorf("%v (%v) were written; want no file of the model", files, err)
	}
}

// With another model as default, images are also rated by the quality model, where the setting is on.
func TestQualityWithClassifier(t *testing.T) {
	for setting, want := range map[string]string{recognize.QualityTerminals: "", recognize.QualityAll: edgelens.QualityBlank} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			c := settings(t)
			withColors(t, c)
			c.Recognize.Quality = setting
			s := start(t, c)
			for range 2 { // the second is from the cache
				a := s.form(path, modeltest.Image(modeltest.Green, 320, 240))
				var answer struct {
					Quality struct {
						Verdict string
						Score   float64
						Usable  bool
					}
					Timings map[string]float64 `json:"timings_ms"`
				}
				if err := json.Unmarshal(a.body, &answer); err != nil || a.status != 200 || a.Predictions[0].Label != "green" {
					t.Fatalf("%d %s (%v)", a.status, a.body, err)
				}
				q := answer.Quality
				if q.Verdict != want || want != "" && (q.Score < 0.7 || q.Usable) {
					t.Errorf("quality %+v, want verdict %q", q, want)
				}
				if took, ok := answer.Timings["quality"]; ok != (want != "") || took > 0 && a.Cached {
					t.Errorf("timings %v with verdict %q, cached %v", answer.Timings, want, a.Cached)
				}
			}
		})
	}
}

// A terminal's event about a blank image is uncertain, with the reason; so is the history. Its record is delivered all
// the same.
func TestUnusableImageOfATerminal(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	withTerminals(t, c)
	c.Recognize.Quality = recognize.QualityTerminals
	r := newReceiver(t, c)
	s, _, _ := serving(t, c)
	listener := connect(t, c, "listener", "edgelens/v1/#")
	record, image := passed(1)
	listener.publish(fungxis.Record("F1", record, image))
	testutil.Eventually(t, "it is delivered", func() bool { return len(r.all()) == 1 && len(listener.events("F1")) == 1 })
	var event struct {
		Data struct {
			Outcome, Reason string
			Quality         *struct {
				Verdict string
				Usable  bool
			}
			Predictions []any
		}
	}
	if err := json.Unmarshal([]byte(listener.on("edgelens/v1/events/F1")[0]), &event); err != nil {
		t.Fatal(err)
	}
	d := event.Data
	if d.Outcome != edgelens.OutcomeUncertain || !strings.HasPrefix(d.Reason, "The image is blank (") ||
		d.Quality == nil || d.Quality.Verdict != edgelens.QualityBlank || d.Quality.Usable || len(d.Predictions) == 0 {
		t.Errorf("event %+v, want it uncertain for a blank image, with predictions", d)
	}
	if a := s.get("/api/results?outcome=uncertain"); !strings.Contains(string(a.body), `"verdict":"blank"`) {
		t.Errorf("the history has %s", a.body)
	}
	if metrics := string(s.get("/metrics").body); !strings.Contains(metrics, `edgelens_quality_total{verdict="blank"} 1`) {
		t.Error("its verdict is not counted")
	}
}

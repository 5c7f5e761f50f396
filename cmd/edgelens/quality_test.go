//go:build cgo

package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edgelens"
	"edgelens/models/modeltest"
	"edgelens/models/quality"
	"edgelens/recognize"
)

// On an island, with no model but the one built in, the service answers about
// pictures with that, and says so.
func TestIsland(t *testing.T) {
	c := settings(t)
	c.ModelMirror = filepath.Join(t.TempDir(), "no-such-mirror")
	s, log, _ := serving(t, c)
	log.waitFor(t, "the built-in one answers")
	a := s.form(path, modeltest.Picture(modeltest.Green, 320, 240))
	if a.status != 200 || a.Model.Name != quality.Name || len(a.Predictions) == 0 || a.Predictions[0].Label != edgelens.QualityBlank {
		t.Errorf("%d %s, want a picture of one colour found blank by %s", a.status, a.body, quality.Name)
	}
	var list struct {
		Models []struct {
			Name, State string
			Default     bool
		}
	}
	if err := json.Unmarshal(s.get("/api/models").body, &list); err != nil {
		t.Fatal(err)
	}
	for _, m := range list.Models {
		if m.Default != (m.Name == quality.Name) || m.Default && m.State != "ready" {
			t.Errorf("%+v, want %s alone as default, and ready", m, quality.Name)
		}
	}
	if files, err := filepath.Glob(filepath.Join(c.DataDir, "*", "*.tflite")); err != nil || len(files) != 0 {
		t.Errorf("%v (%v) were written; nothing needs a file of the model", files, err)
	}
}

// The command line does the same, where the data folder cannot even be made.
func TestIslandCommand(t *testing.T) {
	file := filepath.Join(t.TempDir(), "red.png")
	if err := os.WriteFile(file, modeltest.Picture(modeltest.Red, 320, 240), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, log strings.Builder
	status := execute(context.Background(), []string{"recognize", "--json", file}, []string{"EDGELENS_DATA_DIR=/proc/none"}, &out, &log)
	if status != 0 || !strings.Contains(out.String(), `"label":"blank"`) || !strings.Contains(log.String(), "model pull") {
		t.Errorf("status %d, %s%s", status, &out, &log)
	}
}

// With another model as default, pictures are judged by the built-in one beside
// it, where the setting says so.
func TestQualityBesideAnotherModel(t *testing.T) {
	for setting, want := range map[string]string{recognize.QualityTerminals: "", recognize.QualityAll: edgelens.QualityBlank} {
		t.Run(setting, func(t *testing.T) {
			c := settings(t)
			withColours(t, c)
			c.Recognize.Quality = setting
			s := start(t, c)
			for range 2 { // the second is from the cache
				a := s.form(path, modeltest.Picture(modeltest.Green, 320, 240))
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

// A terminal's event about a picture in which there is nothing to see is
// uncertain, and says why; so is the history. Its record is told all the same.
func TestUnusablePictureOfATerminal(t *testing.T) {
	c := settings(t)
	withColours(t, c)
	withTerminals(t, c)
	c.Recognize.Quality = recognize.QualityTerminals
	r := newReceiver(t, c)
	s, _, _ := serving(t, c)
	listener := connect(t, c, "listener", "edgelens/v1/#")
	record, picture := passed(1)
	listener.say(fungxis.Record("F1", record, picture))
	soon(t, "it is told", func() bool { return len(r.all()) == 1 && len(listener.events("F1")) == 1 })
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
	if d.Outcome != edgelens.OutcomeUncertain || !strings.HasPrefix(d.Reason, "The picture is blank (") ||
		d.Quality == nil || d.Quality.Verdict != edgelens.QualityBlank || d.Quality.Usable || len(d.Predictions) == 0 {
		t.Errorf("event %+v, want it uncertain for a blank picture, with predictions", d)
	}
	if a := s.get("/api/results?outcome=uncertain"); !strings.Contains(string(a.body), `"verdict":"blank"`) {
		t.Errorf("the history has %s", a.body)
	}
	if metrics := string(s.get("/metrics").body); !strings.Contains(metrics, `edgelens_quality_total{verdict="blank"} 1`) {
		t.Error("its verdict is not counted")
	}
}

//go:build cgo

package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"edgelens/api"
	"edgelens/internal/testutil"
	"edgelens/models"
	"edgelens/models/modeltest"
)

// into reads a JSON response.
func into[T any](t *testing.T, a *answer) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(a.body, &v); err != nil || a.status != http.StatusOK {
		t.Fatalf("%d %v: %s", a.status, err, a.body)
	}
	return v
}

// Recognitions are in the activity and in the state of the system, by what they were.
func TestActivityAndState(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	s := start(t, c)
	image := modeltest.Image(modeltest.Red, 9, 9)
	for range 3 {
		s.form(path, image)
	}
	s.form(path, []byte("no image"))
	a := into[api.Activity](t, s.get("/api/activity"))
	if a.Now.AnsweredPerSecond <= 0 || a.Now.FailedLastMinute != 1 || a.Now.P95Ms == nil || *a.Now.P95Ms <= 0 || a.StepSeconds != 5 || len(a.Steps) == 0 {
		t.Errorf("activity: %+v", a)
	}
	system := into[api.System](t, s.get("/api/system"))
	state := system.State
	if state == nil || state.Status != "ok" || state.Cache.Hits != 2 || state.Cache.Misses < 1 || len(state.Stages) < 4 || state.Redis.State != api.Up || !state.Redis.Private || state.Broker != nil {
		t.Fatalf("state: %+v", state)
	}
	if state.Storage.DatabaseBytes == 0 || state.Storage.DiskFreeBytes == nil || state.Machine.ProcessMemoryBytes == nil || state.Storage.DroppedSyncResults != nil {
		t.Errorf("storage %+v, machine %+v", state.Storage, state.Machine)
	}
	for _, m := range state.Models {
		if m.Name == "colors" && (m.Idle+m.Busy == 0 || !m.Default || m.State != "ready") {
			t.Errorf("the model: %+v", m)
		}
	}
}

// A model is loaded and unloaded by its name, and a request for an unloaded one loads it.
func TestModelsOnRequest(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	put(t, c, "late.tflite", modeltest.Mean(modeltest.Options{Side: 8, DType: models.Float32, Softmax: true}))
	put(t, c, "late.txt", []byte("rouge\nvert\nbleu\n"))
	put(t, c, "broken.tflite", []byte("TFL3 or not"))
	s := start(t, c)
	interpreters := func() bool { return s.core.Loader.Interpreters()["late"].Idle > 0 }
	for round := range 2 {
		if m := into[api.Model](t, s.send("POST", "/api/models/late/load", "", nil)); m.State != "ready" || !interpreters() {
			t.Errorf("round %d, loaded: %s", round, m.State)
		}
		if m := into[api.Model](t, s.send("POST", "/api/models/late/unload", "", nil)); m.State != "available" || interpreters() {
			t.Errorf("round %d, unloaded: %s", round, m.State)
		}
		if a := s.form(path+"?model=late", modeltest.Image(modeltest.Green, 9+round, 9)); a.status != 200 || a.Model.Name != "late" {
			t.Errorf("round %d, recognized: %d %s", round, a.status, a.body)
		}
	}
	for target, want := range map[string]struct {
		status int
		code   string
	}{
		"colors/unload": {409, "conflict"}, "broken/load": {500, "model_unusable"}, "none/load": {404, "unknown_model"},
	} {
		if a := s.send("POST", "/api/models/"+target, "", nil); a.status != want.status || a.Code != want.code || a.Detail == "" {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
	}
}

// With ledger.keep_sync, a synchronous recognition is in the history under its request id, and in the export; without, not.
func TestKeepSync(t *testing.T) {
	for _, keep := range []bool{true, false} {
		t.Run(fmt.Sprint(keep), func(t *testing.T) {
			c := settings(t)
			withColors(t, c)
			c.Ledger.KeepSync = keep
			s := start(t, c)
			a := s.form(path, modeltest.Image(modeltest.Red, 9, 9))
			if !keep {
				if list := into[api.ResultList](t, s.get("/api/results")); len(list.Results) != 0 {
					t.Errorf("%+v", list)
				}
				return
			}
			testutil.Eventually(t, "it is in the history", func() bool { return s.get("/api/results/"+a.RequestID).status == 200 })
			kept := into[api.StoredResult](t, s.get("/api/results/"+a.RequestID))
			if kept.Source == nil || *kept.Source != api.SourceSync || kept.Outcome != "recognized" || kept.Result.Predictions[0].Label != "red" || kept.ImageUrl != nil || kept.Event != nil {
				t.Errorf("%+v", kept)
			}
			if list := into[api.ResultList](t, s.get("/api/results?source=sync")); len(list.Results) != 1 {
				t.Errorf("%d of its source", len(list.Results))
			}
			if list := into[api.ResultList](t, s.get("/api/results?source=http")); len(list.Results) != 0 {
				t.Errorf("%d of another source", len(list.Results))
			}
			if csv := string(s.get("/api/results/export").body); strings.Count(csv, "\n") != 2 || !strings.Contains(csv, a.RequestID+",") || !strings.Contains(csv, ",sync,,recognized,red,") {
				t.Errorf("exported: %s", csv)
			}
			if state := into[api.System](t, s.get("/api/system")).State; state.Storage.DroppedSyncResults == nil || *state.Storage.DroppedSyncResults != 0 {
				t.Errorf("%+v", state.Storage)
			}
		})
	}
}

// The settings in force are those of this service, without secrets.
func TestSettingsOfTheService(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	c.Webhook.Secret = "whsec_MDEyMzQ1Njc4OTAxMjM0Ng=="
	s := start(t, c)
	a := s.get("/api/settings")
	list := into[api.SettingList](t, a)
	bySource := map[api.SettingSource]string{}
	for _, setting := range list.Settings {
		bySource[setting.Source] += setting.Key + "=" + setting.Value + " "
	}
	if !strings.Contains(bySource["environment"], "data_dir="+c.DataDir) || strings.Contains(string(a.body), "whsec_M") || !strings.Contains(string(a.body), `"key":"webhook.secret"`) {
		t.Errorf("%s", a.body)
	}
}

//go:build cgo

package ledger_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edgelens"
	"edgelens/internal/ledger"
)

// A ledger with the names of earlier versions keeps its jobs, results, events and images.
func TestFormerNamesAreMigrated(t *testing.T) {
	dir := t.TempDir()
	const id, resultID = "019d0000-0000-7000-8000-000000000001", "019d0000-0000-7000-8000-000000000002"
	old, err := ledger.OpenAtVersion(t.Context(), dir, 8)
	must(t, err)
	for _, statement := range []string{
		`INSERT INTO jobs (id, face, device, queue, model, top_k, min_score, no_cache, sha256, bytes, status, created_at, picture)
			VALUES ('` + id + `', 'mqtt', 'door', 'interactive', '', 3, 0, 0, '', 8, 'queued', 1, 1)`,
		`INSERT INTO results (id, job_id, face, device, outcome, label, probability, created_at, error_code, error_detail) VALUES ('` + resultID + `', NULL, 'http', '', 'error', '', 0, 1, 'bad_image', 'it is truncated')`,
		`INSERT INTO events (type, subject, at, data) VALUES ('job', '` + id + `', 1, '{"id":"` + id + `","face":"mqtt"}')`,
	} {
		_, err := old.ExecContext(t.Context(), statement)
		must(t, err)
	}
	must(t, old.Close())
	must(t, os.Mkdir(filepath.Join(dir, "pictures"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "pictures", id), []byte("an image"), 0o600))

	config := quiet()
	config.KeepImages = true
	l := open(t, dir, config)
	job, err := l.Jobs.Job(t.Context(), id)
	must(t, err)
	equal(t, "source of the job", job.Source, "mqtt")
	image, err := l.Images.Image(t.Context(), id)
	must(t, err)
	equal(t, "image", string(image), "an image")
	result, err := l.Results.Result(t.Context(), resultID)
	must(t, err)
	equal(t, "source of the result", result.Source, "http")
	events, err := l.Events.Events(t.Context(), 0, 10)
	must(t, err)
	var data map[string]string
	must(t, json.Unmarshal(events[0].Data, &data))
	if data["source"] != "mqtt" || data["face"] != "" || len(data) != 2 {
		t.Errorf("event %v", data)
	}
	if _, err := os.Stat(filepath.Join(dir, "pictures")); !os.IsNotExist(err) {
		t.Errorf("the former folder is still there: %v", err)
	}
}

// Jobs, results and devices of the version before fits and regions keep what they have, and have no view.
func TestRowsWithoutViewsAreMigrated(t *testing.T) {
	dir := t.TempDir()
	const queued, done, resultID = "019d0000-0000-7000-8000-000000000001", "019d0000-0000-7000-8000-000000000002", "019d0000-0000-7000-8000-000000000003"
	old, err := ledger.OpenAtVersion(t.Context(), dir, 9)
	must(t, err)
	for _, statement := range []string{
		`INSERT INTO jobs (id, source, device, queue, model, top_k, min_score, no_cache, sha256, bytes, status, created_at, idempotency_key)
			VALUES ('` + queued + `', 'http', '', 'bulk', 'm', 3, 0.25, 0, '', 8, 'queued', 1, 'k')`,
		`INSERT INTO jobs (id, source, device, queue, model, top_k, min_score, no_cache, sha256, bytes, status, created_at, finished_at, image)
			VALUES ('` + done + `', 'http', '', 'bulk', 'm', 3, 0.25, 0, '', 8, 'succeeded', 1, 2, 0)`,
		`INSERT INTO results (id, job_id, source, device, outcome, label, probability, created_at, result)
			VALUES ('` + resultID + `', '` + done + `', 'http', '', 'recognized', 'cat', 0.5, 2, '{"RequestID":"r","Model":{"Name":"m","Digest":""},"Predictions":[{"ClassID":1,"Label":"cat","Probability":0.5}],"Image":{"Width":4,"Height":3,"Format":"png","SHA256":""},"Cached":false,"Timings":{"Queue":0,"Decode":0,"Preprocess":0,"Inference":0,"Postprocess":0,"Quality":0,"Total":7}}')`,
		`INSERT INTO devices (id, dialect, state, online, first_seen, last_seen, counters, settings) VALUES ('door', 'fungxi', 'accepted', 0, 1, 1, '{}', '{"zone":"UTC"}')`,
		`INSERT INTO devices (id, dialect, state, online, first_seen, last_seen, counters) VALUES ('gate', 'camera', 'accepted', 0, 1, 1, '{}')`,
	} {
		_, err := old.ExecContext(t.Context(), statement)
		must(t, err)
	}
	must(t, old.Close())
	must(t, os.Mkdir(filepath.Join(dir, "images"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "images", queued), []byte("an image"), 0o600))

	l := open(t, dir, quiet())
	want := edgelens.JobSpec{Source: "http", Queue: "bulk", Model: "m", TopK: 3, MinScore: 0.25, Bytes: 8, IdempotencyKey: "k"}
	equal(t, "spec of the job", jobOf(t, l, queued).JobSpec, want)
	if job := jobOf(t, l, done); job.Result == nil || job.Result.Predictions[0].Label != "cat" || job.Result.View != (edgelens.ShownView{}) {
		t.Errorf("%+v", job)
	}
	result, err := l.Results.Result(t.Context(), resultID)
	must(t, err)
	if r := result.Result; r == nil || r.Timings.Total != 7 || r.View != (edgelens.ShownView{}) {
		t.Errorf("%+v", result)
	}
	devices, err := l.Devices.Devices(t.Context())
	must(t, err)
	equal(t, "devices", len(devices), 2)
	equal(t, "settings", devices[0].Settings, edgelens.DeviceSettings{Zone: "UTC"})
	equal(t, "settings", devices[1].Settings, edgelens.DeviceSettings{})
}

// Jobs and records of the version before traces are a part of none.
func TestRowsWithoutTracesAreMigrated(t *testing.T) {
	dir := t.TempDir()
	const id = "019d0000-0000-7000-8000-000000000001"
	old, err := ledger.OpenAtVersion(t.Context(), dir, 14)
	must(t, err)
	for _, statement := range []string{
		`INSERT INTO jobs (id, source, device, queue, model, top_k, min_score, no_cache, sha256, bytes, status, created_at)
			VALUES ('` + id + `', 'http', '', 'bulk', 'm', 3, 0.25, 0, '', 8, 'queued', 1)`,
		`INSERT INTO records (id, dialect, device, kind, record_key, passed, person_id, person_name, person_type, person_code, received_at, retained, image_sha256, image_bytes, reason)
			VALUES ('r', 'fungxi', 'door', 'verified', 'k', 1, '', '', '', '', 1, 0, '', 0, '')`,
	} {
		_, err := old.ExecContext(t.Context(), statement)
		must(t, err)
	}
	must(t, old.Close())
	must(t, os.Mkdir(filepath.Join(dir, "images"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "images", id), []byte("an image"), 0o600))
	l := open(t, dir, quiet())
	equal(t, "trace of the job", jobOf(t, l, id).Trace, edgelens.Trace(""))
	record, err := l.Records.Record(t.Context(), "r")
	must(t, err)
	equal(t, "trace of the record", record.Trace, edgelens.Trace(""))
	equal(t, "device", record.Device, "door")
}

// An upgrade that was interrupted is continued, and one that is impossible loses no image.
func TestFormerImagesAreNeverLost(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string // before the start; a name that ends with a slash is a folder
		fails bool
		want  map[string]string // the files afterwards
	}{
		"not begun":        {map[string]string{"pictures/a": "1", "pictures/b": "2"}, false, map[string]string{"images/a": "1", "images/b": "2"}},
		"half done":        {map[string]string{"pictures/b": "2", "images/a": "1"}, false, map[string]string{"images/a": "1", "images/b": "2"}},
		"empty":            {map[string]string{"pictures/": "", "images/a": "1"}, false, map[string]string{"images/a": "1"}},
		"it is impossible": {map[string]string{"pictures/b": "2", "images/b/c": "3"}, true, map[string]string{"pictures/b": "2"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range test.files {
				path := filepath.Join(dir, file)
				must(t, os.MkdirAll(filepath.Dir(path), 0o700))
				if strings.HasSuffix(file, "/") {
					must(t, os.MkdirAll(path, 0o700))
					continue
				}
				must(t, os.WriteFile(path, []byte(text), 0o600))
			}
			if err := ledger.MoveFormerImages(dir); (err != nil) != test.fails {
				t.Errorf("%v", err)
			}
			for file, want := range test.want {
				got, err := os.ReadFile(filepath.Join(dir, file))
				if err != nil || string(got) != want {
					t.Errorf("%s: %q, %v", file, got, err)
				}
			}
			if _, err := os.Stat(filepath.Join(dir, "pictures")); os.IsNotExist(err) == test.fails {
				t.Errorf("the former folder: %v", err)
			}
		})
	}
}

// A service whose images cannot be moved does not start without them.
func TestFormerImagesThatCannotBeMovedStopTheStart(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "images", "a", "b"), 0o700))
	must(t, os.MkdirAll(filepath.Join(dir, "pictures"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "pictures", "a"), nil, 0o600))
	l, err := ledger.Open(t.Context(), dir, quiet(), parts())
	if err == nil {
		_ = l.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "pictures") {
		t.Errorf("%v", err)
	}
}

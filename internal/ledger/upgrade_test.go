//go:build cgo

package ledger_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

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
	job, err := l.Job(t.Context(), id)
	must(t, err)
	equal(t, "source of the job", job.Source, "mqtt")
	image, err := l.Image(t.Context(), id)
	must(t, err)
	equal(t, "image", string(image), "an image")
	result, err := l.Result(t.Context(), resultID)
	must(t, err)
	equal(t, "source of the result", result.Source, "http")
	events, err := l.Events(t.Context(), 0, 10)
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

//go:build cgo

package app

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"image/color"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"edgelens/inference"
	"edgelens/inference/runtimes"
	"edgelens/internal/config"
	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/telemetry"
	"edgelens/internal/testutil"
	"edgelens/models"
	"edgelens/models/modeltest"
)

// colors are the classes of the model that the tests generate.
var colors = map[string]color.Color{"red": modeltest.Red, "green": modeltest.Green, "blue": modeltest.Blue}

// settings returns a configuration over an empty data folder.
func settings(t testing.TB) *config.Config {
	t.Helper()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	c, err := config.Load(flags, []string{"EDGELENS_DATA_DIR=" + t.TempDir(), "EDGELENS_LISTEN=127.0.0.1:0", "EDGELENS_MQTT_LISTEN="})
	if err != nil {
		t.Fatal(err)
	}
	c.Decode.Timeout = time.Minute // the machine may be busy with other tests
	return c
}

// withColors puts the model of colors into the models folder as default.
func withColors(t testing.TB, c *config.Config) {
	t.Helper()
	put(t, c, "colors.tflite", modeltest.Mean(modeltest.Options{Side: 32, DType: models.Uint8, Softmax: true, Labels: modeltest.Labels()}))
	c.Model = "colors"
}

func put(t testing.TB, c *config.Config, name string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(c.ModelsDir, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.ModelsDir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// withShared pulls the manifest's models from the shared folder, as a user
// with a mirror would.
func withShared(t testing.TB, c *config.Config) {
	t.Helper()
	c.ModelMirror = filepath.Join(testutil.Shared(t), "models")
	if err := PullModels(t.Context(), c, nil, nil, true); err != nil {
		t.Fatal(err)
	}
}

func readImage(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testutil.Shared(t), "images", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// service is the whole program behind its HTTP API.
type service struct {
	t    testing.TB
	url  string
	core *Core
	jobs *jobs
}

// start starts the service with its default model, and stops it with the test.
func start(t testing.TB, c *config.Config) *service {
	t.Helper()
	set := NewRuntimes(c)
	return startOn(t, c, set, set)
}

// startOn is start with the runtimes given, and the backend that opens models.
func startOn(t testing.TB, c *config.Config, set *runtimes.Set, backend inference.Backend) *service {
	t.Helper()
	supervisetest.FindRedis(t)
	log := slog.New(slog.DiscardHandler)
	metrics := telemetry.NewRegistry("test")
	tracer, endTraces, err := openTraces(c, "test", "", log, metrics)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { endTraces(context.Background()) })
	core, err := newCore(c, tracer, log, metrics, set, backend)
	if err != nil {
		t.Fatal(err)
	}
	jobs, err := newJobs(context.Background(), c, core, log, metrics)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{config: c, core: core, jobs: jobs, readiness: telemetry.NewReadiness(), log: log}
	if c.Ledger.KeepSync {
		n.history = newSyncHistory(core.Recognizer, jobs.ledger.Results, log, metrics)
	}
	if n.server, err = newServer(c, n, metrics); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(n.server.Handler())
	t.Cleanup(func() {
		web.Close()
		if n.history != nil {
			n.history.Close()
		}
		jobs.worker.Shutdown()
		if err := errors.Join(CloseWithin(StopTimeout, jobs.close), CloseWithin(StopTimeout, core.Close)); err != nil {
			t.Error(err)
		}
	})
	if err := core.WarmUp(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := jobs.worker.Start(); err != nil {
		t.Fatal(err)
	}
	return &service{t: t, url: web.URL, core: core, jobs: jobs}
}

// answer is a response read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte

	recognition
	Code   string
	Detail string
}

type recognition struct {
	RequestID string `json:"request_id"`
	Model     struct{ Name, Digest string }
	Image     struct {
		Width, Height  int
		Format, SHA256 string
	}
	Predictions []struct {
		ClassID     int `json:"class_id"`
		Label       string
		Probability float64
	}
	View    viewAnswer
	Cached  bool
	Timings map[string]float64 `json:"timings_ms"`
}

type viewAnswer struct {
	Fit    string
	Region *regionAnswer
	Count  int
}

type regionAnswer struct{ X, Y, Width, Height float64 }

func (v viewAnswer) equals(want viewAnswer) bool {
	return v.Fit == want.Fit && v.Count == want.Count && (v.Region == nil) == (want.Region == nil) && (v.Region == nil || *v.Region == *want.Region)
}

// top returns the class on top, or -1.
func (a *answer) top() int {
	if len(a.Predictions) == 0 {
		return -1
	}
	return a.Predictions[0].ClassID
}

func (s *service) send(method, target, contentType string, body io.Reader) *answer {
	s.t.Helper()
	header := http.Header{}
	if contentType != "" {
		header.Set("Content-Type", contentType)
	}
	return s.exchange(method, target, header, body)
}

func (s *service) exchange(method, target string, header http.Header, body io.Reader) *answer {
	s.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, s.url+target, body)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header = header
	client := http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(r)
	if err != nil {
		s.t.Error(err)
		return &answer{}
	}
	defer response.Body.Close() // read only
	a := &answer{status: response.StatusCode, header: response.Header}
	if a.body, err = io.ReadAll(response.Body); err != nil {
		s.t.Error(err)
	}
	if bytes.HasPrefix(a.body, []byte("{")) {
		if err := json.Unmarshal(a.body, a); err != nil {
			s.t.Errorf("%s: %v", a.body, err)
		}
	}
	return a
}

func (s *service) get(target string) *answer { s.t.Helper(); return s.send("GET", target, "", nil) }

// form, raw and base64 send an image in the three forms.
func (s *service) form(target string, image []byte) *answer {
	s.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	part, err := w.CreateFormFile("file", "image")
	if err != nil {
		s.t.Fatal(err)
	}
	_, _ = part.Write(image) // writing to a bytes.Buffer never fails
	_ = w.Close()
	return s.send("POST", target, w.FormDataContentType(), &body)
}

func (s *service) raw(target string, image []byte) *answer {
	s.t.Helper()
	return s.send("POST", target, "image/jpeg", bytes.NewReader(image))
}

func (s *service) base64(target string, image []byte) *answer {
	s.t.Helper()
	body, err := json.Marshal(map[string]string{"image": base64.StdEncoding.EncodeToString(image)})
	if err != nil {
		s.t.Fatal(err)
	}
	return s.send("POST", target, "application/json", bytes.NewReader(body))
}

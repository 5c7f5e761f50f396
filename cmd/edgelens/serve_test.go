//go:build cgo

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"edgelens/internal/config"
	"edgelens/models"
	"edgelens/models/modeltest"
)

// output is a log that can be read while it is written.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// waitFor returns the first match of pattern in the log.
func (o *output) waitFor(t testing.TB, pattern string) string {
	t.Helper()
	expression, deadline := regexp.MustCompile(pattern), time.Now().Add(30*time.Second)
	for time.Now().Before(deadline) {
		if m := expression.FindStringSubmatch(o.String()); m != nil {
			return m[len(m)-1]
		}
		time.Sleep(2 * time.Millisecond)
	}
	t.Fatalf("%s never came:\n%s", pattern, o)
	return ""
}

// serving runs serve until stop is called.
func serving(t testing.TB, c *config.Config) (s *service, log *output, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	log = &output{}
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, c, log) }()
	stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { _ = stop() })
	s = &service{t: t, url: log.waitFor(t, `msg="edgelens started".* address=(\S+)`)}
	log.waitFor(t, `msg=ready`)
	return s, log, stop
}

// A stop finishes what was admitted, refuses what comes later, and is clean.
func TestGracefulStop(t *testing.T) {
	c := settings(t)
	withColours(t, c)
	s, log, stop := serving(t, c)
	if a := s.get("/readyz"); a.status != 200 {
		t.Errorf("readyz: %d %s", a.status, a.body)
	}

	slow := asJPEG(t, 7000, 7000)
	answered := make(chan *answer, 2)
	for range 2 {
		go func() { answered <- s.raw(path+"?cache=false", slow) }()
	}
	deadline := time.Now().Add(30 * time.Second)
	for metric(s, "edgelens_uploads_in_memory_bytes") < float64(2*len(slow)) {
		if time.Now().After(deadline) {
			t.Fatal("the pictures never arrived")
		}
	}
	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	for range 2 {
		if a := <-answered; a.status != 200 {
			t.Errorf("what was admitted got %d %s", a.status, a.body)
		}
	}
	if _, err := http.Get(s.url + "/healthz"); err == nil { // it must not answer
		t.Error("it still accepts connections")
	}
	if !strings.Contains(log.String(), "msg=stopped clean=true") {
		t.Errorf("the log does not say that it stopped cleanly:\n%s", log)
	}
}

// A second service on the same address says so and leaves the first alone.
func TestPortInUse(t *testing.T) {
	c := settings(t)
	withColours(t, c)
	s, _, _ := serving(t, c)
	second := *c
	second.DataDir = t.TempDir()
	second.HTTP.Listen = strings.TrimPrefix(s.url, "http://")
	err := serve(t.Context(), &second, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "--listen") {
		t.Errorf("got %v, want an error that names --listen", err)
	}
	if a := s.form(path, modeltest.Picture(modeltest.Red, 9, 9)); a.status != 200 {
		t.Errorf("the first one: %d", a.status)
	}
}

// A log of real traffic has no picture in it.
func TestLogHasNoPicture(t *testing.T) {
	c := settings(t)
	withColours(t, c)
	c.Log.LogLevel = "debug"
	s, log, _ := serving(t, c)
	image := modeltest.Picture(modeltest.Red, 40, 40)
	a := s.base64(path, image)
	s.base64(path, image[:len(image)-9])
	for range 2 {
		log.waitFor(t, "request_id="+a.RequestID)
	}
	if text := log.String(); strings.Contains(text, "iVBOR") || strings.Contains(text, "IHDR") {
		t.Errorf("a picture is in the log:\n%s", text)
	}
}

// serve --pull fetches what it is to serve, and leaves a model of the user's own
// alone.
func TestServePulls(t *testing.T) {
	model := modeltest.Mean(modeltest.Options{Side: 8, DType: models.Uint8, Softmax: true, Labels: modeltest.Labels()})
	manifest := fmt.Sprintf("models:\n- {name: tiny, file: tiny.tflite, sha256: %x, size: %d, task: classification}\n", sha256.Sum256(model), len(model))
	for name, c := range map[string]struct {
		mirror, dir map[string]string // the files in them
		model       string
		says        []string
		silentOn    string
		status      int
	}{
		"from the mirror":        {mirror: map[string]string{"tiny.tflite": string(model)}, dir: map[string]string{"manifest.yaml": manifest}, model: "tiny", says: []string{"tiny: fetching tiny.tflite", "msg=ready model=tiny"}, silentOn: "WARN"},
		"there already":          {dir: map[string]string{"manifest.yaml": manifest, "tiny.tflite": string(model)}, model: "tiny", says: []string{"tiny.tflite is there already", "msg=ready model=tiny"}, silentOn: "WARN"},
		"the user's own":         {dir: map[string]string{"mine.tflite": string(model)}, model: "mine", says: []string{"msg=ready model=mine"}, silentOn: "fetch"},
		"nowhere to be had":      {dir: map[string]string{"manifest.yaml": manifest}, model: "tiny", says: []string{"the default model was not fetched", "edgelens: the default model cannot serve"}, status: 1},
		"the manifest is broken": {dir: map[string]string{"manifest.yaml": "models: 3\n"}, says: []string{"the default model was not fetched", "edgelens: "}, status: 1},
	} {
		t.Run(name, func(t *testing.T) {
			folders := []string{t.TempDir(), t.TempDir()}
			for n, files := range []map[string]string{c.mirror, c.dir} {
				for file, text := range files {
					if err := os.WriteFile(filepath.Join(folders[n], file), []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			environ := []string{"EDGELENS_DATA_DIR=" + t.TempDir(), "EDGELENS_LISTEN=127.0.0.1:0", "EDGELENS_MQTT_LISTEN=",
				"EDGELENS_MODEL_MIRROR=" + folders[0], "EDGELENS_MODELS_DIR=" + folders[1], "EDGELENS_MODEL=" + c.model}
			ctx, cancel := context.WithCancel(t.Context())
			log, ended := &output{}, make(chan int, 1)
			go func() { ended <- execute(ctx, []string{"serve", "--pull"}, environ, io.Discard, log) }()
			for _, words := range c.says {
				log.waitFor(t, regexp.QuoteMeta(words))
			}
			cancel()
			if status := <-ended; status != c.status {
				t.Errorf("status %d, want %d", status, c.status)
			}
			if c.silentOn != "" && strings.Contains(log.String(), c.silentOn) {
				t.Errorf("%q in\n%s", c.silentOn, log)
			}
		})
	}
}

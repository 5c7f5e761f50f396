//go:build cgo

package app

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"edgelens/internal/config"
	"edgelens/internal/testutil"
	"edgelens/models"
	"edgelens/models/modeltest"
)

// colorModel returns a model of colors with its labels inside; those of another side are other files.
func colorModel(side int, labels []string) []byte {
	return modeltest.Mean(modeltest.Options{Side: side, DType: models.Uint8, Softmax: true, Labels: labels})
}

// replaceModel puts a file into the models folder as one should: whole, by a rename.
func replaceModel(t testing.TB, c *config.Config, name string, data []byte) {
	t.Helper()
	put(t, c, name+".new", data)
	if err := os.Rename(filepath.Join(c.ModelsDir, name+".new"), filepath.Join(c.ModelsDir, name)); err != nil {
		t.Fatal(err)
	}
}

// looksOften has the models folder looked at often, so that a test need not wait.
var looksOften = Reload{Look: 200 * time.Millisecond}

// clients send images until stop, each another one, and count the answers; one that is no 200 fails the test.
func clients(t *testing.T, s *service, n int) (answered *atomic.Int64, stop func()) {
	t.Helper()
	image := asJPEG(t, 64, 64)
	answered = new(atomic.Int64)
	var ended atomic.Bool
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			for !ended.Load() {
				if a := s.raw(path+"?cache=false", image); a.status != 200 {
					t.Errorf("%d %s", a.status, a.body)
					return
				}
				answered.Add(1)
			}
		})
	}
	stop = sync.OnceFunc(func() { ended.Store(true); all.Wait() })
	t.Cleanup(stop)
	return answered, stop
}

// A model, its labels and its default are taken up while requests are served, and a file that cannot be used is not.
func TestModelsAreFollowed(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	s, log, _ := servingWith(t, c, looksOften)
	answered, _ := clients(t, s, 2)
	former := s.raw(path, asJPEG(t, 64, 64))

	labels := modeltest.Labels()
	for i := range labels {
		labels[i] = "new " + labels[i]
	}
	put(t, c, "colors.txt", []byte(strings.Join(labels, "\n")+"\n"))
	testutil.Eventually(t, "the labels are taken up, also for images in the cache", func() bool {
		a := s.raw(path, asJPEG(t, 64, 64))
		return a.Predictions[0].Label == "new "+former.Predictions[0].Label && a.Model.Digest == former.Model.Digest
	})
	replaceModel(t, c, "colors.tflite", colorModel(16, nil))
	testutil.Eventually(t, "the model is replaced", func() bool {
		return s.raw(path, asJPEG(t, 64, 64)).Model.Digest != former.Model.Digest
	})
	good := s.raw(path, asJPEG(t, 64, 64)).Model.Digest

	replaceModel(t, c, "colors.tflite", colorModel(16, nil)[:500])
	log.waitFor(t, `event=model_not_replaced model=colors`)
	var health struct{ Status, Reason string }
	a := s.get("/readyz")
	if err := json.Unmarshal(a.body, &health); err != nil || health.Status != "degraded" || !strings.Contains(string(a.body), "file of colors") {
		t.Errorf("%s %v", a.body, err)
	}
	if a := s.raw(path, asJPEG(t, 64, 64)); a.Model.Digest != good {
		t.Errorf("the former version does not answer: %s", a.body)
	}
	replaceModel(t, c, "colors.tflite", colorModel(32, nil))
	testutil.Eventually(t, "a good file is used again, and all is well", func() bool {
		return s.raw(path, asJPEG(t, 64, 64)).Model.Digest != good && !strings.Contains(string(s.get("/readyz").body), "file of colors")
	})
	if answered.Load() == 0 {
		t.Error("nothing was answered meanwhile")
	}
}

// A manifest with another default is taken up, and one with errors is not.
func TestManifestIsFollowed(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	put(t, c, "others.tflite", colorModel(16, modeltest.Labels()))
	c.Model = ""
	put(t, c, models.ManifestFile, []byte("default: colors\n"))
	s, log, _ := servingWith(t, c, looksOften)
	answered, _ := clients(t, s, 1)
	put(t, c, models.ManifestFile, []byte("default: others\n"))
	testutil.Eventually(t, "the default changes", func() bool { return s.raw(path, asJPEG(t, 64, 64)).Model.Name == "others" })
	put(t, c, models.ManifestFile, []byte("default: none\nmodels: 7\n"))
	log.waitFor(t, `event=models_not_changed part=manifest`)
	if a := s.raw(path, asJPEG(t, 64, 64)); a.Model.Name != "others" || !strings.Contains(string(s.get("/readyz").body), "manifest") {
		t.Errorf("%s; %s", a.body, s.get("/readyz").body)
	}
	if answered.Load() == 0 {
		t.Error("nothing was answered meanwhile")
	}
}

// SIGHUP takes up what can change, and names what cannot.
func TestReloadSettings(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	put(t, c, "others.tflite", colorModel(16, modeltest.Labels()))
	next := *c
	hangups := make(chan os.Signal)
	var loadErr error
	s, log, _ := servingWith(t, c, Reload{Signals: hangups, Load: func() (*config.Config, error) { return &next, loadErr }})

	next.Log.LogLevel, next.Model, next.HTTP.RateLimit = "debug", "others", 50
	hangups <- syscall.SIGHUP
	log.waitFor(t, `event=reload_needs_restart settings=\[http.rate_limit\]`)
	log.waitFor(t, `event=reloaded changed="\[model log_level\]"|event=reloaded changed="\[log_level model\]"`)
	if a := s.raw(path, asJPEG(t, 64, 64)); a.Model.Name != "others" {
		t.Errorf("%s", a.body)
	}
	if body := string(s.get("/api/settings").body); !strings.Contains(body, `"debug"`) {
		t.Errorf("the settings in force lack the new level: %s", body)
	}
	loadErr = fmt.Errorf("listen must be host:port")
	hangups <- syscall.SIGHUP
	log.waitFor(t, `event=reload_failed`)
}

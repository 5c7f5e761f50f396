//go:build fault

package fault

import (
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"edgelens/models"
	"edgelens/models/modeltest"
)

// A thousand versions of a model under load: no request fails, and the memory stays the same.
func TestReloads(t *testing.T) {
	const warmUp, reloads, drift = 100, 1000, 1.05
	folder := t.TempDir()
	versions := [][]byte{
		modeltest.Mean(modeltest.Options{Side: 16, DType: models.Uint8, Softmax: true, Labels: modeltest.Labels()}),
		modeltest.Mean(modeltest.Options{Side: 32, DType: models.Uint8, Softmax: true, Labels: modeltest.Labels()}),
	}
	replace := func(n int) {
		path := filepath.Join(folder, "colors.tflite")
		if err := os.WriteFile(path+".new", versions[n%len(versions)], 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	replace(0)
	s := newService(t, "--models-dir", folder)
	s.start()

	var stop atomic.Bool
	var clients sync.WaitGroup
	var answered atomic.Int64
	defer clients.Wait()
	defer stop.Store(true)
	send := func() {
		image := images(64)[0].bytes
		for !stop.Load() {
			if status, _, answer, err := s.exchange("POST", "/api/recognize?cache=false", "image/png", image); status != 200 {
				t.Errorf("a request got %d %s, %v", status, answer, err)
				return
			}
			answered.Add(1)
		}
	}
	load := func(n int) {
		stop.Store(false)
		for range 2 {
			clients.Go(send)
		}
		for i := range n {
			replace(i + 1)
			if status, _, answer, err := s.exchange("POST", "/api/models/colors/load", "", nil); status != 200 {
				t.Fatalf("reload %d got %d %s, %v", i, status, answer, err)
			}
		}
		stop.Store(true)
		clients.Wait()
	}
	load(warmUp)
	before := s.least()
	load(reloads)
	after := s.least()
	report("%d requests beside %d versions of their model, none failed; %d MiB resident before, %d MiB after", answered.Load(), warmUp+reloads, before>>20, after>>20)
	if float64(after) > drift*float64(before) {
		t.Errorf("memory grew from %d to %d MiB", before>>20, after>>20)
	}
}

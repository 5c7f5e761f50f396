package models_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"edgelens"
	"edgelens/models"
)

// content is a file of 300 kB in which every part differs.
var content = func() []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < 300_000; i++ {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	return b.Bytes()
}()

var labelsText = []byte("red\ngreen\nblue\n")

func fileOf(name string, data []byte, source string) models.File {
	return models.File{Name: name, SHA256: hexSum(data), Size: int64(len(data)), Source: source}
}

// modelEntry has only a model file.
func modelEntry(source string) models.Entry {
	return models.Entry{Name: "mean", File: fileOf("mean.tflite", content, source)}
}

// quick has timeouts for tests; seconds distinguish a stall from a slow machine.
func quick() *models.Puller { return &models.Puller{Backoff: time.Millisecond} }

// serve answers with handler and counts the requests.
func serve(t *testing.T, handler func(w http.ResponseWriter, r *http.Request, n int)) (string, *atomic.Int32) {
	t.Helper()
	var n atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler(w, r, int(n.Add(1)))
	}))
	t.Cleanup(s.Close)
	return s.URL, &n
}

// whole serves content with ranges, as real servers do.
func whole(w http.ResponseWriter, r *http.Request) {
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

func mustPull(t *testing.T, p *models.Puller, e models.Entry, dir string) {
	t.Helper()
	if err := p.Pull(t.Context(), e, dir); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, e.File.Name))
	if err != nil || hexSum(got) != e.File.SHA256 {
		t.Fatalf("%d bytes with sha256 %s, %v", len(got), hexSum(got), err)
	}
	if leftOver(t, dir, e.File.Name+".part") {
		t.Error("the part is still there")
	}
}

func leftOver(t *testing.T, dir, name string) bool {
	t.Helper()
	_, err := os.Stat(filepath.Join(dir, name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

// mustFailPull requires an ErrModel with all the texts, and no file under the
// final name.
func mustFailPull(t *testing.T, p *models.Puller, e models.Entry, dir string, texts ...string) {
	t.Helper()
	err := p.Pull(t.Context(), e, dir)
	if !errors.Is(err, edgelens.ErrModel) {
		t.Fatalf("got %v, want ErrModel", err)
	}
	for _, want := range texts {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in\n%v", want, err)
		}
	}
	if leftOver(t, dir, e.File.Name) {
		t.Error("there is a file under the final name")
	}
}

func TestPull(t *testing.T) {
	url, _ := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		switch r.URL.Path {
		case "/m":
			whole(w, r)
		case "/l":
			w.Write(labelsText)
		default:
			http.NotFound(w, r)
		}
	})
	labels := fileOf("labels.txt", labelsText, url+"/l")
	e := models.Entry{Name: "mean", File: fileOf("mean.tflite", content, url+"/m"), Labels: &labels}
	dir := filepath.Join(t.TempDir(), "a", "models")
	var seen []models.Progress
	p := &models.Puller{Progress: func(p models.Progress) { seen = append(seen, p) }}
	mustPull(t, p, e, dir)
	if got, err := os.ReadFile(filepath.Join(dir, "labels.txt")); err != nil || !bytes.Equal(got, labelsText) {
		t.Errorf("labels: %q, %v", got, err)
	}
	first, last := seen[0], seen[len(seen)-1]
	if (first != models.Progress{Name: "mean", File: "mean.tflite", Done: 0, Total: int64(len(content)), From: url + "/m"}) ||
		(last != models.Progress{Name: "mean", File: "labels.txt", Done: 15, Total: 15, From: url + "/l"}) {
		t.Errorf("progress from %+v to %+v", first, last)
	}
}

func TestPullPresentFiles(t *testing.T) {
	url, requests := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) { whole(w, r) })
	dir := t.TempDir()
	write(t, dir, "mean.tflite", content)
	var seen []models.Progress
	p := &models.Puller{Progress: func(p models.Progress) { seen = append(seen, p) }}
	mustPull(t, p, modelEntry(url), dir)
	if requests.Load() != 0 {
		t.Errorf("%d requests", requests.Load())
	}
	if len(seen) != 1 || seen[0].From != "" || seen[0].Done != seen[0].Total {
		t.Errorf("progress %+v", seen)
	}
	if leftOver(t, dir, ".pull.lock") {
		t.Error("a folder that has everything was written to")
	}

	write(t, dir, "mean.tflite", bytes.ToUpper(content)) // same size, other bytes
	mustPull(t, p, modelEntry(url), dir)
	if requests.Load() != 1 {
		t.Errorf("%d requests", requests.Load())
	}
}

func TestPullCanceled(t *testing.T) {
	url, _ := serve(t, func(w http.ResponseWriter, r *http.Request, n int) {
		if n > 1 {
			whole(w, r)
			return
		}
		w.Write(content[:1000])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	p := quick()
	p.Progress = func(p models.Progress) {
		if p.Done == 1000 {
			cancel()
		}
	}
	if err := p.Pull(ctx, modelEntry(url), dir); !errors.Is(err, edgelens.ErrCanceled) || !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want ErrCanceled", err)
	}
	if leftOver(t, dir, "mean.tflite") || !leftOver(t, dir, "mean.tflite.part") {
		t.Error("want a part and no file")
	}
	mustPull(t, quick(), modelEntry(url), dir)

	t.Run("deadline", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
		defer cancel()
		if err := quick().Pull(ctx, modelEntry(url), t.TempDir()); !errors.Is(err, edgelens.ErrDeadline) {
			t.Errorf("got %v, want ErrDeadline", err)
		}
	})
}

func TestConcurrentPulls(t *testing.T) {
	url, requests := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) { whole(w, r) })
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := quick().Pull(t.Context(), modelEntry(url), dir); err != nil {
				t.Error(err)
			}
			got, err := os.ReadFile(filepath.Join(dir, "mean.tflite"))
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
	wg.Wait()
	if requests.Load() != 1 {
		t.Errorf("%d requests for one file", requests.Load())
	}
}

func TestPullLockWaitEndsWithContext(t *testing.T) {
	arrived := make(chan struct{}, 1)
	url, _ := serve(t, func(_ http.ResponseWriter, r *http.Request, _ int) {
		arrived <- struct{}{}
		<-r.Context().Done()
	})
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { quick().Pull(ctx, modelEntry(url), dir) })
	<-arrived // the first pull holds the folder now
	short, done := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer done()
	if err := quick().Pull(short, modelEntry(url), dir); !errors.Is(err, edgelens.ErrDeadline) {
		t.Errorf("got %v, want ErrDeadline", err)
	}
	cancel()
	wg.Wait()
}

func TestPullOnFullDisk(t *testing.T) {
	url, requests := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) { whole(w, r) })
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "mean.tflite.part"), 0o700); err != nil {
		t.Fatal(err)
	}
	mustFailPull(t, quick(), modelEntry(url), dir, "write "+filepath.Join(dir, "mean.tflite.part"))
	if requests.Load() != 0 {
		t.Error("a local error was attributed to the source")
	}
}

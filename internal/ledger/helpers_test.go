//go:build cgo

package ledger_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"edgelens"
	"edgelens/internal/clocks"
	"edgelens/internal/ledger"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDirVariable); dir != "" {
		promiseUntilKilled(dir) // this process is the child of TestAcknowledgedWritesSurviveKill
	}
	recordStatements()
	goleak.VerifyTestMain(m, goleak.Cleanup(exitByPlans))
}

// quiet is a configuration without periodic work.
func quiet() ledger.Config {
	config := ledger.DefaultConfig()
	config.SweepInterval = time.Hour
	config.MinFreeBytes = 0
	return config
}

// parts are those of a ledger with a log that is discarded.
func parts(change ...func(*ledger.Parts)) ledger.Parts {
	p := ledger.Parts{Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()}
	for _, c := range change {
		c(&p)
	}
	return p
}

// logTo writes the log there.
func logTo(w io.Writer) func(*ledger.Parts) {
	return func(p *ledger.Parts) { p.Log = slog.New(slog.NewTextHandler(w, nil)) }
}

// clock replaces the clock.
func clock(c clocks.Clock) func(*ledger.Parts) {
	return func(p *ledger.Parts) { p.Clock = c }
}

// steady replaces the clock by one that never jumps, however its time passes.
func steady(now func() time.Time) func(*ledger.Parts) {
	return clock(func() clocks.Reading {
		t := now().Round(0)
		return clocks.Reading{Wall: t, Monotonic: t.Sub(time.Unix(0, 0))}
	})
}

// aMinuteLater replaces the clock by one that is a minute later as soon as the ledger is open, when jobs of a former process
// may be started.
func aMinuteLater(p *ledger.Parts) {
	system, calls := clocks.System(), atomic.Int64{}
	p.Clock = func() clocks.Reading {
		now := system()
		if calls.Add(1) > 1 {
			now.Wall, now.Monotonic = now.Wall.Add(time.Minute), now.Monotonic+time.Minute
		}
		return now
	}
}

func open(t testing.TB, dir string, config ledger.Config, change ...func(*ledger.Parts)) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(t.Context(), dir, config, parts(change...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeLedger(t, l) })
	return l
}

func closeLedger(t testing.TB, l *ledger.Ledger) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// image returns bytes that differ from seed to seed.
func image(seed string) []byte { return []byte("an image of " + seed) }

func specOf(image []byte) edgelens.JobSpec {
	digest := sha256.Sum256(image)
	return edgelens.JobSpec{
		Source: "http", Device: "door", Queue: edgelens.QueueInteractive, Model: "m", TopK: 3, MinScore: 0.25,
		SHA256: hex.EncodeToString(digest[:]), Bytes: int64(len(image)),
	}
}

// accept creates a job with an image of its own.
func accept(t testing.TB, l *ledger.Ledger, change ...func(*edgelens.JobSpec)) edgelens.Job {
	t.Helper()
	image := image(fmt.Sprint(time.Now().UnixNano()))
	spec := specOf(image)
	for _, c := range change {
		c(&spec)
	}
	job, existing, err := l.Jobs.Accept(t.Context(), spec, image)
	if err != nil || existing {
		t.Fatalf("accept: existing %v, %v", existing, err)
	}
	return job
}

// acceptMany creates n jobs, many concurrently, and returns their ids.
func acceptMany(t testing.TB, l *ledger.Ledger, n int, change ...func(*edgelens.JobSpec)) []string {
	t.Helper()
	ids := make([]string, n)
	var wg sync.WaitGroup
	for worker := range 32 {
		wg.Go(func() {
			for i := worker; i < n; i += 32 {
				image := image(fmt.Sprint(i))
				spec := specOf(image)
				for _, c := range change {
					c(&spec)
				}
				job, _, err := l.Jobs.Accept(t.Context(), spec, image)
				if err != nil {
					t.Error(err)
				}
				ids[i] = job.ID
			}
		})
	}
	wg.Wait()
	return ids
}

func start(t testing.TB, l *ledger.Ledger, id string) edgelens.Job {
	t.Helper()
	job, image, err := l.Jobs.Start(t.Context(), id)
	if err != nil || len(image) == 0 {
		t.Fatalf("start: %d bytes, %v", len(image), err)
	}
	return job
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func jobOf(t testing.TB, l *ledger.Ledger, id string) edgelens.Job {
	t.Helper()
	job, err := l.Jobs.Job(context.Background(), id)
	must(t, err)
	return job
}

func resultOf(label string, probability float64) *edgelens.Result {
	return &edgelens.Result{
		RequestID:   "r",
		Model:       edgelens.ModelRef{Name: "m", Digest: "sha256:00"},
		Predictions: []edgelens.Prediction{{ClassID: 1, Label: label, Probability: probability}, {ClassID: 2, Label: "other", Probability: 0.1}},
		Image:       edgelens.ImageInfo{Width: 4, Height: 3, Format: "jpeg", SHA256: "00"},
		View:        edgelens.ShownView{View: edgelens.View{Fit: edgelens.FitSweep, Region: edgelens.Region{Y: 0.1, Width: 0.7, Height: 0.9}}, Count: 3},
		Timings:     edgelens.Timings{Inference: 4 * time.Millisecond, Total: 5 * time.Millisecond},
	}
}

// filesIn returns the names of the files in the folder of images of a ledger, wherever they are in it.
func filesIn(t testing.TB, dir string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for path := range imagePaths(t, dir) {
		names[filepath.Base(path)] = true
	}
	return names
}

// imagePaths returns the paths of the files in the folder of images of a ledger, below it.
func imagePaths(t testing.TB, dir string) map[string]bool {
	t.Helper()
	root, paths := filepath.Join(dir, "images"), map[string]bool{}
	must(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // removed meanwhile
			return nil
		}
		if err == nil && !entry.IsDir() {
			paths[path[len(root)+1:]] = true
		}
		return err
	}))
	return paths
}

// flatten moves the images of a ledger to where an earlier version wrote them.
func flatten(t testing.TB, dir string) {
	t.Helper()
	for path := range imagePaths(t, dir) {
		must(t, os.Rename(filepath.Join(dir, "images", path), filepath.Join(dir, "images", filepath.Base(path))))
	}
}

// today is the folder of the images of today.
func today() string { return time.Now().UTC().Format(time.DateOnly) }

func allEvents(t testing.TB, l *ledger.Ledger) []edgelens.Event {
	t.Helper()
	var all []edgelens.Event
	for after := int64(0); ; {
		events, err := l.Events.Events(context.Background(), after, 1000)
		must(t, err)
		if len(events) == 0 {
			return all
		}
		for _, event := range events {
			if event.Seq <= after {
				t.Fatalf("event %d after %d", event.Seq, after)
			}
			after = event.Seq
		}
		all = append(all, events...)
	}
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %+v, want %+v", what, got, want)
	}
}

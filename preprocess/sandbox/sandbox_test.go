//go:build cgo && linux

package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"

	"edgelens"
	"edgelens/internal/background"
	"edgelens/internal/testutil"
	"edgelens/models"
	"edgelens/preprocess"
)

func TestMain(m *testing.M) {
	onTest = attempt
	Main()
	goleak.VerifyTestMain(m)
}

// fixture is a Preprocessor with helpers.
type fixture struct {
	*Preprocessor
	metrics *prometheus.Registry
	log     *testutil.LogBuffer
}

func newFixture(t testing.TB, change func(*Config)) *fixture {
	t.Helper()
	f := &fixture{metrics: prometheus.NewRegistry(), log: &testutil.LogBuffer{}}
	config := DefaultConfig()
	config.Timeout = time.Minute // the race detector is slow
	config.Isolation = IsolationRequire
	change(&config)
	settings := preprocess.DefaultConfig()
	local, err := preprocess.New(settings)
	if err != nil {
		t.Fatal(err)
	}
	if f.Preprocessor, err = New(config, Parts{Local: local, Settings: settings, Helpers: 3, Log: f.log.Logger(), Metrics: f.metrics}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func unchanged(*Config) {}

// metric is the value of a metric, by its name and labels.
func (f *fixture) metric(t testing.TB, name string) float64 {
	t.Helper()
	return testutil.Metrics(t, f.metrics)[name]
}

func scene(width, height int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			u, v := float64(x)/float64(width), float64(y)/float64(height)
			img.SetNRGBA(x, y, color.NRGBA{uint8(255 * u), uint8(255 * v * v), uint8(127.5 + 127*math.Sin(40*u*v+10*v)), 255})
		}
	}
	return img
}

func encoded(t testing.TB, encode func(w *bytes.Buffer) error) []byte {
	t.Helper()
	var w bytes.Buffer
	if err := encode(&w); err != nil {
		t.Fatal(err)
	}
	return w.Bytes()
}

// files are images of every format.
func files(t testing.TB) map[string][]byte {
	t.Helper()
	img := scene(90, 61)
	return map[string][]byte{
		"jpeg": encoded(t, func(w *bytes.Buffer) error { return jpeg.Encode(w, img, nil) }),
		"png":  encoded(t, func(w *bytes.Buffer) error { return png.Encode(w, img) }),
		"gif":  encoded(t, func(w *bytes.Buffer) error { return gif.Encode(w, img, nil) }),
		"tiff": encoded(t, func(w *bytes.Buffer) error { return tiff.Encode(w, img, nil) }),
		"bmp":  encoded(t, func(w *bytes.Buffer) error { return bmp.Encode(w, img) }),
		"webp": []byte(tinyWebP),
	}
}

func jpegOf(t testing.TB, width, height int) []byte {
	t.Helper()
	return encoded(t, func(w *bytes.Buffer) error { return jpeg.Encode(w, scene(width, height), nil) })
}

// buffer is a buffer for an input of that size.
func buffer(t testing.TB, width, height, channels int, dtype models.DType, view edgelens.View) models.InputBuffer {
	t.Helper()
	spec, err := models.NewInputSpec(models.TensorSpec{Shape: []int{1, height, width, channels}, DType: dtype}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return models.InputBuffer{Spec: spec, View: view, Bytes: make([]byte, spec.Bytes())}
}

func small(t testing.TB) models.InputBuffer {
	t.Helper()
	return buffer(t, 20, 16, 3, models.Uint8, edgelens.View{Fit: edgelens.FitStretch})
}

// A helper fills every kind of buffer as this process would, and has its errors.
func TestSameAsInProcess(t *testing.T) {
	f := newFixture(t, unchanged)
	images := files(t)
	cut := images["jpeg"][:len(images["jpeg"])/2]
	images["half a JPEG"] = append(bytes.Clone(cut), 0xFF, 0xD9)
	images["a JPEG without an end"] = cut
	images["a damaged PNG"] = append(bytes.Clone(images["png"][:60]), make([]byte, 400)...)
	images["no image"] = []byte("hello")
	for name, file := range images {
		for _, view := range []edgelens.View{
			{Fit: edgelens.FitStretch}, {Fit: edgelens.FitSweep}, {Fit: edgelens.FitPad}, {Fit: edgelens.FitCenter, Region: edgelens.Region{X: 0.1, Y: 0.2, Width: 0.7, Height: 0.6}},
		} {
			t.Run(fmt.Sprintf("%s %s", name, view.Fit), func(t *testing.T) {
				buffers := func() []models.InputBuffer {
					return []models.InputBuffer{
						buffer(t, 24, 20, 3, models.Uint8, view),
						buffer(t, 9, 13, 1, models.Float32, edgelens.View{Fit: edgelens.FitCenter}),
					}
				}
				want, got := buffers(), buffers()
				wanted, wantErr := f.local.Tensors(file, want...)
				filled, err := f.Tensors(file, got...)
				if fmt.Sprint(err) != fmt.Sprint(wantErr) {
					t.Fatalf("error %v, want %v", err, wantErr)
				}
				for _, sentinel := range edgelens.Sentinels() {
					if errors.Is(err, sentinel) != errors.Is(wantErr, sentinel) {
						t.Errorf("is %v: %v", sentinel, !errors.Is(wantErr, sentinel))
					}
				}
				if filled.Image != wanted.Image || filled.View != wanted.View || len(filled.More) != len(wanted.More) {
					t.Errorf("%+v, want %+v", filled, wanted)
				}
				for i := range want {
					if !bytes.Equal(got[i].Bytes, want[i].Bytes) {
						t.Errorf("tensor %d differs", i)
					}
				}
				for i := range filled.More {
					if !bytes.Equal(filled.More[i], wanted.More[i]) {
						t.Errorf("part %d differs", i+1)
					}
				}
			})
		}
	}
	if n := f.metric(t, "edgelens_decode_helpers_started_total"); n != 1 {
		t.Errorf("%v helpers were started", n)
	}
	if n := f.metric(t, "edgelens_decoder_messages_total"); n == 0 {
		t.Error("no message was counted")
	}
}

// Images of several goroutines are decoded at a time, each into its own buffer; a large one
// after small ones, and the other way round.
func TestManyAtATime(t *testing.T) {
	f := newFixture(t, unchanged)
	images := [][]byte{jpegOf(t, 50, 40), jpegOf(t, 900, 700), encoded(t, func(w *bytes.Buffer) error { return bmp.Encode(w, scene(1300, 1000)) })}
	want := make([][]byte, len(images))
	for i, file := range images {
		b := small(t)
		if _, err := f.local.Tensors(file, b); err != nil {
			t.Fatal(err)
		}
		want[i] = b.Bytes
	}
	var working sync.WaitGroup
	for worker := range 5 {
		working.Go(func() {
			for round := range 12 {
				i, b := (worker+round)%len(images), small(t)
				if _, err := f.Tensors(images[i], b); err != nil {
					t.Error(err)
				} else if !bytes.Equal(b.Bytes, want[i]) {
					t.Errorf("the tensor of image %d differs", i)
				}
			}
		})
	}
	working.Wait()
	if n := f.metric(t, "edgelens_decode_helpers_started_total"); n > 3 {
		t.Errorf("%v helpers were started, with a limit of 3", n)
	}
}

// The largest input that a model may have fits, and a small one after it.
func TestLargeTensors(t *testing.T) {
	f := newFixture(t, unchanged)
	file := jpegOf(t, 300, 200)
	for _, into := range []models.InputBuffer{
		buffer(t, 4096, 4096, 3, models.Float32, edgelens.View{Fit: edgelens.FitStretch}),
		buffer(t, 1000, 1000, 3, models.Float32, edgelens.View{Fit: edgelens.FitSweep}), small(t),
	} {
		want := into
		want.Bytes = make([]byte, len(into.Bytes))
		if _, err := f.local.Tensors(file, want); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Tensors(file, into); err != nil || !bytes.Equal(into.Bytes, want.Bytes) {
			t.Errorf("%dx%d: %v", into.Spec.Width, into.Spec.Height, err)
		}
	}
}

// An image that takes too long is refused, and at once when it is sent again; its helper is
// replaced.
func TestTimeout(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.Timeout = 150 * time.Millisecond })
	slow := coded(0xC0, 10000, 3)
	var err error
	testutil.Eventually(t, "the machine has time for it", func() bool {
		begin := time.Now()
		_, err = f.Tensors(slow, small(t))
		if took := time.Since(begin); took > maxWait+10*time.Second {
			t.Errorf("the error came after %v", took)
		}
		return !errors.Is(err, edgelens.ErrBusy)
	})
	if !errors.Is(err, edgelens.ErrBadImage) || !strings.Contains(err.Error(), "longer than 150ms") {
		t.Fatalf("%v", err)
	}
	_, again := f.Tensors(slow, small(t))
	if fmt.Sprint(again) != fmt.Sprint(err) {
		t.Errorf("the second time: %v", again)
	}
	for name, want := range map[string]float64{
		"edgelens_decode_kills_total timeout": 1, "edgelens_decode_kills_total crash": 0, "edgelens_decode_kills_total memory": 0,
		"edgelens_decode_quarantined_images": 1, "edgelens_decode_quarantine_hits_total": 1,
	} {
		if got := f.metric(t, name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	testutil.Eventually(t, "another helper decodes", func() bool {
		_, err := f.Tensors(files(t)["png"], small(t))
		return err == nil
	})
	if !f.log.Contains("decode_helper_ended") {
		t.Error("it was not logged")
	}
}

// busy returns a helper that decodes.
func (f *fixture) busy() *helper {
	p := f.helpers.(*pools).usual
	p.mu.Lock()
	defer p.mu.Unlock()
	for h := range p.alive {
		if h.busy {
			return h
		}
	}
	return nil
}

// An image whose helper ends is refused, and quarantined; others are decoded.
func TestCrash(t *testing.T) {
	for signal, want := range map[syscall.Signal]string{syscall.SIGSEGV: "crash", syscall.SIGKILL: "memory", syscall.SIGXCPU: "timeout"} {
		t.Run(want, func(t *testing.T) {
			f := newFixture(t, unchanged)
			slow := coded(0xC0, 10000, 3)
			done := make(chan error, 1)
			go func() {
				_, err := f.Tensors(slow, small(t))
				done <- err
			}()
			var h *helper
			testutil.Eventually(t, "it is being decoded", func() bool {
				h = f.busy()
				return h != nil && h.processorTime() > 0
			})
			if err := h.command.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			if err := <-done; !errors.Is(err, edgelens.ErrBadImage) {
				t.Errorf("%v", err)
			}
			if n := f.metric(t, "edgelens_decode_kills_total "+want); n != 1 {
				t.Errorf("%v were counted; %s", n, f.log)
			}
			if _, err := f.Tensors(slow, small(t)); !errors.Is(err, edgelens.ErrBadImage) || f.metric(t, "edgelens_decode_quarantine_hits_total") != 1 {
				t.Errorf("the second time: %v", err)
			}
			if _, err := f.Tensors(files(t)["jpeg"], small(t)); err != nil {
				t.Errorf("another image: %v", err)
			}
		})
	}
}

// A helper that ends while it has nothing to do costs no image.
func TestIdleHelperEnds(t *testing.T) {
	f := newFixture(t, unchanged)
	p := f.helpers.(*pools).usual
	for range 3 {
		p.mu.Lock()
		for h := range p.alive {
			h.kill()
		}
		p.mu.Unlock()
		testutil.Eventually(t, "it has ended", func() bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			return len(p.idle) == 0
		})
		if _, err := f.Tensors(files(t)["gif"], small(t)); err != nil {
			t.Fatal(err)
		}
	}
}

// Helpers that are not needed end, but for one.
func TestIdleHelpersAreDismissed(t *testing.T) {
	f := newFixture(t, unchanged)
	p := f.helpers.(*pools).usual
	var working sync.WaitGroup
	slow := jpegOf(t, 1500, 1500)
	testutil.Eventually(t, "several helpers", func() bool {
		for range 3 {
			working.Go(func() { _, _ = f.Tensors(slow, small(t)) })
		}
		working.Wait()
		return f.metric(t, "edgelens_decode_helpers idle") > 1 && f.metric(t, "edgelens_decode_helpers starting") == 0
	})
	p.mu.Lock()
	for h := range p.alive {
		h.since = h.since.Add(-maxIdle)
	}
	p.shrink.Stop()
	p.mu.Unlock()
	p.dismissIdle()
	testutil.Eventually(t, "one helper", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.alive) == 1
	})
	if _, err := f.Tensors(slow, small(t)); err != nil {
		t.Error(err)
	}
}

// A helper that is started for work in the background takes the place of one that has nothing to do.
func TestIdleHelpersGiveWay(t *testing.T) {
	f := newFixture(t, unchanged)
	all := f.helpers.(*pools)
	alive := func(p *pool) int {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.alive)
	}
	slow := jpegOf(t, 1500, 1500)
	var working sync.WaitGroup
	testutil.Eventually(t, "several helpers", func() bool {
		for range 3 {
			working.Go(func() { _, _ = f.Tensors(slow, small(t)) })
		}
		working.Wait()
		return f.metric(t, "edgelens_decode_helpers idle") > 1 && f.metric(t, "edgelens_decode_helpers starting") == 0
	})
	before := alive(all.usual)
	all.usual.giveWay(1, minIdle)
	if after := alive(all.usual); after != before {
		t.Fatalf("%d of %d helpers are left although they had work just now", after, before)
	}
	all.usual.mu.Lock()
	for h := range all.usual.alive {
		h.since = h.since.Add(-minIdle)
	}
	all.usual.mu.Unlock()
	background.Run(true, func() {
		if _, err := f.Tensors(slow, small(t)); err != nil {
			t.Error(err)
		}
	})
	testutil.Eventually(t, "one of the usual helpers gave way", func() bool { return alive(all.usual) == before-1 && alive(all.background) == 1 })
}

// All threads of helpers make way, and more so of those in the background.
func TestBackgroundHelpers(t *testing.T) {
	f := newFixture(t, unchanged)
	background.Run(true, func() {
		if _, err := f.Tensors(files(t)["jpeg"], small(t)); err != nil {
			t.Error(err)
		}
	})
	all := f.helpers.(*pools)
	if _, err := f.Tensors(files(t)["jpeg"], small(t)); err != nil {
		t.Error(err)
	}
	own, usual, low := priorities(t, os.Getpid()), helperPriorities(t, all.usual), helperPriorities(t, all.background)
	if slices.Max(usual) >= slices.Max(own) || slices.Max(low) >= slices.Min(usual) {
		t.Errorf("the priorities of the threads are %v in helpers in the background, %v in others, and %v here", low, usual, own)
	}
}

// helperPriorities are the priorities of all threads of a pool's helpers.
func helperPriorities(t *testing.T, p *pool) (list []int) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.alive) != 1 {
		t.Fatalf("%d helpers, want one", len(p.alive))
	}
	for h := range p.alive {
		list = append(list, priorities(t, h.command.Process.Pid)...)
	}
	return list
}

// priorities are 20 - nice of all threads of a process.
func priorities(t *testing.T, process int) (list []int) {
	t.Helper()
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", process))
	if err != nil {
		t.Fatal(err)
	}
	for _, thread := range threads {
		id, _ := strconv.Atoi(thread.Name())
		if priority, err := syscall.Getpriority(syscall.PRIO_PROCESS, id); err == nil { // else it has ended
			list = append(list, priority)
		}
	}
	return list
}

// Without helpers images are decoded in this process, with a warning where they were wanted.
func TestIsolation(t *testing.T) {
	usable := hooked.Load()
	defer hooked.Store(usable)
	for name, test := range map[string]struct {
		isolation string
		usable    bool
		fails     bool
		warns     bool
		helpers   float64
	}{
		"off":                       {IsolationOff, true, false, false, 0},
		"auto":                      {IsolationAuto, true, false, false, 1},
		"auto, without helpers":     {IsolationAuto, false, false, true, 0},
		"required, without helpers": {IsolationRequire, false, true, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			hooked.Store(test.usable)
			local, err := preprocess.New(preprocess.DefaultConfig())
			if err != nil {
				t.Fatal(err)
			}
			defer local.Close()
			var log testutil.LogBuffer
			registry, config := prometheus.NewRegistry(), DefaultConfig()
			config.Isolation = test.isolation
			p, err := New(config, Parts{Local: local, Settings: preprocess.DefaultConfig(), Helpers: 1, Log: log.Logger(), Metrics: registry})
			if (err != nil) != test.fails {
				t.Fatalf("error: %v", err)
			}
			if test.fails {
				return
			}
			defer p.Close()
			if _, err := p.Tensors(files(t)["jpeg"], small(t)); err != nil {
				t.Error(err)
			}
			if n := testutil.Metrics(t, registry)["edgelens_decode_helpers_started_total"]; n != test.helpers {
				t.Errorf("%v helpers", n)
			}
			if log.Contains("decode_in_process") != test.warns {
				t.Errorf("the log is %s", &log)
			}
		})
	}
}

// Helpers that do not come up are given up where one never did.
func TestHelpersThatDoNotStart(t *testing.T) {
	for _, isolation := range []string{IsolationAuto, IsolationRequire} {
		local, err := preprocess.New(preprocess.DefaultConfig())
		if err != nil {
			t.Fatal(err)
		}
		defer local.Close()
		var log testutil.LogBuffer
		settings := preprocess.DefaultConfig()
		settings.MaxSide = -1 // no helper takes that
		config := DefaultConfig()
		config.Isolation = isolation
		p, err := New(config, Parts{Local: local, Settings: settings, Helpers: 2, Log: log.Logger(), Metrics: prometheus.NewRegistry()})
		if isolation == IsolationRequire {
			if err == nil || !strings.Contains(err.Error(), "max_side") {
				t.Errorf("required: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		for range 2 {
			if _, err := p.Tensors(files(t)["jpeg"], small(t)); err != nil {
				t.Error(err)
			}
		}
		if !log.Contains("decode_in_process") {
			t.Error("no warning")
		}
	}
}

// Closing ends a decode in progress, without blaming its image.
func TestClose(t *testing.T) {
	f := newFixture(t, unchanged)
	done := make(chan error, 1)
	go func() {
		_, err := f.Tensors(coded(0xC0, 10000, 3), small(t))
		done <- err
	}()
	testutil.Eventually(t, "it is being decoded", func() bool { return f.busy() != nil })
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil && !errors.Is(err, edgelens.ErrStopping) {
		t.Errorf("the decode in progress: %v", err)
	}
	if n, _ := f.quarantine.counts(); n != 0 {
		t.Error("its image is quarantined")
	}
	if _, err := f.Tensors(files(t)["png"], small(t)); !errors.Is(err, edgelens.ErrStopping) {
		t.Errorf("after it: %v", err)
	}
}

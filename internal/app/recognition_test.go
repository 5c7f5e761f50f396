//go:build cgo

package app

import (
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"sync"
	"testing"

	"edgelens/models"
	"edgelens/models/modeltest"
)

const path = "/api/recognize"

// Red is red, in every element type that a model can have, through decoding,
// color order, normalization, quantization and labels.
func TestColors(t *testing.T) {
	for name, options := range map[string]modeltest.Options{
		"uint8":                 {Side: 32, DType: models.Uint8, Softmax: true},
		"int8":                  {Side: 32, DType: models.Int8, Softmax: true},
		"float32":               {Side: 32, DType: models.Float32, Softmax: true},
		"uint8 over int8":       {Side: 32, DType: models.Uint8, Softmax: true, Int8Inside: true},
		"uint8 with logits":     {Side: 32, DType: models.Uint8},
		"int8 with logits":      {Side: 32, DType: models.Int8},
		"float32 with logits":   {Side: 32, DType: models.Float32},
		"an input of one pixel": {Side: 1, DType: models.Uint8, Softmax: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := settings(t)
			options.Labels = modeltest.Labels()
			put(t, c, "colors.tflite", modeltest.Mean(options))
			c.Model = "colors"
			s := start(t, c)
			for color, rgb := range colors {
				a := s.form(path, modeltest.Image(rgb, 640, 480))
				if a.status != 200 || len(a.Predictions) != 3 {
					t.Fatalf("%s: %d %s", color, a.status, a.body)
				}
				// exp(2) / (exp(2) + 2): one channel at 1, two at -1.
				if p := a.Predictions[0]; p.Label != color || p.Probability < 0.77 || p.Probability > 0.80 {
					t.Errorf("%s: got %+v, want %s with 0.787", color, a.Predictions, color)
				}
				if a.Image.Width != 640 || a.Image.Height != 480 || a.Image.Format != "png" {
					t.Errorf("image %+v", a.Image)
				}
			}
		})
	}
}

// A model that is copied into the folder of a running service can be used at once.
func TestDroppedModel(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	s := start(t, c)
	image := modeltest.Image(modeltest.Green, 50, 50)
	if a := s.form(path+"?model=late", image); a.status != 404 {
		t.Errorf("before: %d %s", a.status, a.body)
	}
	put(t, c, "late.tflite", modeltest.Mean(modeltest.Options{Side: 8, DType: models.Float32, Softmax: true}))
	put(t, c, "late.txt", []byte("rouge\nvert\nbleu\n"))
	a := s.form(path+"?model=late", image)
	if a.status != 200 || a.Predictions[0].Label != "vert" || a.Model.Name != "late" {
		t.Errorf("after: %d %s", a.status, a.body)
	}
}

// The known answers about photographs, and Coral's published floors, which are for the whole
// image, stretched.
func TestRightAnswers(t *testing.T) {
	c := settings(t)
	withShared(t, c)
	s := start(t, c)
	for _, want := range []struct {
		model, image string
		class        int
		onTop        bool
		floor        float64
	}{
		{"", "cat.bmp", 286, true, 0.6},
		{"", "grace_hopper.bmp", 653, true, 0.5},
		{"", "sunflower.bmp", 986, true, 0.5},
		{"", "bird.bmp", 20, true, 0.5},
		{"", "cat_720p.jpg", 286, true, 0.6},
		{"", "cat_1080p.jpg", 286, true, 0.6},
		{"mobilenet_v2_1.0_224_int8", "cat.bmp", 286, true, 0.6},
		{"mobilenet_v2_1.0_224_uint8", "cat.bmp", 286, true, 0.7},
		{"mobilenet_v1_0.25_128_uint8", "cat.bmp", 283, false, 0.25},
	} {
		t.Run(want.model+" "+want.image, func(t *testing.T) {
			a := s.form(path+"?model="+want.model, readImage(t, want.image))
			if a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			stretched := s.form(path+"?fit=stretch&model="+want.model, readImage(t, want.image))
			for _, a := range []*answer{a, stretched} {
				if want.onTop && a.top() != want.class {
					t.Errorf("class %d is on top, want %d: %s", a.top(), want.class, a.body)
				}
			}
			score := 0.0
			for _, p := range stretched.Predictions { // the top 3
				if p.ClassID == want.class {
					score = p.Probability
				}
			}
			if score <= want.floor {
				t.Errorf("class %d has %v, want above %v", want.class, score, want.floor)
			}
		})
	}
	if a := s.form(path, readImage(t, "cat.bmp")); a.Predictions[0].Label != "Egyptian cat" {
		t.Errorf("class 286 is called %q", a.Predictions[0].Label)
	}
}

// The same bytes give the same predictions in every form, computed and cached.
func TestRequestFormatsAgree(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	s := start(t, c)
	image := modeltest.Image(modeltest.Blue, 123, 45)
	want := s.form(path+"?cache=false", image)
	for name, a := range map[string]*answer{
		"form":           s.form(path, image),
		"raw":            s.raw(path, image),
		"base64":         s.base64(path, image),
		"raw, bypass":    s.raw(path+"?cache=false", image),
		"base64, bypass": s.base64(path+"?cache=false", image),
		"cached route":   s.form("/api/recognize_cached", image),
	} {
		if a.status != 200 || !reflect.DeepEqual(a.Predictions, want.Predictions) || a.Image != want.Image {
			t.Errorf("%s: %d %s, want %s", name, a.status, a.body, want.body)
		}
	}
}

func TestCache(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	put(t, c, "other.tflite", modeltest.Mean(modeltest.Options{Side: 16, DType: models.Int8, Softmax: true, Labels: modeltest.Labels()}))
	s := start(t, c)
	image, another := modeltest.Image(modeltest.Red, 30, 30), modeltest.Image(modeltest.Green, 30, 30)
	for i, step := range []struct {
		target string
		image  []byte
		want   string
	}{
		{path, image, "MISS"},
		{path, image, "HIT"},
		{"/api/recognize_cached", image, "HIT"},
		{path + "?top_k=3", image, "HIT"}, // the default
		{path + "?top_k=2", image, "MISS"},
		{path + "?min_score=0.5", image, "MISS"},
		{path + "?model=other", image, "MISS"},
		{path + "?model=other", image, "HIT"},
		{path, another, "MISS"},
		{path + "?cache=false", image, "BYPASS"},
		{path + "?cache=false&top_k=1", another, "BYPASS"},
		{path + "?top_k=1", another, "MISS"}, // a bypass fills nothing
	} {
		a := s.form(step.target, step.image)
		if got := a.header.Get("X-Cache"); got != step.want || a.Cached != (step.want == "HIT") {
			t.Errorf("step %d, %s: X-Cache %s and cached %v, want %s", i, step.target, got, a.Cached, step.want)
		}
	}
	hits, misses, bypasses := metric(s, `edgelens_cache_requests_total{result="hit"}`), metric(s, `edgelens_cache_requests_total{result="miss"}`), metric(s, `edgelens_cache_requests_total{result="bypass"}`)
	if hits != 4 || misses != 6 || bypasses != 2 {
		t.Errorf("%v hits, %v misses, %v bypasses", hits, misses, bypasses)
	}
}

// metric reads one sample from /metrics; -1 if it is not there.
func metric(s *service, name string) float64 {
	s.t.Helper()
	sample := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindSubmatch(s.get("/metrics").body)
	if sample == nil {
		return -1
	}
	v, err := strconv.ParseFloat(string(sample[1]), 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

// The names that dashboards and alerts rely on.
func TestMetricNames(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	s := start(t, c)
	s.form(path, modeltest.Image(modeltest.Red, 30, 30))
	for _, name := range []string{
		`edgelens_requests_total{model="colors",outcome="ok",source="http"}`,
		`edgelens_request_seconds_count{model="colors",source="http"}`,
		`edgelens_stage_seconds_count{model="colors",stage="queue"}`,
		`edgelens_stage_seconds_count{model="colors",stage="decode"}`,
		`edgelens_stage_seconds_count{model="colors",stage="preprocess"}`,
		`edgelens_stage_seconds_count{model="colors",stage="inference"}`,
		`edgelens_stage_seconds_count{model="colors",stage="postprocess"}`,
		`edgelens_cache_requests_total{result="miss"}`,
		`edgelens_http_responses_total{route="/api/recognize",status="200"}`,
	} {
		if got := metric(s, name); got != 1 {
			t.Errorf("%s is %v, want 1", name, got)
		}
	}
	s.jobs.worker.Shutdown() // so that what is queued stays so
	s.async(t, "/api/recognize_async?queue=bulk", modeltest.Image(modeltest.Red, 31, 31), nil)
	for name, want := range map[string]float64{
		`edgelens_queue_depth{queue="bulk",state="queued"}`:         1,
		`edgelens_queue_depth{queue="bulk",state="running"}`:        0,
		`edgelens_queue_depth{queue="interactive",state="queued"}`:  0,
		`edgelens_queue_depth{queue="interactive",state="running"}`: 0,
	} {
		if got := metric(s, name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	for _, name := range []string{
		`edgelens_interpreters{model="colors",state="idle"}`,
		`edgelens_model_load_seconds{model="colors"}`,
		`process_resident_memory_bytes`, `go_goroutines`,
	} {
		if got := metric(s, name); got <= 0 {
			t.Errorf("%s is %v", name, got)
		}
	}
}

// Concurrent requests, valid and invalid and with different models, each get their own result, and the service is ready
// afterwards.
func TestConcurrentRequests(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	put(t, c, "other.tflite", modeltest.Mean(modeltest.Options{Side: 16, DType: models.Float32, Softmax: true, Labels: modeltest.Labels()}))
	s := start(t, c)
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for round := range 10 {
				for color, rgb := range colors {
					model := []string{"colors", "other"}[round%2]
					image := modeltest.Image(rgb, 20+n, 20+round)
					if a := s.form(fmt.Sprintf("%s?model=%s", path, model), image); a.status != 200 || a.Predictions[0].Label != color {
						t.Errorf("%s: %d %s", color, a.status, a.body)
					}
					if a := s.raw(path, image[:len(image)-20]); a.status != 422 {
						t.Errorf("cut off: %d %s", a.status, a.body)
					}
				}
			}
		})
	}
	wg.Wait()
	if a := s.form(path, modeltest.Image(modeltest.Red, 9, 9)); a.status != 200 {
		t.Errorf("afterwards: %d", a.status)
	}
}

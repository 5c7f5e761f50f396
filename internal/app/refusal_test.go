//go:build cgo

package app

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/config"
	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/testutil"
	"edgelens/models"
	"edgelens/models/modeltest"
)

func asJPEG(t testing.TB, width, height int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, width, height)), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// largeJPEG is asJPEG of a square whose side is a multiple of 16, made of a small one: encoding it takes ten times as long
// as decoding it under the race detector. Behind the first 8x8 block all are coded alike, four of them in three bytes.
func largeJPEG(t testing.TB, side int) []byte {
	t.Helper()
	small := asJPEG(t, 64, 8)
	at := bytes.Index(small, []byte{0xff, 0xc0}) + 5
	binary.BigEndian.PutUint16(small[at:], uint16(side))
	binary.BigEndian.PutUint16(small[at+2:], uint16(side))
	second := bytes.Index(small, []byte{0xff, 0xda}) + 10 + 3 // the first block ends in the third byte
	more := side/8*(side/8)/4 - 2                             // small has eight blocks
	return slices.Concat(small[:second], bytes.Repeat(small[second:second+3], more), small[second:])
}

// What largeJPEG makes is what the encoder makes.
func TestLargeJPEG(t *testing.T) {
	for _, side := range []int{32, 64, 480} {
		if !bytes.Equal(largeJPEG(t, side), asJPEG(t, side, side)) {
			t.Errorf("an image of %d pixels a side differs", side)
		}
	}
}

// jpegBomb is a JPEG whose header claims 65500x16000 pixels.
func jpegBomb(t testing.TB) []byte {
	t.Helper()
	b := asJPEG(t, 8, 8)
	at := bytes.Index(b, []byte{0xff, 0xc0}) + 5
	binary.BigEndian.PutUint16(b[at:], 16000)
	binary.BigEndian.PutUint16(b[at+2:], 65500)
	return b
}

// Client errors in the image itself. Each gets a problem with the right status, and the next image is recognized.
func TestRefusedImages(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	c.Preprocess.MaxPixels = 1_000_000
	s := start(t, c)
	good := modeltest.Image(modeltest.Red, 64, 64)
	photo := asJPEG(t, 200, 100)
	for name, c := range map[string]struct {
		image  []byte
		status int
		code   string
	}{
		"empty":           {nil, 400, "no_image"},
		"text":            {[]byte("this is not an image"), 415, "unsupported_format"},
		"html":            {[]byte("<!doctype html><p>404"), 415, "unsupported_format"},
		"gif, no frame":   {[]byte("GIF89a\x01\x00\x01\x00\x00\x00\x00;"), 422, "bad_image"},
		"tiff, cut":       {[]byte("II*\x00\x08\x00\x00\x00"), 422, "bad_image"},
		"heic":            {[]byte("\x00\x00\x00\x18ftypheic"), 415, "unsupported_format"},
		"openexr":         {[]byte("\x76\x2f\x31\x01\x02\x00\x00\x00"), 415, "unsupported_format"},
		"radiance":        {[]byte("#?RADIANCE\n"), 415, "unsupported_format"},
		"dicom":           {append(make([]byte, 128), "DICM"...), 415, "unsupported_format"},
		"nitf":            {[]byte("NITF02.10"), 415, "unsupported_format"},
		"truncated jpeg":  {photo[:len(photo)/2], 422, "bad_image"},
		"jpeg header":     {photo[:100], 422, "bad_image"},
		"truncated png":   {good[:len(good)-20], 422, "bad_image"},
		"png signature":   {good[:8], 422, "bad_image"},
		"jpeg bomb":       {jpegBomb(t), 422, "bad_image"},
		"too many pixels": {asJPEG(t, 1001, 1000), 422, "bad_image"},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			a := s.raw(path, c.image)
			runtime.ReadMemStats(&after)
			if a.status != c.status || a.Code != c.code || a.Detail == "" {
				t.Errorf("got %d %s, want %d %s", a.status, a.body, c.status, c.code)
			}
			if got := a.header.Get("Content-Type"); got != "application/problem+json" {
				t.Errorf("content type %q", got)
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 16<<20 {
				t.Errorf("refusing %d bytes took %d MB", len(c.image), grown>>20)
			}
			if a := s.form(path+"?cache=false", good); a.status != 200 || a.Predictions[0].Label != "red" {
				t.Errorf("the next image: %d %s", a.status, a.body)
			}
		})
	}
}

// noisyJPEG is a photograph of noise, each alike.
func noisyJPEG(t testing.TB) []byte {
	t.Helper()
	noise := rand.New(rand.NewPCG(5, 6))
	img := image.NewGray(image.Rect(0, 0, 96, 96))
	for i := range img.Pix {
		img.Pix[i] = byte(noise.Uint32())
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Warnings of the decoder about a damaged image are in the result; and an image whose decoding fails after a warning
// has no result, least of all that of the previous one.
func TestDamagedImages(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	s := start(t, c)
	good := noisyJPEG(t)
	cut := append(bytes.Clone(good[:len(good)/2]), 0xFF, 0xD9)
	a := s.raw(path, cut)
	if a.status != 200 || !strings.Contains(string(a.body), `"damaged":true`) || !strings.Contains(string(a.body), "The image is damaged") {
		t.Errorf("cut and closed: %d %s", a.status, a.body)
	}
	if a := s.raw(path, good); a.status != 200 || strings.Contains(string(a.body), "damaged") {
		t.Errorf("whole: %d %s", a.status, a.body)
	}
	if a := s.raw(path+"?cache=false", modeltest.Image(modeltest.Red, 64, 64)); a.status != 200 || a.Predictions[0].Label != "red" {
		t.Fatalf("red: %d %s", a.status, a.body)
	}
	if a := s.raw(path+"?cache=false", warnedJPEG(64, 64)); a.status != 422 {
		t.Errorf("warned, then fatal: %d %s", a.status, a.body)
	}
}

// warnedJPEG is a progressive JPEG with a scan that refines what was never there (a
// warning of libjpeg) and then one that cannot be (a fatal error).
func warnedJPEG(width, height int) []byte {
	segment := func(marker byte, payload ...byte) []byte {
		return append([]byte{0xFF, marker, byte((len(payload) + 2) >> 8), byte(len(payload) + 2)}, payload...)
	}
	table := func(class, symbol byte) []byte {
		return segment(0xC4, append([]byte{class, 1}, append(make([]byte, 15), symbol)...)...)
	}
	scan := func(parameters ...byte) []byte {
		return append(segment(0xDA, parameters...), make([]byte, width*height/64)...)
	}
	return bytes.Join([][]byte{
		{0xFF, 0xD8}, segment(0xDB, append([]byte{0}, bytes.Repeat([]byte{1}, 64)...)...),
		segment(0xC2, 8, byte(height>>8), byte(height), byte(width>>8), byte(width), 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0),
		table(0, 0), scan(3, 1, 0, 2, 0, 3, 0, 0, 0, 0), table(0x10, 0xE0),
		scan(1, 1, 0, 1, 63, 0x32), scan(1, 1, 0, 1, 63, 0x51), {0xFF, 0xD9},
	}, nil)
}

func TestRefusedOptions(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	s := start(t, c)
	good := modeltest.Image(modeltest.Red, 64, 64)
	for query, want := range map[string]int{
		"model=nope": 404, "model=..%2Fcolors": 404, "model=%2Fetc%2Fpasswd": 404, "model=colors%00": 404,
		"top_k=0": 400, "top_k=-3": 400, "top_k=1001": 400, "top_k=x": 400,
		"min_score=-0.1": 400, "min_score=1.1": 400, "min_score=NaN": 400, "min_score=high": 400, "cache=perhaps": 400,
		"fit=crop": 400, "fit=CENTER": 400, "fit=": 400, "region=0,0,1": 400, "region=NaN,0,1,1": 400, "region=0,0,1e9,1": 400, "region=": 400,
	} {
		if a := s.form(path+"?"+query, good); a.status != want || a.Detail == "" {
			t.Errorf("%s: got %d %s, want %d", query, a.status, a.body, want)
		}
	}
}

// An unusable model causes a problem with the reason, without the folder or the runtime's message, each time, and the
// service continues with the others.
func TestUnusableModels(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	small := modeltest.Options{Side: 8, DType: models.Uint8, Labels: modeltest.Labels()}
	put(t, c, "failing.tflite", modeltest.FailingInvoke(small))
	put(t, c, "truncated.tflite", modeltest.Truncated())
	put(t, c, "page.tflite", []byte("<!doctype html><title>404 Not Found</title>"))
	put(t, c, "two.tflite", modeltest.TwoOutputs(small))
	put(t, c, "sound.tflite", modeltest.NotAnImage())
	names := map[string]string{
		"failing": "fails on an image of noise", "truncated": "truncated", "page": "web page", "two": "2 outputs", "sound": "shape [1 3]",
	}
	if dir := testutil.SharedFolder(); dir != "" {
		b, err := os.ReadFile(filepath.Join(dir, "models", "model_invoking_error.tflite"))
		if err != nil {
			t.Fatal(err)
		}
		put(t, c, "model_invoking_error.tflite", b)
		names["model_invoking_error"] = "custom operator"
	}
	s := start(t, c)
	good := modeltest.Image(modeltest.Red, 64, 64)
	for name, why := range names {
		for range 2 {
			a := s.form(path+"?model="+name, good)
			if a.status != 500 || a.Code != "model_unusable" || !strings.Contains(a.Detail, why) || strings.Contains(string(a.body), c.ModelsDir) {
				t.Errorf("%s: got %d %s", name, a.status, a.body)
			}
		}
		if a := s.get("/api/models/" + name); !strings.Contains(string(a.body), `"state":"failed"`) || !strings.Contains(string(a.body), `"problem":`) {
			t.Errorf("%s is listed as %s", name, a.body)
		}
		if a := s.form(path+"?cache=false", good); a.status != 200 {
			t.Errorf("after %s: %d %s", name, a.status, a.body)
		}
	}
	t.Run("one that is put right works", func(t *testing.T) {
		small.Softmax = true
		put(t, c, "page.tflite", modeltest.Mean(small))
		if a := s.form(path+"?model=page", good); a.status != 200 {
			t.Errorf("got %d %s", a.status, a.body)
		}
	})
}

// Many clients at a time are queued: none is rejected while its answer comes in time.
func TestLoadIsQueued(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	s := start(t, c)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range 3 {
				if a := s.raw(path+"?cache=false", modeltest.Image(modeltest.Red, 64, 64)); a.status != 200 {
					t.Errorf("%d %s", a.status, a.body)
				}
			}
		})
	}
	wg.Wait()
}

// What cannot be answered in the client's time is rejected at once, with the predicted wait.
func TestBusy(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	c.Inference.Interpreters, c.Recognize.Slots = 1, 2
	s := start(t, c)
	slow := largeJPEG(t, 7008) // 49 megapixels take a while to decode
	if a := s.raw(path+"?cache=false", slow); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	const clients = 60
	var wg sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	for range clients {
		wg.Go(func() {
			start := time.Now()
			a := s.sendWith("POST", path+"?cache=false", http.Header{"Content-Type": {"image/jpeg"}, "Prefer": {"wait=3"}}, slow)
			mu.Lock()
			defer mu.Unlock()
			statuses[a.status]++
			if a.status != http.StatusServiceUnavailable {
				return
			}
			seconds, err := strconv.Atoi(a.header.Get("Retry-After"))
			if err != nil || seconds < 1 || a.Code != "busy" {
				t.Errorf("Retry-After %q, %s", a.header.Get("Retry-After"), a.body)
			}
			t.Logf("refused after %v", time.Since(start))
		})
	}
	wg.Wait()
	if statuses[200] < 1 || statuses[503] < 1 || statuses[200]+statuses[503]+statuses[504] != clients {
		t.Errorf("statuses %v, want some 200 and the rest 503, but for predictions that were wrong", statuses)
	}
	if a := s.get("/healthz"); a.status != 200 {
		t.Errorf("healthz under load: %d", a.status)
	}
	if a := s.form(path, modeltest.Image(modeltest.Red, 9, 9)); a.status != 200 {
		t.Errorf("afterwards: %d", a.status)
	}
}

// Without the configured model the service does not start, and the error has the command that fetches it; nor where
// other nodes' jobs would get another model than they mean.
func TestNoModel(t *testing.T) {
	supervisetest.FindRedis(t)
	for name, change := range map[string]func(*config.Config){
		"a model is named": func(c *config.Config) { c.Model = "mobilenet_v2_1.0_224_int8" },
		"jobs are shared":  func(c *config.Config) { c.Jobs.RedisURL = "redis://127.0.0.1:1/0" },
	} {
		t.Run(name, func(t *testing.T) {
			c := settings(t)
			change(c)
			err := Serve(t.Context(), c, "test", &bytes.Buffer{}, Reload{})
			if !errors.Is(err, edgelens.ErrModel) || !strings.Contains(err.Error(), "edgelens model pull") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestCorruptDefaultModel(t *testing.T) {
	supervisetest.FindRedis(t)
	for name, model := range map[string][]byte{"truncated": modeltest.Truncated(), "empty": {}, "a page": []byte("<html>")} {
		t.Run(name, func(t *testing.T) {
			c := settings(t)
			put(t, c, "bad.tflite", model)
			c.Model = "bad"
			if err := Serve(t.Context(), c, "test", &bytes.Buffer{}, Reload{}); !errors.Is(err, edgelens.ErrModel) {
				t.Errorf("got %v, want ErrModel", err)
			}
		})
	}
}

//go:build cgo

package app

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"net/http"
	"testing"

	"edgelens"
	"edgelens/models/modeltest"
)

// bandsOf returns a PNG of bands side by side, each as wide as the image is high.
func bandsOf(height int, bands ...color.Color) []byte {
	img := image.NewRGBA(image.Rect(0, 0, height*len(bands), height))
	for i, band := range bands {
		draw.Draw(img, image.Rect(i*height, 0, (i+1)*height, height), image.NewUniform(band), image.Point{}, draw.Src)
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		panic(err) // writing to a bytes.Buffer never fails
	}
	return out.Bytes()
}

// A wide image gets the answer of what is shown of it, in every form of the option, and says
// what that was.
func TestViews(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	s := start(t, c)
	wide := bandsOf(32, modeltest.Red, modeltest.Green, modeltest.Blue)
	left := &regionAnswer{Width: 0.3, Height: 1}
	for query, want := range map[string]struct {
		label string
		view  viewAnswer
	}{
		"":                                    {"green", viewAnswer{"center", nil, 1}},
		"?fit=center":                         {"green", viewAnswer{"center", nil, 1}},
		"?region=0,0,0.3,1":                   {"red", viewAnswer{"center", left, 1}},
		"?region=0,0,0.3,1&fit=stretch":       {"red", viewAnswer{"stretch", left, 1}},
		"?fit=pad&region=0,0,0.3,1":           {"red", viewAnswer{"pad", left, 1}},
		"?region=0.7,0,0.3,1":                 {"blue", viewAnswer{"center", &regionAnswer{X: 0.7, Width: 0.3, Height: 1}, 1}},
		"?fit=sweep&region=0,0,0.3,1":         {"red", viewAnswer{"sweep", left, 3}},
		"?fit=stretch&region=0,0,1,1&top_k=1": {"", viewAnswer{"stretch", nil, 1}},
		"?fit=sweep&top_k=1":                  {"", viewAnswer{"sweep", nil, 5}},
	} {
		for name, send := range map[string]func(string, []byte) *answer{"form": s.form, "raw": s.raw, "base64": s.base64} {
			a := send(path+query, wide)
			if a.status != 200 || want.label != "" && a.Predictions[0].Label != want.label || !a.View.equals(want.view) {
				t.Errorf("%s %s: %d %s, want %+v", name, query, a.status, a.body, want)
			}
		}
	}
	for _, query := range []string{"?region=0,0,0.05,1", "?region=0.5,0,0.6,1", "?region=NaN,0,1,1", "?region=1e9,0,1,1", "?region=-1,0,1,1", "?region=0,0,0,0", "?fit=crop"} {
		if a := s.raw(path+query, wide); a.status != http.StatusBadRequest || a.Detail == "" {
			t.Errorf("%s: %d %s, want a 400", query, a.status, a.body)
		}
	}
}

// A job has the answer of the same request, and one whose region is too small fails for good.
func TestViewsOfJobs(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	s := start(t, c)
	wide := bandsOf(32, modeltest.Red, modeltest.Green, modeltest.Blue)
	for query, label := range map[string]string{"": "green", "?region=0,0,0.3,1&fit=stretch": "red"} {
		done := s.wait(t, s.async(t, "/api/recognize_async"+query, wide, nil))
		if done.Status != "succeeded" || done.Result.Predictions[0].Label != label {
			t.Errorf("%s: %+v", query, done)
		}
	}
	failed := s.wait(t, s.async(t, "/api/recognize_async?region=0,0,0.05,1", wide, nil))
	if failed.Status != "failed" || failed.Attempts != 1 || failed.Error == nil || failed.Error.Code != edgelens.Code(edgelens.ErrInvalid) {
		t.Errorf("a region of too few pixels: %+v", failed)
	}
}

// The service's setting is for requests that say nothing else, such as those of the clients
// of the reference service.
func TestFitOfTheService(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	c.Preprocess.Fit = edgelens.FitStretch
	s := start(t, c)
	wide := bandsOf(32, modeltest.Red, modeltest.Red, modeltest.Red, modeltest.Green, modeltest.Red)
	if a := s.raw(path, wide); a.Predictions[0].Label != "red" || a.View.Fit != "stretch" {
		t.Errorf("%s", a.body)
	}
	wide = bandsOf(32, modeltest.Red, modeltest.Green, modeltest.Red)
	if a := s.raw(path+"?fit=center", wide); a.Predictions[0].Label != "green" || a.View.Fit != "center" {
		t.Errorf("%s", a.body)
	}
}

// Images of one row and of one column have answers by every fit.
func TestThinImages(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	s := start(t, c)
	for _, fit := range edgelens.Fits() {
		for _, thin := range [][]byte{modeltest.Image(modeltest.Blue, 5000, 1), modeltest.Image(modeltest.Blue, 1, 5000)} {
			a := s.raw(path+"?fit="+string(fit), thin)
			if a.status != 200 || fit != edgelens.FitPad && a.Predictions[0].Label != "blue" || a.View.Count > edgelens.MaxSweep {
				t.Errorf("%s: %d %s", fit, a.status, a.body)
			}
		}
	}
}

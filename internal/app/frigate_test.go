//go:build cgo

package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"maps"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"edgelens/internal/testutil"
	"edgelens/models/modeltest"
)

// frigateCase is an image, and the part of it that is shown, as left, top, right and bottom edge.
type frigateCase struct {
	image []byte
	crop  [4]float64
}

// region is the crop in the form of the API.
func (c frigateCase) region() string {
	return fmt.Sprintf("%g,%g,%g,%g", c.crop[0], c.crop[1], c.crop[2]-c.crop[0], c.crop[3]-c.crop[1])
}

// stripes returns a PNG of vertical stripes of three shades with a slope of brightness, so that every resize changes it.
func stripes(width, height int, shades [3]color.RGBA) []byte {
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			c := shades[x/7%3]
			dim := uint8(y * 60 / height)
			img.SetRGBA(x, y, color.RGBA{c.R - min(c.R, dim), c.G - min(c.G, dim), c.B - min(c.B, dim), 255})
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		panic(err) // writing to a bytes.Buffer never fails
	}
	return out.Bytes()
}

// frigateCases are images of any size and crop. Their shades are between clear and doubtful.
func frigateCases() map[string]frigateCase {
	gray, reddish, bluish, greenish := color.RGBA{90, 90, 90, 255}, color.RGBA{200, 60, 40, 255}, color.RGBA{30, 70, 180, 255}, color.RGBA{80, 220, 90, 255}
	whole := [4]float64{0, 0, 1, 1}
	return map[string]frigateCase{
		"closed.png":   {stripes(224, 224, [3]color.RGBA{reddish, gray, reddish}), whole},
		"open.png":     {stripes(1280, 720, [3]color.RGBA{bluish, bluish, gray}), [4]float64{0.25, 0.125, 0.75, 0.875}},
		"none.png":     {stripes(640, 360, [3]color.RGBA{greenish, gray, gray}), whole},
		"doubtful.png": {stripes(300, 500, [3]color.RGBA{reddish, bluish, gray}), [4]float64{0.5, 0.5, 1, 1}},
		"bright.png":   {stripes(100, 100, [3]color.RGBA{{255, 250, 240, 255}, {255, 255, 255, 255}, {250, 240, 255, 255}}), whole},
	}
}

// frigateModel puts a model of Frigate into the models folder, as a copy of a folder of its model_cache.
func frigateModel(t testing.TB, dir, name string) {
	t.Helper()
	folder := filepath.Join(dir, name)
	if err := os.MkdirAll(folder, 0o750); err != nil {
		t.Fatal(err)
	}
	for file, data := range map[string][]byte{
		"model.tflite": modeltest.Frigate(), "labelmap.txt": []byte(strings.Join(modeltest.FrigateLabels(), "\n") + "\n"),
	} {
		if err := os.WriteFile(filepath.Join(folder, file), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Frigate's classifiers have Frigate's answers: tools/studies/frigate/answers.py computed them by the steps of its code.
func TestFrigateAnswers(t *testing.T) {
	cases := frigateCases()
	if dir := os.Getenv("EDGELENS_FRIGATE_DIR"); dir != "" { // what answers.py needs
		frigateModel(t, filepath.Dir(dir), filepath.Base(dir))
		crops := map[string][4]float64{}
		for name, one := range cases {
			crops[name] = one.crop
			if err := os.WriteFile(filepath.Join(dir, name), one.image, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		text, err := json.Marshal(crops)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "crops.json"), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile("testdata/frigate_answers.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]struct {
		Label  string
		Score  float64
		Shares []float64
	}
	if err := json.Unmarshal(golden, &want); err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(cases)); !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
		t.Fatalf("the golden has other images than %v", got)
	}
	c := settings(t)
	withColors(t, c)
	frigateModel(t, c.ModelsDir, "gate")
	s := start(t, c)
	for name, one := range cases {
		t.Run(name, func(t *testing.T) {
			a := s.raw(path+"?top_k=3&model=gate&region="+url.QueryEscape(one.region()), one.image)
			if a.status != 200 || len(a.Predictions) != 3 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			best := a.Predictions[0]
			if best.Label != want[name].Label || math.Abs(best.Probability-want[name].Score) > 0.01 {
				t.Errorf("%s %.3f, Frigate has %s %.2f", best.Label, best.Probability, want[name].Label, want[name].Score)
			}
			for _, p := range a.Predictions {
				if share := want[name].Shares[slices.Index(modeltest.FrigateLabels(), p.Label)]; math.Abs(p.Probability-share) > 0.01 {
					t.Errorf("%s: %.4f, Frigate has %.4f", p.Label, p.Probability, share)
				}
			}
		})
	}
}

// A folder is taken up, and its labels replaced, while the service runs.
func TestFrigateModelIsFollowed(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	s, _, _ := servingWith(t, c, looksOften)
	frigateModel(t, c.ModelsDir, "gate")
	image := frigateCases()["open.png"].image
	testutil.Eventually(t, "the folder is a model", func() bool {
		a := s.raw(path+"?model=gate", image)
		return a.status == 200 && a.Predictions[0].Label == "open"
	})
	put(t, c, "gate/labelmap.txt", []byte("zu\nnichts\noffen\n"))
	testutil.Eventually(t, "its labels are replaced", func() bool {
		a := s.raw(path+"?model=gate", image)
		return a.status == 200 && a.Predictions[0].Label == "offen"
	})
}

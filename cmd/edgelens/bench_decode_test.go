//go:build cgo

package main

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edgelens/models/modeltest"
	"edgelens/models/tflitefile"
)

// striped draws a JPEG of fine stripes, which change where it is reduced.
func striped(t *testing.T) string {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 96, 64))
	for i := range img.Pix {
		img.Pix[i] = uint8(i * i / 7)
	}
	img.Set(0, 0, color.White)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return file(t, "striped.jpg", b.Bytes())
}

func TestBenchDecodeReports(t *testing.T) {
	model := file(t, "tiny.tflite", modeltest.Network(tflitefile.Uint8))
	image := striped(t)
	measure := func(t *testing.T) string {
		out := filepath.Join(t.TempDir(), "report.md")
		status, _, stderr := runCommand(t, nil, "bench", "decode", model, "--images", image, "--sizes", "48x32,128x96", "--variants", "2",
			"--margins", "1,12,64", "--rounds", "1", "--out", out)
		if status != 0 || !strings.Contains(stderr, "8 of 8: done") {
			t.Fatalf("status %d: %s", status, stderr)
		}
		report, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		return string(report)
	}
	report := measure(t)
	for _, want := range []string{"9 images: 1 JPEG files as they are and 8 made of striped.jpg", "## tiny", "| 128x96 |", "| control, in full | 8 |", "| first class scored 0.5 or more in full |", "\n| 1 | 9 |", "\n| 12 | 4 |", "\n| 64 | 0 | |"} {
		if !strings.Contains(report, want) {
			t.Errorf("it lacks %q:\n%s", want, report)
		}
	}
	answers := func(report string) string { return report[strings.Index(report, "## tiny"):] }
	if again := measure(t); answers(again) != answers(report) {
		t.Errorf("the second time it is\n%s\nand was\n%s", answers(again), answers(report))
	}
}

func TestBenchDecodeRefuses(t *testing.T) {
	model, image := file(t, "tiny.tflite", modeltest.Network(tflitefile.Uint8)), striped(t)
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no image":             {nil, "--images"},
		"a missing image":      {[]string{"--images", "/no/such.jpg"}, "/no/such.jpg"},
		"what is no image":     {[]string{"--images", model}, "decode"},
		"a size":               {[]string{"--images", image, "--sizes", "large"}, "--sizes"},
		"a size of nothing":    {[]string{"--images", image, "--sizes", "0x10"}, "--sizes"},
		"a margin that is off": {[]string{"--images", image, "--margins", "0.5"}, "--margins"},
		"no variants":          {[]string{"--images", image, "--variants", "0"}, "--variants"},
	} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "report.md")
			status, _, stderr := runCommand(t, nil, append([]string{"bench", "decode", model, "--out", out}, test.args...)...)
			if _, err := os.Stat(out); status != 1 || !strings.Contains(stderr, test.want) || err == nil {
				t.Errorf("status %d: %s, and %v", status, stderr, err)
			}
		})
	}
}

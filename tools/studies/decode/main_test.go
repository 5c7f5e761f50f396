//go:build cgo

package main

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edgelens/inference/probe"
	"edgelens/inference/tflite"
	"edgelens/models/modeltest"
	"edgelens/models/tflitefile"
)

// This test binary is also the child process that tries models.
func TestMain(m *testing.M) {
	probe.Main(tflite.New())
	os.Exit(m.Run())
}

func file(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// striped draws a JPEG of fine stripes, which change when it is reduced.
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

func TestDecodeReports(t *testing.T) {
	model := file(t, "tiny.tflite", modeltest.Network(tflitefile.Uint8))
	image := striped(t)
	measure := func(t *testing.T) string {
		out := filepath.Join(t.TempDir(), "report.md")
		var stdout, stderr bytes.Buffer
		err := run(t.Context(), []string{model, "--images", image, "--sizes", "48x32,128x96", "--variants", "2",
			"--margins", "1,12,64", "--rounds", "1", "--out", out}, &stdout, &stderr)
		if err != nil || !strings.Contains(stderr.String(), "8 of 8: done") {
			t.Fatalf("%v: %s", err, &stderr)
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

func TestDecodeRejects(t *testing.T) {
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
			err := run(t.Context(), append([]string{model, "--out", out}, test.args...), io.Discard, io.Discard)
			if _, missing := os.Stat(out); err == nil || !strings.Contains(err.Error(), test.want) || missing == nil {
				t.Errorf("%v, and %v", err, missing)
			}
		})
	}
}

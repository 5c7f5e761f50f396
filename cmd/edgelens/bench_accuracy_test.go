//go:build cgo

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edgelens/benchmarks/accuracy"
	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/testutil"
	"edgelens/models"
	"edgelens/models/modeltest"
)

// brightnessEnvironment has the models of brightness: a float32 and a legacy uint8 one.
func brightnessEnvironment(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	writeFiles(t, dir, map[string][]byte{
		"models/light.tflite": modeltest.Brightness{Labels: modeltest.BrightnessLabels()}.File(),
		"models/other.tflite": modeltest.Brightness{Labels: modeltest.BrightnessLabels(), Input: models.Uint8, Scale: 1 / 127.5, ZeroPoint: 127}.File(),
		"models/two.tflite":   modeltest.Brightness{Labels: []string{"dark", "bright"}, Slopes: []float64{-60, 60}, Offsets: []float64{20, -40}}.File(),
	})
	return []string{"EDGELENS_DATA_DIR=" + dir, "EDGELENS_MODEL=light"}
}

func writeFiles(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	for name, data := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// sides is a wide image: its middle has one gray level and the rest another.
func sides(middle, rest uint8) []byte {
	wide := image.NewGray(image.Rect(0, 0, 90, 30))
	for i := range wide.Pix {
		wide.Pix[i] = rest
		if x := i % 90; x >= 30 && x < 60 {
			wide.Pix[i] = middle
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, wide); err != nil {
		panic(err) // into memory
	}
	return out.Bytes()
}

// labeledFolder has eight images that are right in the middle, two that are right if stretched, and two that are wrong.
func labeledFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for i := range 4 {
		writeFiles(t, dir, map[string][]byte{
			fmt.Sprintf("dark/%d.png", i): sides(40, 255), fmt.Sprintf("Bright/%d.png", i): sides(215, 0),
			fmt.Sprintf("middle/%d.png", i): [][]byte{sides(10, 160), sides(10, 160), modeltest.Gray("dark"), modeltest.Gray("bright")}[i],
		})
	}
	return dir
}

// accuracyRuns returns the folders of runs in out.
func accuracyRuns(t *testing.T, out string) []string {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(out, "accuracy-*"))
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

// summaryOf returns the report of the only run in out.
func summaryOf(t *testing.T, out string) accuracy.Summary {
	t.Helper()
	dirs := accuracyRuns(t, out)
	if len(dirs) != 1 {
		t.Fatalf("folders %q", dirs)
	}
	data, err := os.ReadFile(filepath.Join(dirs[0], "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s accuracy.Summary
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestBenchAccuracy(t *testing.T) {
	environ, out, images := brightnessEnvironment(t), t.TempDir(), labeledFolder(t)
	writeFiles(t, images, map[string][]byte{"dark/torn.png": sides(40, 40)[:80], "dark/text.jpg": []byte("no image"), "purple/a.png": sides(1, 1), "loose.png": sides(1, 1)})
	status, stdout, stderr := runCommand(t, environ, "bench", "accuracy", images, "--out", out, "--frame", "as-is,16:9", "--delegate", "auto,none", "--markdown", filepath.Join(out, "a.md"), "--title", "Mine")
	if status != 0 {
		t.Fatalf("status %d\n%s%s", status, stdout, stderr)
	}
	s := summaryOf(t, out)
	right := map[string]int{}
	for _, v := range s.Frames[0].Variants {
		right[v.Name] = v.Top1.Right
		if v.Top1.N != 12 || v.MedianMS <= 0 || v.Top5 != nil {
			t.Errorf("%+v", v)
		}
	}
	if right["center"] != 8 || right["stretch"] != 2 || right["pad"] > 8 || s.Frames[1].Frame != "16:9" || s.Frames[1].Variants[0].Top1.N != 12 {
		t.Errorf("right %v, %+v", right, s.Frames[1].Variants[0])
	}
	p := s.Frames[0].Variants[1].Paired
	if p.OnlyBeside != 8 || p.OnlyThis != 2 || p.Real() {
		t.Errorf("%+v", p)
	}
	for _, want := range []string{"2 images without a class of the model", "purple/a.png (purple: no class", "2 files not an image that can be decoded, counted apart: ", "With 12 images the interval of top-1 is", "not distinguishable"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is missing in\n%s", want, stdout)
		}
	}
	if len(s.Run.Unmatched) != 2 || len(s.Failures) != 2 {
		t.Errorf("%+v, %+v", s.Run.Unmatched, s.Failures)
	}
	if text, err := os.ReadFile(filepath.Join(out, "a.md")); err != nil || !strings.HasPrefix(string(text), "# Mine\n") || strings.Contains(string(text), images) {
		t.Errorf("%v\n%s", err, text)
	}
	t.Run("report", func(t *testing.T) {
		name := filepath.Join(accuracyRuns(t, out)[0], "report.md")
		before, err := os.ReadFile(name)
		if err == nil {
			err = os.Remove(name)
		}
		if err != nil {
			t.Fatal(err)
		}
		if status, _, stderr := runCommand(t, environ, "bench", "report", accuracyRuns(t, out)[0]); status != 0 {
			t.Fatal(stderr)
		}
		if after, err := os.ReadFile(name); err != nil || string(after) != string(before) {
			t.Errorf("the report was not made again: %v", err)
		}
	})
}

func TestBenchAccuracyOfModels(t *testing.T) {
	environ, out := brightnessEnvironment(t), t.TempDir()
	images := t.TempDir()
	writeFiles(t, images, map[string][]byte{"a.png": modeltest.Gray("dark"), "b.png": modeltest.Gray("bright"), "labels.csv": []byte("file;class_id;label\na.png;0;dark\nb.png;;bright\nc.png;1;\n")})
	status, stdout, stderr := runCommand(t, environ, "bench", "accuracy", images, "--out", out, "--fit", "stretch", "--model", "light,other", "--requantize", "false,true", "--reduce-jpeg", "0,2",
		"--require", "as-is, other stretch, stretch, 0", "--require", "as-is, other stretch, stretch, +-0")
	if status != 0 || !strings.Contains(stdout, "1 file absent, counted apart: c.png.") || !strings.Contains(stdout, "reached") || !strings.Contains(stdout, "requantized is not measured") {
		t.Fatalf("status %d\n%s%s", status, stdout, stderr)
	}
	var names []string
	for _, v := range summaryOf(t, out).Run.Variants {
		names = append(names, v.Name)
	}
	if got := strings.Join(names, ","); got != "stretch,reduce_jpeg 2,other stretch,other reduce_jpeg 2" {
		t.Errorf("variants %s", got)
	}
	status, stdout, stderr = runCommand(t, environ, "bench", "accuracy", images, "--out", t.TempDir(), "--fit", "stretch,pad", "--require", "as-is, pad, stretch, 1")
	if status != 1 || !strings.Contains(stderr, "1 of 1 required difference missed: as-is: pad, against stretch is +0.0 points and must be at least +1 points") || !strings.Contains(stdout, "MISSED") {
		t.Errorf("a missed one: status %d\n%s%s", status, stdout, stderr)
	}
}

func TestBenchAccuracyIsRejected(t *testing.T) {
	environ, images := brightnessEnvironment(t), labeledFolder(t)
	other := t.TempDir()
	writeFiles(t, other, map[string][]byte{"purple/a.png": sides(1, 1), "only/b.txt": nil})
	text := t.TempDir()
	writeFiles(t, text, map[string][]byte{"dark/a.png": []byte("no image")})
	for name, tt := range map[string]struct {
		args []string
		want string
		left int // folders
	}{
		"no folder":               {nil, "arg(s)", 0},
		"none of that name":       {[]string{"/no/such/folder"}, "sub-folder for each class", 0},
		"a file":                  {[]string{file(t, "a.txt", nil)}, "sub-folder for each class", 0},
		"an empty folder":         {[]string{t.TempDir()}, "no labeled images", 0},
		"no known class":          {[]string{other}, "has a class of the model; the first is purple/a.png (purple", 0},
		"no image":                {[]string{text}, "none of the 1 labeled image could be recognized; dark/a.png", 1},
		"a fit":                   {[]string{images, "--fit", "center,squash"}, "--fit", 0},
		"a fit twice":             {[]string{images, "--fit", "center,center"}, "--fit has the same value twice", 0},
		"a frame":                 {[]string{images, "--frame", "9:16"}, "--frame", 0},
		"a delegate":              {[]string{images, "--delegate", "gpu"}, "--delegate", 0},
		"a size":                  {[]string{images, "--reduce-jpeg", "0.5"}, "--reduce-jpeg", 0},
		"write without precision": {[]string{images, "--write", "new.yaml"}, "--write needs --precision", 0},
		"a precision":             {[]string{images, "--precision", "95"}, "--precision", 0},
		"a model":                 {[]string{images, "--model", "light,unheard"}, "unheard", 0},
		"models of other sizes":   {[]string{images, "--model", "light,two"}, "two has 2 classes and the first model 3", 0},
		"a requirement":           {[]string{images, "--require", "center is best"}, "--require", 0},
		"an unknown variant":      {[]string{images, "--require", "as-is, center, zoom, 1"}, "measured are center, stretch, sweep, pad", 0},
		"no run to continue":      {[]string{images, "--resume", t.TempDir()}, "--resume", 0},
		"settings of a target":    {[]string{images, "--target", "http://127.0.0.1:1", "--delegate", "auto,none"}, "--delegate cannot be varied with --target", 0},
		"a target that is no URL": {[]string{images, "--target", "here"}, "--target", 0},
		"no service":              {[]string{images, "--target", "http://127.0.0.1:1"}, "127.0.0.1:1", 0},
	} {
		t.Run(name, func(t *testing.T) {
			out := t.TempDir()
			status, _, stderr := runCommand(t, environ, append([]string{"bench", "accuracy", "--out", out}, tt.args...)...)
			if status == 0 || !strings.Contains(stderr, tt.want) {
				t.Errorf("status %d, %q, want %q", status, stderr, tt.want)
			}
			if left := accuracyRuns(t, out); len(left) != tt.left {
				t.Errorf("it left %q", left)
			}
		})
	}
}

func TestBenchAccuracyWritesThreshold(t *testing.T) {
	environ, images := brightnessEnvironment(t), labeledFolder(t)
	unsure := modeltest.Image(color.Gray{Y: 85}, 16, 16) // as dark as middle, with a probability of 0.5
	writeFiles(t, images, map[string][]byte{"Bright/unsure.png": unsure, "Bright/unsure_too.png": unsure})
	t.Chdir(t.TempDir())
	precision := func(args ...string) (int, string, string) {
		return runCommand(t, environ, append([]string{"bench", "accuracy", images, "--out", t.TempDir(), "--fit", "center"}, args...)...)
	}
	status, stdout, stderr := precision("--precision", "0.65")
	if status != 0 || !strings.Contains(stdout, "Threshold for a precision of 65.0%: 0.5") || !strings.Contains(stdout, "Warning: These are too few images") || !strings.Contains(stdout, "Put it into your settings") {
		t.Fatalf("without a file: status %d\n%s%s", status, stdout, stderr)
	}
	if status, stdout, stderr = precision("--precision", "1"); status != 1 || !strings.Contains(stderr, "no threshold keeps a precision of 100.0%") || !strings.Contains(stdout, "Thresholds") {
		t.Errorf("out of reach: status %d\n%s%s", status, stdout, stderr)
	}
	writeFiles(t, ".", map[string][]byte{"edgelens.yaml": []byte("# mine\nterminal:\n  top_k: 2 # two\n")})
	if status, stdout, stderr = precision("--precision", "0.65"); status != 0 || !strings.Contains(stdout, "Written to edgelens.yaml: terminal.min_score: 0.5") {
		t.Fatalf("the file in use: status %d\n%s%s", status, stdout, stderr)
	}
	if text, err := os.ReadFile("edgelens.yaml"); err != nil || !strings.Contains(string(text), "# mine\nterminal:\n  min_score: 0.5") || !strings.Contains(string(text), "top_k: 2 # two") {
		t.Errorf("%v\n%s", err, text)
	}
	if status, stdout, stderr = precision("--precision", "0.1", "--write", "none.yaml"); status != 0 || !strings.Contains(stdout, "no threshold is needed") {
		t.Errorf("a precision that all answers have: %d %s%s", status, stdout, stderr)
	}
	if _, err := os.Stat("none.yaml"); err == nil {
		t.Error("a threshold of 0 is written")
	}
	if status, stdout, stderr = precision("--precision", "0.65", "--write", "new.yaml"); status != 0 {
		t.Fatalf("a new file: status %d\n%s%s", status, stdout, stderr)
	}
	if status, stdout, stderr = runCommand(t, environ, "config", "--config", "new.yaml"); status != 0 || !strings.Contains(stdout, "min_score: 0.5") {
		t.Errorf("serve could not read it: %s%s", stdout, stderr)
	}
}

func TestInterruptedBenchAccuracyIsContinued(t *testing.T) {
	environ, out, images := brightnessEnvironment(t), t.TempDir(), labeledFolder(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	progressed := writerFunc(func(p []byte) (int, error) {
		if strings.Contains(string(p), "5 of 12") {
			cancel()
		}
		return len(p), nil
	})
	var stdout, stderr strings.Builder
	args := []string{"bench", "accuracy", images, "--out", out, "--inference-interpreters", "1"}
	status := execute(ctx, args, environ, &stdout, io.MultiWriter(progressed, &stderr))
	dirs := accuracyRuns(t, out)
	if status != 1 || !strings.Contains(stdout.String(), "NOT COMPLETE: it was interrupted") || len(dirs) != 1 || !strings.Contains(stderr.String(), "--resume "+dirs[0]) {
		t.Fatalf("status %d, %q\n%s%s", status, dirs, &stdout, &stderr)
	}
	status, _, text := runCommand(t, environ, append(args, "--seed", "2", "--resume", dirs[0])...)
	if status != 1 || !strings.Contains(text, "the seed differ") {
		t.Errorf("other parameters: status %d, %s", status, text)
	}
	writeFiles(t, dirs[0], map[string][]byte{"torn": nil})
	status, done, text := runCommand(t, environ, append(args, "--resume", dirs[0])...)
	if status != 0 || strings.Contains(done, "NOT COMPLETE") {
		t.Fatalf("status %d\n%s%s", status, done, text)
	}
	if s := summaryOf(t, out); s.Frames[0].Variants[3].Top1.N != 12 || s.Frames[0].Variants[0].Top1.Right != 8 || s.Images != 12 {
		t.Errorf("%+v", s.Frames[0].Variants)
	}
}

// serveForTest starts a service and returns its URL.
func serveForTest(t *testing.T, environ []string) string {
	t.Helper()
	supervisetest.FindRedis(t)
	address, log, ended := testutil.FreeAddress(t), &testutil.LogBuffer{}, make(chan int, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		ended <- execute(ctx, []string{"serve"}, append(environ, "EDGELENS_LISTEN="+address, "EDGELENS_MQTT_LISTEN="), io.Discard, log)
	}()
	t.Cleanup(func() {
		cancel()
		if status := <-ended; status != 0 {
			t.Errorf("serve ended with status %d\n%s", status, log)
		}
	})
	testutil.Eventually(t, "the service is ready", func() bool { return log.Contains("msg=ready") })
	return "http://" + address
}

// A service gives the same answers as this process.
func TestBenchAccuracyOfATarget(t *testing.T) {
	environ, images := brightnessEnvironment(t), labeledFolder(t)
	base := serveForTest(t, environ)
	var shares [2][]accuracy.Share
	for i, args := range [][]string{{"--target", base}, nil} {
		out := t.TempDir()
		status, stdout, stderr := runCommand(t, environ, append([]string{"bench", "accuracy", images, "--out", out, "--frame", "as-is,2:1"}, args...)...)
		if status != 0 {
			t.Fatalf("%q: status %d\n%s%s", args, status, stdout, stderr)
		}
		s := summaryOf(t, out)
		if s.Run.Variants[0].Model != "light" || s.Run.Variants[0].Digest == "" || s.Run.Classes != 3 || s.Run.Labels[2] != "bright" {
			t.Errorf("%q: %+v", args, s.Run)
		}
		for _, in := range s.Frames {
			for _, v := range in.Variants {
				shares[i] = append(shares[i], v.Top1)
			}
		}
	}
	if len(shares[0]) != 8 || fmt.Sprint(shares[0]) != fmt.Sprint(shares[1]) {
		t.Errorf("the service %v\nthis process %v", shares[0], shares[1])
	}
}

// On 400 images with labels, the default is more often right than stretching (docs/accuracy.md).
func TestBenchAccuracyOnLabeledImages(t *testing.T) {
	testutil.SkipIfShort(t, "it recognizes 400 images")
	images, shared := testutil.Shared(t, "labelled"), testutil.Shared(t, "models")
	dir, out := t.TempDir(), t.TempDir()
	status, stdout, stderr := runCommand(t, []string{"EDGELENS_DATA_DIR=" + dir, "EDGELENS_MODELS_DIR=" + shared}, "bench", "accuracy", images, "--out", out, "--fit", "center,stretch", "--require", "as-is, center, stretch, 3.5")
	if status != 0 || !strings.Contains(stdout, "real") {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
}

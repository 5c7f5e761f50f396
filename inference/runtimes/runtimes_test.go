//go:build cgo && linux

package runtimes_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"edgelens"
	"edgelens/inference"
	"edgelens/inference/inferencetest"
	"edgelens/inference/litert"
	"edgelens/inference/runtimes"
	"edgelens/models/modeltest"
	"edgelens/models/tflitefile"
)

func write(t *testing.T, file []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.tflite")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func newSet(t *testing.T) *runtimes.Set {
	t.Helper()
	set := runtimes.New(runtimes.Config{})
	t.Cleanup(func() {
		for range 2 { // closing twice is harmless
			if err := set.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return set
}

// withLiteRT skips the test where LiteRT is not installed.
func withLiteRT(t *testing.T) *runtimes.Set {
	t.Helper()
	set := newSet(t)
	if _, err := set.LiteRT(); err != nil {
		t.Skipf("make setup RUNTIME=litert installs LiteRT: %v", err)
	}
	return set
}

// run opens a model and returns what runs it.
func run(set *runtimes.Set, path string, options inference.Options) (d inference.Delegation, err error) {
	options.Threads = 1
	model, err := set.Open(path, options)
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, model.Close()) }()
	i, err := model.NewInterpreter()
	if err != nil {
		return d, err
	}
	return i.Delegation(), errors.Join(i.Invoke(), i.Close())
}

// newerModel returns a model with an operator that LiteRT has and TensorFlow Lite lacks.
func newerModel(t *testing.T, set *runtimes.Set) string {
	t.Helper()
	for version := 1; version < 30; version++ {
		m, err := tflitefile.Read(modeltest.Brightness{Last: tflitefile.Softmax, Slopes: []float64{-4, 0, 4}, Offsets: []float64{2, 0.4, -2}, Labels: modeltest.BrightnessLabels()}.File())
		if err != nil {
			t.Fatal(err)
		}
		last := m.Main().Operators[len(m.Main().Operators)-1]
		last.Version = version
		file, err := m.Write()
		if err != nil {
			t.Fatal(err)
		}
		path := write(t, file)
		_, own := run(set, path, inference.Options{Runtime: inference.RuntimeTFLite})
		if _, other := run(set, path, inference.Options{Runtime: inference.RuntimeLiteRT}); own != nil && other == nil {
			return path
		}
	}
	t.Skip("this TensorFlow Lite has every version of SOFTMAX that LiteRT has")
	return ""
}

func TestContract(t *testing.T) {
	path := write(t, modeltest.Mean(modeltest.Options{Side: 8}))
	t.Run("TensorFlow Lite", func(t *testing.T) { inferencetest.Run(t, newSet(t), path) })
	t.Run("LiteRT", func(t *testing.T) {
		set := withLiteRT(t)
		inferencetest.Run(t, set, newerModel(t, set))
	})
}

func TestRuntimeAsAsked(t *testing.T) {
	set := withLiteRT(t)
	path := write(t, modeltest.Mean(modeltest.Options{Side: 8}))
	for asked, want := range map[string]string{
		"": inference.RuntimeTFLite, inference.RuntimeAuto: inference.RuntimeTFLite, inference.RuntimeTFLite: inference.RuntimeTFLite, inference.RuntimeLiteRT: inference.RuntimeLiteRT,
	} {
		got, err := run(set, path, inference.Options{Runtime: asked})
		if err != nil || got.Runtime != want || got.Version == "" {
			t.Errorf("%q: %+v, %v, want %s", asked, got, err, want)
		}
	}
	if _, err := run(set, path, inference.Options{Runtime: "openvino"}); !errors.Is(err, edgelens.ErrModel) || !strings.Contains(err.Error(), `no runtime "openvino"`) {
		t.Errorf("an unknown runtime: %v", err)
	}
}

// By default LiteRT runs the models with operators that TensorFlow Lite lacks.
func TestLiteRTForNewerOperators(t *testing.T) {
	set := withLiteRT(t)
	path := newerModel(t, set)
	got, err := run(set, path, inference.Options{Runtime: inference.RuntimeAuto})
	if err != nil || got.Runtime != inference.RuntimeLiteRT || got.Version != litert.Version {
		t.Errorf("%+v, %v, want LiteRT", got, err)
	}
	if _, err := run(set, path, inference.Options{Runtime: inference.RuntimeTFLite}); !errors.Is(err, edgelens.ErrModel) {
		t.Errorf("TensorFlow Lite alone: %v, want ErrModel", err)
	}
}

// Without LiteRT, the error has the operator, the version and the command that installs it.
func TestNewerOperatorWithoutLiteRT(t *testing.T) {
	path := newerModel(t, withLiteRT(t))
	t.Setenv(litert.RootVariable, t.TempDir())
	set := newSet(t)
	for asked, wants := range map[string][]string{
		inference.RuntimeAuto:   {"version ", "of the operator SOFTMAX", "TensorFlow Lite ", "edgelens runtime install litert"},
		inference.RuntimeLiteRT: {"LiteRT is not installed", "edgelens runtime install litert"},
	} {
		_, err := run(set, path, inference.Options{Runtime: asked})
		for _, want := range wants {
			if !errors.Is(err, edgelens.ErrModel) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", asked, err, want)
			}
		}
	}
	for _, r := range set.List() {
		if installed := r.Problem == ""; installed != (r.Name == inference.RuntimeTFLite) {
			t.Errorf("%+v", r)
		}
	}
	if strings.Contains(set.Versions(), inference.RuntimeLiteRT) {
		t.Errorf("%s, want TensorFlow Lite alone", set.Versions())
	}
}

// Two Sets share the one LiteRT of a process; it is there for one when the other is closed.
func TestTwoSets(t *testing.T) {
	first, second := withLiteRT(t), newSet(t)
	path := write(t, modeltest.Mean(modeltest.Options{Side: 8}))
	options := inference.Options{Runtime: inference.RuntimeLiteRT}
	for _, set := range []*runtimes.Set{first, second} {
		if _, err := run(set, path, options); err != nil {
			t.Fatal(err)
		}
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := run(second, path, options); err != nil {
		t.Error(err)
	}
}

// A folder of one's own is looked at, too.
func TestFolder(t *testing.T) {
	library, err := withLiteRT(t).LiteRT()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(litert.RootVariable, "")
	set := runtimes.New(runtimes.Config{Folder: filepath.Dir(library)})
	if got, err := set.LiteRT(); err != nil || got != library {
		t.Errorf("%s, %v, want %s", got, err, library)
	}
}

// python puts a program in the place of Python, whose pip does what the script does.
func python(t *testing.T, script string) {
	t.Helper()
	folder := t.TempDir()
	const versioned = "#!/bin/sh\ncase \"$*\" in *--version*) exit 0;; esac\n"
	if err := os.WriteFile(filepath.Join(folder, "python3"), []byte(versioned+script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
}

// What goes wrong with the installation is an error that names what to do, and nothing
// stays behind.
func TestInstallErrors(t *testing.T) {
	const out = "while [ \"$1\" != --dest ]; do shift; done\n"
	for name, c := range map[string]struct{ script, architecture, want string }{
		"no network":           {"echo 'no connection' >&2; exit 1", "amd64", "check the network and run the command again; or copy libLiteRt.so"},
		"no wheel":             {"exit 0", "amd64", "0 files in place of one"},
		"a file that is none":  {out + "echo no >\"$2/a.whl\"", "amd64", "open the fetched package"},
		"another architecture": {"exit 1", "riscv64", "there is no LiteRT for riscv64"},
	} {
		t.Run(name, func(t *testing.T) {
			python(t, c.script)
			folder := filepath.Join(t.TempDir(), "new", "folder")
			installer := runtimes.Installer{Architecture: c.architecture, Folder: folder}
			if err := installer.Install(t.Context(), nil); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if left, _ := filepath.Glob(filepath.Join(folder, "*")); len(left) > 0 || installer.IsInstalled() {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// An installed library that was damaged is noticed, and one of another architecture is none.
func TestIsInstalled(t *testing.T) {
	library, err := withLiteRT(t).LiteRT()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(library)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	installer := runtimes.Installer{Architecture: runtime.GOARCH, Folder: folder}
	put := func() {
		for _, file := range litert.Wheels[runtime.GOARCH].Files {
			content := data
			if file.Name != filepath.Base(library) {
				if content, err = os.ReadFile(filepath.Join(filepath.Dir(library), file.Name)); err != nil {
					t.Skip("not everything of LiteRT is there: ", err)
				}
			}
			if err := os.WriteFile(filepath.Join(folder, file.Name), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if put(); !installer.IsInstalled() {
		t.Error("the library is there, but is not taken for it")
	}
	data = append([]byte{}, data...)
	data[len(data)/2]++
	if put(); installer.IsInstalled() {
		t.Error("a damaged library is taken for the library")
	}
}

//go:build cgo && linux

package litert_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"edgelens"
	"edgelens/inference"
	"edgelens/inference/litert"
	"edgelens/models/modeltest"
	"edgelens/models/tflitefile"
)

// The tests of this file run in child processes: they use another Vulkan driver or
// another folder of libraries, or watch what the process prints.

// rootVariable is, in a child, the folder of the libraries.
const rootVariable = "EDGELENS_TEST_LITERT_ROOT"

// passes runs the test in a child process, which must pass and print nothing else.
func passes(t *testing.T, task string) {
	t.Helper()
	// Mesa prints without it.
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	stdout, stderr, err := child(t, task)
	if err != nil || stdout != "PASS\n" || stderr != "" {
		t.Errorf("%s: the process printed %.3000q and %.3000q (%v), want nothing but the test's PASS", task, stdout, stderr, err)
	}
}

// childBackend returns LiteRT in a child process.
func childBackend(t *testing.T, gpu bool) *litert.Backend {
	t.Helper()
	folder := os.Getenv(rootVariable)
	if folder == "" {
		folder = root(t)
	}
	b, err := litert.New(litert.Config{Path: folder, GPU: gpu})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// refused checks that the GPU is refused for the reason, with words of the sentence, and
// that the CPU goes on.
func refused(t *testing.T, b *litert.Backend, reason, words string) {
	t.Helper()
	path := write(t, modeltest.Network(tflitefile.Float32))
	for range 2 {
		err := runOnce(onGPU{b}, path, inference.DelegateAuto)
		var problem *inference.AcceleratorError
		if !errors.Is(err, edgelens.ErrModel) || !errors.As(err, &problem) || problem.Reason != reason || !strings.Contains(err.Error(), words) {
			t.Errorf("got %v, want ErrModel for the reason %s with %q", err, reason, words)
		}
	}
	if err := runOnce(b, path, inference.DelegateAuto); err != nil {
		t.Errorf("the CPU: %v", err)
	}
}

// The GPU's libraries print a lot when a model is compiled; in our process they must not.
func TestGPUPrintsNothing(t *testing.T) {
	if os.Getenv(taskVariable) == "" {
		gpuBackend(t) // or skip
		passes(t, "print")
		return
	}
	b := childBackend(t, true)
	for _, file := range [][]byte{modeltest.Network(tflitefile.Int8), modeltest.Network(tflitefile.Float32)} {
		if err := runOnce(onGPU{b}, write(t, file), inference.DelegateAuto); err != nil {
			t.Error(err)
		}
	}
	if err := runOnce(onGPU{b}, write(t, modeltest.Network(tflitefile.Uint8)), inference.DelegateAuto); !errors.Is(err, edgelens.ErrModel) {
		t.Errorf("got %v, want ErrModel", err)
	}
}

// Without the GPU requested, nothing of it is loaded.
func TestGPUNotRequested(t *testing.T) {
	root(t)
	if os.Getenv(taskVariable) == "" {
		passes(t, "unrequested")
		return
	}
	refused(t, childBackend(t, false), inference.AcceleratorNotRequested, `add "gpu" to inference.accelerators`)
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(maps), litert.LibraryFile) {
		t.Error("LiteRT is not loaded: this test cannot fail")
	}
	for _, library := range []string{litert.GPULibraryFile, "libvulkan"} {
		if strings.Contains(string(maps), library) {
			t.Errorf("%s is loaded", library)
		}
	}
}

// Without the accelerator's library, or with another one, the CPU works.
func TestGPUNotInstalled(t *testing.T) {
	for task, c := range map[string]struct {
		content []byte
		want    string
	}{
		"missing": {nil, "LiteRT's accelerator for graphics processors is not installed"},
		"damaged": {[]byte("no library"), "its SHA-256 is"},
	} {
		t.Run(task, func(t *testing.T) {
			if os.Getenv(taskVariable) == task {
				refused(t, childBackend(t, true), inference.AcceleratorNotInstalled, c.want)
			}
			if os.Getenv(taskVariable) != "" {
				return
			}
			folder := t.TempDir()
			if err := os.Symlink(filepath.Join(root(t), litert.LibraryFile), filepath.Join(folder, litert.LibraryFile)); err != nil {
				t.Fatal(err)
			}
			if c.content != nil {
				if err := os.WriteFile(filepath.Join(folder, litert.GPULibraryFile), c.content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			t.Setenv(rootVariable, folder)
			passes(t, task)
		})
	}
}

// useDriver lets Vulkan use the drivers of the file alone.
func useDriver(t *testing.T, file string) {
	t.Helper()
	t.Setenv("VK_DRIVER_FILES", file)
	t.Setenv("VK_ICD_FILENAMES", file)
}

// driverFile describes a driver to Vulkan.
func driverFile(t *testing.T, library string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "driver.json")
	text := fmt.Sprintf(`{"file_format_version": "1.0.0", "ICD": {"library_path": %q, "api_version": "1.0.5"}}`, library)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Without a usable driver, the GPU is refused and the CPU goes on.
func TestGPUNoAdapter(t *testing.T) {
	if os.Getenv(taskVariable) != "" {
		refused(t, childBackend(t, true), inference.AcceleratorNoAdapter, "raphics processor")
		return
	}
	gpuBackend(t) // or skip
	text := filepath.Join(t.TempDir(), "text.so")
	if err := os.WriteFile(text, []byte("no library"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{
		"no description": "/nonexistent.json", "no JSON": text, "no library": driverFile(t, "/nonexistent.so"),
		"no ELF": driverFile(t, text), "no driver": driverFile(t, filepath.Join(root(t), litert.LibraryFile)),
		"lavapipe": "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json", // where it is installed
	} {
		t.Run(name, func(t *testing.T) {
			useDriver(t, file)
			passes(t, name)
		})
	}
}

// A driver that fails later is an ErrInference; from then on the GPU is refused at once, and
// the CPU goes on.
func TestGPUDriverFails(t *testing.T) {
	const failsVariable = "EDGELENS_TEST_DRIVER_FAILS"
	if trigger := os.Getenv(failsVariable); trigger != "" {
		driverFails(t, trigger)
		return
	}
	gpuBackend(t) // or skip
	compiler, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("there is no gcc to build a failing driver with")
	}
	for name, how := range map[string]string{"device lost": "l", "out of memory": "m"} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			library := filepath.Join(folder, "driver.so")
			real := filepath.Join(filepath.Dir(softwareDriver), "libvk_swiftshader.so")
			words, err := exec.Command(compiler, "-shared", "-fPIC", fmt.Sprintf("-DDRIVER=%q", real), "-o", library, "testdata/failingdriver.c", "-ldl").CombinedOutput()
			if err != nil {
				t.Fatalf("build the driver: %v\n%s", err, words)
			}
			useDriver(t, driverFile(t, library))
			t.Setenv(failsVariable, filepath.Join(folder, "fails"))
			passes(t, how)
		})
	}
}

func driverFails(t *testing.T, trigger string) {
	b := childBackend(t, true)
	path := write(t, modeltest.Network(tflitefile.Float32))
	i := build(t, onGPU{b}, path, inference.DelegateAuto)
	m, err := onGPU{b}.Open(path, options(inference.DelegateAuto))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()                               // a test
	answer(t, i, make([]byte, i.Input().Bytes())) // before the driver fails
	if err := os.WriteFile(trigger, []byte(os.Getenv(taskVariable)), 0o600); err != nil {
		t.Fatal(err)
	}
	var problem *inference.AcceleratorError
	for range 3 { // the interpreter stays usable, but its device is lost
		err := errors.Join(inference.SetInput(i, make([]byte, i.Input().Bytes())), i.Invoke())
		if !errors.Is(err, edgelens.ErrInference) || !errors.As(err, &problem) || problem.Reason != inference.AcceleratorRunFailed {
			t.Fatalf("got %v, want ErrInference for the reason %s", err, inference.AcceleratorRunFailed)
		}
		if !strings.Contains(problem.Detail, "failed to invoke") || strings.Contains(err.Error(), "failed to invoke") {
			t.Errorf("got %v with the detail %q, want LiteRT's words in the detail alone", err, problem.Detail)
		}
	}
	if _, err := m.NewInterpreter(); !errors.As(err, &problem) || problem.Reason != inference.AcceleratorRunFailed {
		t.Errorf("a new interpreter: %v, want it refused", err)
	}
	refused(t, b, inference.AcceleratorRunFailed, "restart edgelens to use it again")
}

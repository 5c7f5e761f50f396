//go:build cgo && linux

package litert

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edgelens"
	"edgelens/inference"
)

// LiteRT's messages about the graphics processor become sentences.
func TestGPURefusal(t *testing.T) {
	for name, c := range map[string]struct{ words, reason, want string }{
		"no Vulkan": {
			"Warning: Couldn't load Vulkan: libvulkan.so.1: cannot open shared object file ERROR: INTERNAL: No adapters found",
			inference.AcceleratorNoAdapter, "install it and the processor's driver",
		},
		"no adapter": {"ERROR: INTERNAL: No adapters found", inference.AcceleratorNoAdapter, "/dev/dri"},
		"operators": {
			"ERROR: Following operations are not supported by GPU delegate: FULLY_CONNECTED: Expected Int8, Int4, or Int2 quantized tensor: 16 ARG_MAX: Operation is not supported. FULLY_CONNECTED: again 8 operations will run on the GPU, and the remaining 2 operations will run on the CPU.",
			inference.AcceleratorUnsupported, "all of its operators, not FULLY_CONNECTED, ARG_MAX; run it on the CPU",
		},
		"anything else": {"ERROR: it broke", inference.AcceleratorUnsupported, "all of its operators; run it on the CPU"},
	} {
		t.Run(name, func(t *testing.T) {
			err := gpuRefusal(&failure{status: 3, words: c.words})
			var a *inference.AcceleratorError
			var words *inference.RuntimeError
			if !errors.As(err, &a) || a.Reason != c.reason || !errors.Is(err, edgelens.ErrModel) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %+v, want reason %s with %q", err, c.reason, c.want)
			}
			if !errors.As(err, &words) || !strings.Contains(words.Detail, c.words) {
				t.Errorf("got the detail %+v, want LiteRT's words", words)
			}
		})
	}
	missing := gpuRefusal(&failure{words: "Didn't find op for builtin opcode 'CONV_2D' version '99'. An older version"})
	var operator *inference.OperatorError
	if !errors.As(missing, &operator) || operator.Operator != "CONV_2D" {
		t.Errorf("got %v, want an OperatorError: the CPU does not run it either", missing)
	}
}

func TestAdapterOf(t *testing.T) {
	for words, want := range map[string]string{
		"x Selected adapter: SwiftShader Device (Subzero), arch=swiftshader, vendor=google, backend=Vulkan, adapterType=CPU / Software I0000": "SwiftShader Device (Subzero), software",
		"x Selected adapter: V3D 4.2.14, arch=, vendor=broadcom, backend=Vulkan, adapterType=Integrated GPU":                                  "V3D 4.2.14",
		"nothing of it": "",
	} {
		if got := adapterOf(words); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Only the accelerator of this version is opened, and no other library beside it.
func TestCheckGPULibrary(t *testing.T) {
	folder := t.TempDir()
	if err := checkGPULibrary(folder); !errors.Is(err, inference.ErrNotInstalled) || !errors.Is(err, edgelens.ErrModel) || !strings.Contains(err.Error(), "edgelens runtime install litert") {
		t.Errorf("an empty folder: %v, want ErrNotInstalled and what to do", err)
	}
	if err := os.WriteFile(filepath.Join(folder, GPULibraryFile), []byte("no library"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := checkGPULibrary(folder); !errors.Is(err, edgelens.ErrModel) || !strings.Contains(err.Error(), "its SHA-256 is") {
		t.Errorf("a text: %v, want ErrModel about its SHA-256", err)
	}
	if err := os.WriteFile(filepath.Join(folder, uncheckedLibrary), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := checkGPULibrary(folder); !errors.Is(err, edgelens.ErrModel) || !strings.Contains(err.Error(), uncheckedLibrary+", which is unknown here") {
		t.Errorf("another accelerator: %v, want ErrModel that names it", err)
	}
}

//go:build cgo && linux

package litert

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"edgelens"
	"edgelens/inference"
)

// gpuOptions is TOML: 2 means 32-bit floating-point numbers, so that the answers are the
// CPU's. By default LiteRT computes with 16 bits where the device can.
const gpuOptions = "precision = 2\n"

// uncheckedLibrary is loaded by LiteRT in place of GPULibraryFile if it is in the same
// folder.
const uncheckedLibrary = "libLiteRtGpuAccelerator.so"

// gpu is what a Backend knows of the graphics processor.
type gpu struct {
	mu      sync.Mutex
	problem error  // why it cannot be used, nil where it may be
	adapter string // its name, "" until a model is compiled for it
}

// open opens the library of the accelerator if the graphics processor is requested. It
// returns the folder of that library, "" where it cannot be used. process must be locked.
func (g *gpu) open(requested bool, folder string) string {
	g.problem = gpuNotRequested()
	if requested {
		g.problem = openGPU(folder)
	}
	if g.problem != nil {
		return ""
	}
	return folder
}

// check returns why the graphics processor cannot be used, nil where it may be.
func (g *gpu) check() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.problem
}

// fail ends the use of the graphics processor: after a failed run, LiteRT's device is lost,
// and stays so as long as its environment, for other models, too.
func (g *gpu) fail() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.problem = gpuError(inference.AcceleratorRunFailed, fmt.Errorf("%w: the graphics processor or its driver failed before and is not used any more; restart edgelens to use it again", edgelens.ErrModel))
}

// found keeps the name of the adapter, which LiteRT reports once, and returns it.
func (g *gpu) found(name string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if name != "" {
		g.adapter = name
	}
	return g.adapter
}

// CheckGPU returns nil if models can be opened for the graphics processor, else why not:
// an inference.AcceleratorError. Whether there is an adapter is known when a model is
// compiled for it.
func (b *Backend) CheckGPU() error { return b.gpu.check() }

// checkAccelerator returns an error for an accelerator that cannot be used.
func (b *Backend) checkAccelerator(name string) error {
	switch name {
	case "":
		return nil
	case inference.AcceleratorGPU:
		return b.CheckGPU()
	}
	return fmt.Errorf("%w: LiteRT has no accelerator %q; it has %q", edgelens.ErrModel, name, inference.AcceleratorGPU)
}

// openGPU opens the library of the accelerator in folder, unless it is open. process must
// be locked.
func openGPU(folder string) error {
	path := filepath.Join(folder, GPULibraryFile)
	if process.gpuLibrary == path {
		return nil
	}
	if err := checkGPULibrary(folder); err != nil {
		return err
	}
	if err := loadGPU(path); err != nil {
		return gpuFailure(inference.AcceleratorNotInstalled, path, "LiteRT's accelerator for graphics processors cannot be opened: "+err.Error())
	}
	process.gpuLibrary = path
	return nil
}

// checkGPULibrary rejects an accelerator that is not the one of this version of LiteRT.
func checkGPULibrary(folder string) error {
	path := filepath.Join(folder, GPULibraryFile)
	if !isFile(path) {
		return gpuNotInstalled("there is no "+path, nil)
	}
	if other := filepath.Join(folder, uncheckedLibrary); isFile(other) {
		return gpuError(inference.AcceleratorNotInstalled, fmt.Errorf("%w: LiteRT would load %s, which is unknown here, in place of its accelerator; remove it", edgelens.ErrModel, other))
	}
	sum, err := digest(path)
	if err != nil {
		return gpuNotInstalled("its library cannot be read", err)
	}
	if want := digestOf(GPULibraryFile); sum != want {
		return gpuError(inference.AcceleratorNotInstalled, fmt.Errorf("%w: %s", edgelens.ErrModel, wrongDigest(path, sum, want)))
	}
	return nil
}

// compileForGPU compiles the model for the graphics processor alone.
func (i *interpreter) compileForGPU() error {
	b := i.model.backend
	if err := b.CheckGPU(); err != nil {
		return err
	}
	compiled, words, err := compile(b.environment, i.model.handle, onGPU(gpuOptions))
	adapter := b.gpu.found(adapterOf(words))
	if err != nil {
		return gpuRefusal(err)
	}
	i.compiled = compiled
	whole, err := isWhole(compiled)
	if err != nil {
		return gpuRefusal(err)
	}
	if !whole {
		return gpuUnsupported(words)
	}
	i.delegation = inference.Delegation{
		Runtime: inference.RuntimeLiteRT, Version: Version, Delegate: inference.DelegateNone,
		Accelerator: inference.AcceleratorGPU, Adapter: adapter,
	}
	return nil
}

// selected matches the message with the adapter.
var selected = regexp.MustCompile(`Selected adapter: (.+?), arch=.*?adapterType=([\w/ ]+)`)

// adapterOf returns the name of the adapter in LiteRT's messages, marked where it is
// software.
func adapterOf(words string) string {
	m := selected.FindStringSubmatch(words)
	switch {
	case m == nil:
		return ""
	case strings.Contains(m[2], "Software"):
		return m[1] + ", software"
	}
	return m[1]
}

// gpuRefusal returns the error of a model that cannot be compiled for the graphics
// processor.
func gpuRefusal(err error) error {
	var f *failure
	if errors.As(err, &f) {
		if missing := missingOperator(f); missing != nil {
			return missing // on the CPU, too
		}
	}
	words := err.Error()
	switch {
	case strings.Contains(words, "Couldn't load Vulkan"):
		return gpuFailure(inference.AcceleratorNoAdapter, words, "the graphics processor cannot be used without Vulkan, whose library libvulkan.so.1 cannot be loaded; install it and the processor's driver (on Debian: libvulkan1 and mesa-vulkan-drivers)")
	case strings.Contains(words, "No adapters found"):
		return gpuFailure(inference.AcceleratorNoAdapter, words, "no graphics processor was found that LiteRT can use; install its Vulkan driver (on Debian: mesa-vulkan-drivers) and allow this user to use /dev/dri (group render); Mesa's renderer in software, lavapipe, will not do")
	}
	return gpuUnsupported(words)
}

// unsupported matches the message about operators that the accelerator does not run, and
// operator a name in it.
var (
	unsupported = regexp.MustCompile(`not supported by GPU delegate: (.*?) \d+ operations? will run on the GPU`)
	operator    = regexp.MustCompile(`\b([A-Z][A-Z0-9_]+)(?: v\d+)?:`)
)

// gpuUnsupported returns the error of a model that the graphics processor does not run
// as a whole.
func gpuUnsupported(words string) error {
	sentence := "the graphics processor cannot run all of its operators"
	if m := unsupported.FindStringSubmatch(words); m != nil {
		var names []string
		for _, name := range operator.FindAllStringSubmatch(m[1], -1) {
			if !slices.Contains(names, name[1]) {
				names = append(names, name[1])
			}
		}
		if len(names) > 0 {
			sentence += ", not " + strings.Join(names, ", ")
		}
	}
	return gpuFailure(inference.AcceleratorUnsupported, words, sentence+"; run it on the CPU")
}

// gpuRunError returns the error of a failed run on the graphics processor.
func gpuRunError(err error) error {
	return &inference.AcceleratorError{
		Accelerator: inference.AcceleratorGPU, Reason: inference.AcceleratorRunFailed, Detail: err.Error(),
		Err: fmt.Errorf("%w: the graphics processor or its driver failed; it is not used again before edgelens is restarted", edgelens.ErrInference),
	}
}

func gpuNotRequested() error {
	return gpuError(inference.AcceleratorNotRequested, fmt.Errorf("%w: it is to run on the graphics processor, with which LiteRT was not started; add %q to inference.accelerators and restart", edgelens.ErrModel, inference.AcceleratorGPU))
}

// gpuNotInstalled returns the error about an absent accelerator, with what to do.
func gpuNotInstalled(why string, cause error) error {
	const do = "fetch it with " + install + ", or copy " + GPULibraryFile + " of the Python package " + Package + " " + Version + " there"
	if cause != nil {
		why += " (" + withoutPath(cause).Error() + ")"
	}
	return gpuError(inference.AcceleratorNotInstalled, fmt.Errorf("%w: LiteRT's accelerator for graphics processors is %w: %s; %s", edgelens.ErrModel, inference.ErrNotInstalled, why, do))
}

// gpuFailure returns an error with a sentence and LiteRT's words for logs.
func gpuFailure(reason, words, sentence string) error {
	return &inference.AcceleratorError{
		Accelerator: inference.AcceleratorGPU, Reason: reason, Detail: words,
		Err: &inference.RuntimeError{Sentence: sentence, Detail: words},
	}
}

// gpuError returns an error without words of LiteRT.
func gpuError(reason string, err error) error {
	return &inference.AcceleratorError{Accelerator: inference.AcceleratorGPU, Reason: reason, Err: err}
}

//go:build cgo && linux

package litert

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"edgelens"
	"edgelens/inference"
	"edgelens/models/tflitefile"
)

// process is what exists once in a process: the library, which stays open, and
// the environment, which belongs to the Backend that is not closed.
var process struct {
	sync.Mutex
	library    string // its path once it is open
	gpuLibrary string // the accelerator's
	inUse      bool
}

// Config configures a Backend.
type Config struct {
	// Path is the library, or the folder that holds it; "" means the one that Find finds.
	Path string
	// GPU makes it possible to open models for inference.AcceleratorGPU. Without it,
	// nothing of a graphics processor is loaded, and opening such a model is an error.
	GPU bool
}

// Backend opens .tflite files. It owns LiteRT's environment; there is one Backend at
// a time in a process.
//
// It is safe for concurrent use.
type Backend struct {
	// mu is held while objects of LiteRT are made and destroyed, which LiteRT does not
	// promise to be safe for concurrent use. Running is.
	mu          sync.Mutex
	environment handle
	models      int // that are not freed
	closed      bool

	gpu gpu
}

// New opens the library. Once opened, it is the library of this process. The error wraps
// edgelens.ErrModel; it is an ErrConflict while another Backend is not closed. That the
// accelerator for a GPU cannot be opened is no error of New but of Open, where a
// model is to run on it: the CPU works without.
func New(config Config) (*Backend, error) {
	path, err := locate(config.Path)
	if err != nil {
		return nil, err
	}
	process.Lock()
	defer process.Unlock()
	if process.inUse {
		return nil, fmt.Errorf("%w: LiteRT is open already in this process", edgelens.ErrConflict)
	}
	if err := open(path); err != nil {
		return nil, err
	}
	b := &Backend{}
	gpuFolder := b.gpu.open(config.GPU, filepath.Dir(path))
	if b.environment, err = newEnvironment(gpuFolder); err != nil {
		return nil, &inference.RuntimeError{Sentence: "LiteRT cannot be started", Detail: err.Error()}
	}
	process.inUse = true
	return b, nil
}

// open opens the library unless it is open. process must be locked.
func open(path string) error {
	if process.library == path {
		return nil
	}
	if process.library != "" {
		return fmt.Errorf("%w: LiteRT was opened from %s, and a process can open one library only; restart it", edgelens.ErrConflict, process.library)
	}
	if err := checkLibrary(path); err != nil {
		return err
	}
	if err := load(path); err != nil {
		return &inference.RuntimeError{Sentence: "the library of LiteRT cannot be opened: " + err.Error(), Detail: path}
	}
	process.library = path
	return nil
}

// checkLibrary rejects a library that is not the one that this package is written for:
// functions of other versions have the same names and other arguments.
func checkLibrary(path string) error {
	want := digestOf(LibraryFile)
	if want == "" {
		return unavailable(runtime.GOARCH)
	}
	sum, err := digest(path)
	if err != nil {
		return notInstalled("its library cannot be read", err)
	}
	if sum != want {
		return fmt.Errorf("%w: %s", edgelens.ErrModel, wrongDigest(path, sum, want))
	}
	return nil
}

// digest returns the SHA-256 of a file in hex.
func digest(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close() // read only
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// wrongDigest returns a sentence about a library that is another than expected.
func wrongDigest(path, sum, want string) string {
	return fmt.Sprintf("%s is damaged or not the library of LiteRT %s for %s: its SHA-256 is %s, not %s; fetch it with %s", path, Version, runtime.GOARCH, sum, want, install)
}

// Version returns the version of the library, for example "2.3.0".
func (*Backend) Version() string { return Version }

// Open reads the file into memory. LiteRT never sees a file that package tflitefile
// rejects.
func (b *Backend) Open(path string, options inference.Options) (inference.Model, error) {
	if err := b.checkAccelerator(options.Accelerator); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: its file cannot be read: %w", edgelens.ErrModel, withoutPath(err))
	}
	if sum := sha256.Sum256(data); options.Digest != "" && options.Digest != "sha256:"+hex.EncodeToString(sum[:]) {
		return nil, &edgelens.Busy{RetryAfter: time.Second, Reason: "the file of the model has changed since it was checked; try again"}
	}
	parsed, err := tflitefile.Read(data)
	if err != nil {
		return nil, err
	}
	m := &model{backend: b, options: options}
	if m.input, m.output, err = specsOf(parsed); err != nil {
		return nil, err
	}
	if m.file, err = newMemory(len(data)); err != nil {
		return nil, fmt.Errorf("%w: %w", edgelens.ErrModel, err)
	}
	copy(m.file.bytes(), data)
	if err := b.add(m); err != nil {
		m.file.free()
		return nil, err
	}
	return m, nil
}

// add makes LiteRT's model of the file.
func (b *Backend) add(m *model) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return fmt.Errorf("%w: LiteRT is closed", edgelens.ErrStopping)
	}
	var err error
	if m.handle, err = newModel(b.environment, m.file); err != nil {
		return refusal("LiteRT finds its file truncated or corrupt; fetch it again", err)
	}
	b.models++
	return nil
}

// Close makes Open fail, and frees the environment as soon as every model and
// interpreter is closed; a new Backend can be made from then on. Closing twice is
// harmless.
func (b *Backend) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.end()
	return nil
}

// end frees the environment if it was its last use. b.mu must be held.
func (b *Backend) end() {
	if !b.closed || b.models > 0 || b.environment == nil {
		return
	}
	destroyEnvironment(b.environment)
	b.environment = nil
	process.Lock()
	process.inUse = false
	process.Unlock()
}

// withoutPath drops the path from a file error: responses contain these sentences.
func withoutPath(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

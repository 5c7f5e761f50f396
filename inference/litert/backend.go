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
	library string // its path once it is open
	inUse   bool
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
}

// New opens the library at path, a file or the folder that holds it; "" means the one
// that Find finds. Once opened, it is the library of this process. The error wraps
// edgelens.ErrModel; it is an ErrConflict while another Backend is not closed.
func New(path string) (*Backend, error) {
	path, err := locate(path)
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
	environment, err := newEnvironment()
	if err != nil {
		return nil, &inference.RuntimeError{Sentence: "LiteRT cannot be started", Detail: err.Error()}
	}
	process.inUse = true
	return &Backend{environment: environment}, nil
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
	want := LibraryDigest()
	if want == "" {
		return fmt.Errorf("%w: there is no LiteRT for %s; there is for amd64 and arm64", edgelens.ErrModel, runtime.GOARCH)
	}
	file, err := os.Open(path)
	if err != nil {
		return notInstalled("its library cannot be read", err)
	}
	defer file.Close() // read only
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return notInstalled("its library cannot be read", err)
	}
	if sum := hex.EncodeToString(hash.Sum(nil)); sum != want {
		return fmt.Errorf("%w: %s is damaged or not the library of LiteRT %s for %s: its SHA-256 is %s, not %s; install it again by `edgelens runtime install litert`", edgelens.ErrModel, path, Version, runtime.GOARCH, sum, want)
	}
	return nil
}

// Version returns the version of the library, for example "2.3.0".
func (*Backend) Version() string { return Version }

// Open reads the file into memory. LiteRT never sees a file that package tflitefile
// rejects.
func (b *Backend) Open(path string, options inference.Options) (inference.Model, error) {
	if options.Accelerator != "" {
		return nil, fmt.Errorf("%w: LiteRT runs it on the processor only, not on the accelerator %s", edgelens.ErrModel, options.Accelerator)
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

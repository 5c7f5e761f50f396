// Package runtimes opens model files with the runtime that is asked for, or that has the
// operators of a file: TensorFlow Lite, which the program is linked with, or LiteRT, which
// is opened at run time where it is installed.
package runtimes

import (
	"fmt"
	"sync"

	"edgelens"
	"edgelens/inference"
	"edgelens/inference/litert"
	"edgelens/inference/tflite"
)

// Set is a Backend of both runtimes. LiteRT is opened when the first file is opened
// with it, and not before.
//
// It is safe for concurrent use.
type Set struct {
	tflite tflite.Backend
	gpu    bool
	// library is the path of LiteRT's library, or missing why there is none.
	library string
	missing error

	mu     sync.Mutex
	litert *litert.Backend // nil until it is used
}

// Config configures a Set.
type Config struct {
	// Folder may hold the library of LiteRT; "" for none but the places of litert.Find.
	Folder string
	// GPU makes it possible to open models for inference.AcceleratorGPU.
	GPU bool
}

// New returns a Set. Whether there is a library of LiteRT is found out now: one that is
// installed later needs a new Set.
func New(config Config) *Set {
	s := &Set{gpu: config.GPU}
	s.library, s.missing = litert.Find(config.Folder)
	return s
}

// Check returns an error that wraps edgelens.ErrModel if the library of TensorFlow Lite
// cannot be used.
func (s *Set) Check() error { return s.tflite.Check() }

// LiteRT returns the path of LiteRT's library, or an error that wraps
// inference.ErrNotInstalled.
func (s *Set) LiteRT() (string, error) { return s.library, s.missing }

// Versions names the runtimes that are at hand with their versions, for example "tflite
// 2.17.1, litert 2.3.0".
func (s *Set) Versions() string {
	text := inference.RuntimeTFLite + " " + s.tflite.Version()
	if s.missing == nil {
		text += ", " + inference.RuntimeLiteRT + " " + litert.Version
	}
	return text
}

// Open implements inference.Backend. An accelerator is LiteRT's.
func (s *Set) Open(path string, options inference.Options) (inference.Model, error) {
	switch {
	case options.Runtime == inference.RuntimeLiteRT, options.Accelerator != "":
		backend, err := s.openLiteRT(options.Accelerator != "")
		if err != nil {
			return nil, err
		}
		return backend.Open(path, options)
	case options.Runtime == inference.RuntimeTFLite:
		return s.tflite.Open(path, options)
	case options.Runtime == inference.RuntimeAuto, options.Runtime == "":
		opened, err := s.tflite.Open(path, options)
		if err != nil {
			return nil, err
		}
		return &choice{set: s, path: path, options: options, model: opened}, nil
	}
	return nil, fmt.Errorf("%w: there is no runtime %.100q", edgelens.ErrModel, options.Runtime)
}

// openLiteRT returns the backend of LiteRT. Whether it has a graphics processor is decided
// when it is opened.
func (s *Set) openLiteRT(gpu bool) (*litert.Backend, error) {
	if s.missing != nil && gpu {
		return nil, &inference.AcceleratorError{Accelerator: inference.AcceleratorGPU, Reason: inference.AcceleratorNotInstalled, Err: s.missing}
	}
	if s.missing != nil {
		return nil, s.missing
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.litert != nil {
		return s.litert, nil
	}
	backend, err := shared.open(litert.Config{Path: s.library, GPU: s.gpu || gpu})
	if err != nil {
		return nil, err
	}
	s.litert = backend
	return backend, nil
}

// Close closes LiteRT, once all its models are closed. The Set must not be used any more;
// closing twice is harmless.
func (s *Set) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.litert == nil {
		return nil
	}
	s.litert = nil
	return shared.close()
}

// shared is the one backend of LiteRT that a process can have, for all Sets.
var shared sharedLiteRT

type sharedLiteRT struct {
	mu      sync.Mutex
	backend *litert.Backend
	users   int
}

func (s *sharedLiteRT) open(config litert.Config) (*litert.Backend, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.backend == nil {
		backend, err := litert.New(config)
		if err != nil {
			return nil, err
		}
		s.backend = backend
	}
	s.users++
	return s.backend, nil
}

func (s *sharedLiteRT) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users--; s.users > 0 {
		return nil
	}
	backend := s.backend
	s.backend = nil
	return backend.Close()
}

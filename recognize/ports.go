// Package recognize is the path of one image, from encoded bytes to labeled
// predictions. It implements edgelens.Recognizer for every source and imports no
// backend: the interfaces below are its ports, and internal/app supplies them.
//
// The steps: key -> cache -> coalesce identical misses -> wait for a slot, by
// priority -> decode and resize into a tensor, in another process or, where that is not
// wanted, on an interpreter's thread -> run the model -> dequantize, top-k, labels ->
// quality, if enabled -> cache. An image is decoded only once it has a slot, because
// decoded pixels take most of the memory.
package recognize

import (
	"context"

	"edgelens"
	"edgelens/models"
)

// A Preprocessor turns encoded images into tensors.
type Preprocessor interface {
	// Version is part of the cache key: it changes whenever the same image
	// would give another tensor.
	Version() string
	// Fit is that of images for which no one has chosen another.
	Fit() edgelens.Fit
	// Memory returns how many bytes decoding an image takes at most, from its header. The
	// error is one that Tensors would return, and ErrTooLarge for an image that takes
	// more than any may.
	Memory(encoded []byte) (int64, error)
	// Tensors checks and decodes encoded once, resizes and normalizes what each buffer is
	// to show into it, and returns what it found out about the first. Only that one may
	// be a sweep. The error wraps ErrNoImage, ErrUnsupportedFormat, ErrBadImage or
	// ErrInvalid.
	Tensors(encoded []byte, into ...models.InputBuffer) (models.Filled, error)
	// DecodesAhead reports whether Ahead decodes images.
	DecodesAhead() bool
	// Ahead is Tensors while the interpreters are at work, in another process. ok is false,
	// and nothing was done, where images are decoded in this one: on the thread that runs
	// the model. low is for work that no client waits for.
	Ahead(low bool, encoded []byte, into ...models.InputBuffer) (filled models.Filled, ok bool, err error)
}

// A Runner loads and runs models.
type Runner interface {
	// Acquire returns the model of that name, the default one for "", loading
	// it if needed. It stays as it is until release is called, which is once.
	Acquire(ctx context.Context, model string) (spec *models.Spec, release func(), err error)
	// Run runs a model that Acquire returned. It calls run.Fill at most once, on the
	// thread that runs the model, and does not use it after it returns. Fill's error is
	// Run's.
	Run(ctx context.Context, spec *models.Spec, run models.Run) (models.Inference, error)
}

// A Cache keeps results by key. It may evict any at any time.
type Cache interface {
	// Get returns a result that the caller must not change.
	Get(key string) (*edgelens.Result, bool)
	// GetLocal is Get without what takes time, such as asking another process.
	GetLocal(key string) (*edgelens.Result, bool)
	// Set stores a result that is not changed any more.
	Set(key string, result *edgelens.Result)
}

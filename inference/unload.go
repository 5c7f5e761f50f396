package inference

import (
	"context"
	"errors"
	"fmt"

	"edgelens"
)

// Load loads a model, also one whose load has failed before and would not be tried again; a loaded one is loaded anew where its
// file has changed. A caller whose ctx ends stops waiting; the load goes on. Its errors are Describe's.
func (l *Loader) Load(ctx context.Context, name string) error {
	l.mu.Lock()
	if e := l.loaded[name]; e != nil && e.failed() {
		delete(l.loaded, name)
	}
	l.mu.Unlock()
	spec, err := l.Describe(ctx, name)
	if err != nil {
		return err
	}
	_, err = l.Reload(ctx, spec.Name)
	return err
}

// Unload ends the interpreters of a model, once those that acquired it are done, and frees it; a load in progress is waited for.
// The next Describe or Acquire loads it again.
//
// Its errors: edgelens.ErrConflict for the default model, edgelens.ErrUnknownModel, edgelens.ErrDeadline where a run does
// not end within Config.InvokeTimeout: its memory is left alone. ctx ends the waiting for a load only.
func (l *Loader) Unload(ctx context.Context, name string) error {
	if name == l.registry.Default() {
		return defaultModelError{name}
	}
	e, err := l.take(ctx, name)
	if e == nil || err != nil {
		return err
	}
	l.setProblem(name, nil)
	if err := l.closeRetired(e); err != nil {
		return fmt.Errorf("unload model %s: %w", name, err)
	}
	l.log.Info("model unloaded", "event", "model_unloaded", "model", name)
	return nil
}

// defaultModelError is an edgelens.ErrConflict.
type defaultModelError struct{ name string }

// Error returns a sentence for clients.
func (e defaultModelError) Error() string {
	return fmt.Sprintf("%s is the default model, which stays loaded; to unload it, start the service with another default (the setting model)", e.name)
}

// Is makes errors.Is(err, edgelens.ErrConflict) true.
func (defaultModelError) Is(target error) bool { return target == edgelens.ErrConflict }

// take takes a loaded model out of the Loader, whose Close then waits until closes is done; nil where it is not loaded.
func (l *Loader) take(ctx context.Context, name string) (*entry, error) {
	l.mu.Lock()
	e := l.loaded[name]
	l.mu.Unlock()
	if e == nil {
		if _, err := l.registry.Get(name); errors.Is(err, edgelens.ErrUnknownModel) {
			return nil, err
		}
		return nil, nil
	}
	select {
	case <-e.settled:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the model to load: %w", contextError(ctx))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, fmt.Errorf("unload model %s: %w", name, edgelens.ErrStopping)
	}
	if l.loaded[name] != e {
		return nil, nil // another caller was first
	}
	delete(l.loaded, name)
	if e.pool == nil { // its load has failed
		return nil, nil
	}
	l.retire(e)
	return e, nil
}

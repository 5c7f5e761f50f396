package inference

import (
	"context"
	"errors"
	"fmt"

	"edgelens"
)

// Load loads a model, also one whose load has failed before and would not be tried again; a loaded one is left as it is.
// A caller whose ctx ends stops waiting; the load goes on. Its errors are Describe's.
func (l *Loader) Load(ctx context.Context, name string) error {
	l.mu.Lock()
	if e := l.loaded[name]; e != nil && e.failed() {
		delete(l.loaded, name)
	}
	l.mu.Unlock()
	_, err := l.Describe(ctx, name)
	return err
}

// Unload ends the interpreters of a model, once those that run are done, and frees it; a load in progress is waited for.
// The next Describe loads it again. Runs that wait for an interpreter get an ErrStopping, which is worth a retry.
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
	defer l.closes.Done()
	for _, a := range e.accelerated {
		a.close(l.config.InvokeTimeout)
	}
	if err := l.closePool(e.pool); err != nil {
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
	l.closes.Add(1)
	return e, nil
}

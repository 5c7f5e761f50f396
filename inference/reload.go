package inference

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"edgelens"
	"edgelens/models"
)

// Acquire is Describe for a caller that runs the model: it stays as it is, whatever happens to its file meanwhile, until
// release is called, which must be once.
func (l *Loader) Acquire(ctx context.Context, name string) (spec *models.Spec, release func(), err error) {
	for {
		e, err := l.entry(name)
		if err != nil {
			return nil, nil, err
		}
		if err := e.wait(ctx); err != nil {
			return nil, nil, err
		}
		if l.hold(e) {
			return &e.spec, func() { l.release(e) }, nil
		}
		// Another version has taken its place: the next entry is that.
	}
}

// wait waits until a model is loaded, and returns why it is not.
func (e *entry) wait(ctx context.Context) error {
	select {
	case <-e.ready:
		return e.err
	case <-ctx.Done():
		return fmt.Errorf("wait for the model to load: %w", contextError(ctx))
	}
}

// hold counts a user of a loaded model; false where it is retired.
func (l *Loader) hold(e *entry) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.drained != nil {
		return false
	}
	e.users++
	return true
}

func (l *Loader) release(e *entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.users--; e.users == 0 && e.drained != nil {
		close(e.drained)
	}
}

// retire gives a model no more users; mu is held. Its pool is to be closed by closeRetired.
func (l *Loader) retire(e *entry) {
	e.drained = make(chan struct{})
	if e.users == 0 {
		close(e.drained)
	}
	l.retired = append(l.retired, e)
	l.closes.Add(1)
}

// closeRetired waits for the users of a retired model, at most for drainTimeout, and frees it.
func (l *Loader) closeRetired(e *entry) error {
	defer l.closes.Done()
	late := time.NewTimer(drainTimeout)
	defer late.Stop()
	select {
	case <-e.drained:
	case <-late.C:
	case <-l.preparing.Done():
	}
	for _, a := range e.accelerated {
		a.close(l.config.InvokeTimeout)
	}
	err := l.closePool(e.pool)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.retired = slices.DeleteFunc(l.retired, func(other *entry) bool { return other == e })
	return err
}

// drainTimeout is more than any request takes.
const drainTimeout = 2 * time.Minute

// entryOf returns the entry that a spec is of: the present one, or one that is retired; nil for none.
func (l *Loader) entryOf(spec *models.Spec) *entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.loaded[spec.Name]; e != nil && &e.spec == spec {
		return e
	}
	for _, former := range l.retired {
		if &former.spec == spec {
			return former
		}
	}
	return nil
}

// Reload loads a model anew where its file, its labels or its entry in the manifest has changed, beside the one that serves, and
// has it take its place once it is ready; changed is whether it did. Requests are answered by one or the other, and none fails. What
// cannot be loaded is logged once, and the former goes on. A model that is not loaded is left alone. Where its file is gone, a
// model is unloaded, unless it is the default.
//
// Errors are Describe's.
func (l *Loader) Reload(ctx context.Context, name string) (changed bool, err error) {
	l.reloading.Lock()
	defer l.reloading.Unlock()
	l.mu.Lock()
	e := l.loaded[name]
	l.mu.Unlock()
	if e == nil {
		return false, nil
	}
	select {
	case <-e.settled:
	case <-ctx.Done():
		return false, fmt.Errorf("wait for the model to load: %w", contextError(ctx))
	}
	if e.err != nil {
		return false, nil // the next request tries a file that has changed
	}
	model, err := l.registry.Get(name)
	switch {
	case errors.Is(err, edgelens.ErrNoModel), errors.Is(err, edgelens.ErrUnknownModel):
		if name != l.registry.Default() {
			return true, l.Unload(ctx, name)
		}
	case err == nil && reflect.DeepEqual(model, e.source):
		l.setProblem(name, nil)
		return false, nil
	case err == nil:
		return l.replace(e, model)
	}
	return false, l.keepFormer(name, models.Model{}, err)
}

// replace loads another version of a model, and has it take the place of the one that serves.
func (l *Loader) replace(e *entry, model models.Model) (bool, error) {
	if known := l.problemOf(model.Name); known != nil && reflect.DeepEqual(known.of, model) {
		return false, known.err
	}
	fresh := &entry{digest: model.Digest, source: model, ready: make(chan struct{}), settled: make(chan struct{})}
	if err := l.beginLoad(); err != nil {
		return false, err
	}
	l.closes.Add(1) // until one of the two is retired, or the load has failed
	defer l.closes.Done()
	l.start(fresh, model)
	<-fresh.settled
	if fresh.err != nil {
		return false, l.keepFormer(model.Name, model, fresh.err)
	}
	l.mu.Lock()
	if l.closed || l.loaded[model.Name] != e { // it was unloaded meanwhile
		l.retire(fresh)
		l.mu.Unlock()
		return false, l.closeRetired(fresh)
	}
	l.loaded[model.Name] = fresh
	l.retire(e)
	l.mu.Unlock()
	l.setProblem(model.Name, nil)
	l.log.Info("model replaced", "event", "model_replaced", "model", model.Name, "digest", model.Digest, "former_digest", e.source.Digest)
	if err := l.closeRetired(e); err != nil {
		l.log.Warn("freeing the former version of a model failed", "model", model.Name, "error", err)
	}
	return true, nil
}

// problem is why the present file of a model is not used.
type problem struct {
	of  models.Model
	err error
}

// keepFormer notes and logs, once, why the present file of a model is not used. What may succeed at the next try is only returned.
func (l *Loader) keepFormer(name string, model models.Model, err error) error {
	if !errors.Is(err, edgelens.ErrModel) && !errors.Is(err, edgelens.ErrNoModel) && !errors.Is(err, edgelens.ErrUnknownModel) {
		return err
	}
	known := l.problemOf(name)
	l.setProblem(name, &problem{model, err})
	if known == nil || known.err.Error() != err.Error() {
		l.log.Error("the present file of a model is not used: the former one goes on", "event", "model_not_replaced", "model", name, "error", err)
	}
	return err
}

func (l *Loader) problemOf(name string) *problem {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.problems[name]
}

func (l *Loader) setProblem(name string, p *problem) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p == nil {
		delete(l.problems, name)
		return
	}
	l.problems[name] = p
}

// Problems returns why the present files of models are not used, by name.
func (l *Loader) Problems() map[string]error {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[string]error{}
	for name, p := range l.problems {
		all[name] = p.err
	}
	return all
}

// Refresh is Reload for every model in use. Its error joins theirs.
func (l *Loader) Refresh(ctx context.Context) error {
	var errs []error
	for name := range l.ready() {
		if _, err := l.Reload(ctx, name); err != nil {
			errs = append(errs, fmt.Errorf("reload model %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

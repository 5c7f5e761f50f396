package app

import "context"

// warmUp loads the default model beside other parts of the start, which wait for disks and children.
type warmUp struct {
	cancel context.CancelFunc
	// done is closed once err is known.
	done chan struct{}
	err  error
}

// beginWarmUp begins to load the default model. The caller must end it before it closes the core: the end of ctx does not.
func (c *Core) beginWarmUp(ctx context.Context) *warmUp {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	w := &warmUp{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		w.err = c.WarmUp(ctx)
	}()
	return w
}

// wait returns the outcome of the warm-up, or an error where ctx ends first.
func (w *warmUp) wait(ctx context.Context) error {
	select {
	case <-w.done:
		return w.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end stops the warm-up and waits for its end.
func (w *warmUp) end() {
	w.cancel()
	<-w.done
}

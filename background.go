package edgelens

import "context"

type backgroundKey struct{}

// InBackground returns a context for work that nobody waits for: everything else
// on the machine goes first, where the operating system can do that.
func InBackground(ctx context.Context) context.Context {
	return context.WithValue(ctx, backgroundKey{}, true)
}

// IsInBackground reports whether ctx is, or comes from, one of InBackground's.
func IsInBackground(ctx context.Context) bool {
	return ctx.Value(backgroundKey{}) != nil
}

// GiveWay runs f on a thread of low priority where background is set, or else as
// it is called, and returns when f has. A panic in f is one in GiveWay. f must
// not change what belongs to its thread.
func GiveWay(background bool, f func()) {
	if !background {
		f()
		return
	}
	var panicked any
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { panicked = recover() }()
		onLowThread(f)
	}()
	<-done
	if panicked != nil {
		panic(panicked)
	}
}

// Package participant takes part in a federation for one node: it trains the head on the examples of a dataset, sends what
// changed in its parameters, scores candidates on examples that it holds out, and installs the heads that go live.
//
// Nothing of an image leaves the node, no embedding, and no label of a single example: what it sends is what package
// federation declares in Poll, Update, Score and MaskKey, and the update itself.
package participant

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/internal/backoff"
	"edgelens/learn/federation"
	"edgelens/learn/federation/receipts"
	"edgelens/learn/head"
)

// Datasets are the examples of this node. They must be safe for use by many goroutines.
type Datasets interface {
	// Dataset returns a dataset. The error wraps edgelens.ErrNotFound.
	Dataset(ctx context.Context, name string) (edgelens.Dataset, error)
	// Embeddings returns the examples of a dataset with their embeddings.
	Embeddings(ctx context.Context, name string) ([]edgelens.Example, error)
}

// Heads are the heads of this node. They must be safe for use by many goroutines.
type Heads interface {
	// Install stores a head as the next version of its name, which it returns, and has it answer.
	Install(ctx context.Context, h *head.Head) (version int, err error)
	// Rollback has the version before answer again.
	Rollback(ctx context.Context, name string) error
}

// Parts are what a Participant is made of. Registerer and Now may be nil.
type Parts struct {
	// Folder is its folder, which no other process may use.
	Folder   string
	Config   Config
	Keys     federation.Keys
	Datasets Datasets
	Heads    Heads
	// Throttled returns why the machine should not do more work than it must; empty where it can.
	Throttled  func(context.Context) string
	Log        *slog.Logger
	Registerer prometheus.Registerer
	Now        func() time.Time
}

// Participant is the part of one node in at most one federation. It is safe for use by many goroutines.
type Participant struct {
	parts    Parts
	receipts *receipts.Log
	metrics  *metrics
	wake     chan struct{}

	mu    sync.Mutex
	state state
	now   present
	// examples are those of the last poll.
	examples examples
}

// present is what is known since the start.
type present struct {
	// contact is when the coordinator last answered, or when this began; problem is why it did not since.
	contact time.Time
	problem string
	// unready is why the node does not take part at present, and doing what it does.
	unready, doing string
	// seq is the last number of a message.
	seq int64
}

// Open reads the state of the folder. The error wraps edgelens.ErrInvalid or ErrStorage. Close must be called.
func Open(parts Parts) (*Participant, error) {
	if parts.Now == nil {
		parts.Now = time.Now
	}
	if err := os.MkdirAll(filepath.Join(parts.Folder, headsFolder), 0o700); err != nil {
		return nil, fmt.Errorf("open the folder of the federation: %w: %w", edgelens.ErrStorage, err)
	}
	p := &Participant{parts: parts, wake: make(chan struct{}, 1)}
	var err error
	if p.state, err = readState(parts.Folder); err != nil {
		return nil, err
	}
	p.now.contact = parts.Now()
	p.sweep()
	if p.metrics, err = newMetrics(parts.Registerer, p); err != nil {
		return nil, err
	}
	var lost bool
	if p.receipts, lost, err = receipts.Resume(filepath.Join(parts.Folder, receiptsFile), parts.Keys, parts.Now, p.state.Receipts); err != nil {
		return nil, err
	}
	if lost {
		parts.Log.Error("receipts of the federation are missing or damaged", "event", "federation_receipts_lost", "known", p.state.Receipts)
	}
	return p, nil
}

// Close closes the files. Run must have returned.
func (p *Participant) Close() error { return p.receipts.Close() }

// The waits after the coordinator could not be reached.
const (
	shortestWait = time.Second
	longestWait  = 5 * time.Minute
	// idleWait is how long a node that has not joined waits.
	idleWait = time.Hour
)

// Run takes part until ctx ends. Failures are logged and repeated with growing waits.
func (p *Participant) Run(ctx context.Context) {
	for failures := 0; ctx.Err() == nil; {
		wait, err := p.turn(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			failures++
			wait = backoff.After(failures, shortestWait, longestWait)
			p.failed(err, failures)
		default:
			failures = 0
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-p.wake:
			failures = 0
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// failed notes why the coordinator gave no answer. The first of a series of failures is logged.
func (p *Participant) failed(err error, failures int) {
	p.mu.Lock()
	p.now.problem = err.Error()
	p.mu.Unlock()
	outcome := "unreachable"
	if _, refused := errors.AsType[*federation.Refusal](err); refused {
		outcome = "refused"
	}
	p.metrics.polls.WithLabelValues(outcome).Inc()
	if failures == 1 {
		p.parts.Log.Warn("the coordinator of the federation gave no answer that can be used; retrying", "event", "federation_unreachable", "error", err)
	}
}

// wakeUp has Run go on at once.
func (p *Participant) wakeUp() {
	select {
	case p.wake <- struct{}{}:
	default: // it will
	}
}

// receipt adds a receipt. One that cannot be written is logged.
func (p *Participant) receipt(what string, round int, details any) {
	p.mu.Lock()
	node := p.state.Node
	p.mu.Unlock()
	if _, err := p.receipts.Add(what, round, node, details); err != nil {
		p.parts.Log.Error("writing a receipt failed", "event", "federation_receipt_failed", "what", what, "round", round, "error", err)
	}
}

// Receipts returns the receipts, one a line.
func (p *Participant) Receipts() ([]byte, error) { return p.receipts.All() }

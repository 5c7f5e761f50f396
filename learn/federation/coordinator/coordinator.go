// Package coordinator runs the rounds of a federated head: it chooses nodes, sends them the present head, takes their updates,
// averages these, has nodes score the candidate, and keeps a signed record of it all. It never has an image, an embedding, or
// the label of a single example.
//
// Everything that it knows is in files of one folder, which are replaced atomically: after kill -9 at any moment it goes on
// where it stopped.
package coordinator

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
	"edgelens/learn/federation"
	"edgelens/learn/federation/receipts"
)

// tickInterval is how often deadlines are checked where no node polls.
const tickInterval = 500 * time.Millisecond

// stuckWait is the time between two attempts to go on where the state cannot be saved.
const stuckWait = 5 * time.Second

// Parts are what a Coordinator is made of. Now and Registerer may be nil.
type Parts struct {
	// Folder is its folder, which no other process may use.
	Folder string
	Keys   federation.Keys
	Log    *slog.Logger
	// Registerer takes its metrics.
	Registerer prometheus.Registerer
	Now        func() time.Time
}

// Coordinator is the coordinator of one federation. It is safe for use by many goroutines.
type Coordinator struct {
	parts    Parts
	keyID    string
	metrics  *metrics
	receipts *receipts.Log
	uploads  *uploads
	lock     *os.File

	mu    sync.Mutex
	state state
	// saved is the state as it was last saved, at the time savedAt.
	saved   []byte
	savedAt time.Time
	// seen is when each member last polled, since the start.
	seen map[string]time.Time
	// stuckUntil is when to go on after the state could not be saved.
	stuckUntil time.Time
}

// Open reads the state of the folder, or begins a federation of that definition. A definition that is not zero replaces the
// settings of what is there; it wraps edgelens.ErrConflict where it is of another task or another process uses the folder, ErrNotFound where there is no
// federation and none is defined, and ErrInvalid. Close must be called.
func Open(parts Parts, definition federation.Definition) (_ *Coordinator, err error) {
	if parts.Now == nil {
		parts.Now = time.Now
	}
	for _, folder := range []string{parts.Folder, filepath.Join(parts.Folder, headsFolder), filepath.Join(parts.Folder, uploadsFolder), filepath.Join(parts.Folder, roundsFolder)} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, fmt.Errorf("open the federation: %w: %w", edgelens.ErrStorage, err)
		}
	}
	c := &Coordinator{parts: parts, seen: map[string]time.Time{}, uploads: newUploads(filepath.Join(parts.Folder, uploadsFolder))}
	if c.lock, err = lock(parts.Folder); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.lock.Close())
		}
	}()
	if c.keyID, err = c.presentKey(); err != nil {
		return nil, err
	}
	if err := c.load(definition); err != nil {
		return nil, err
	}
	if c.metrics, err = newMetrics(parts.Registerer, c); err != nil {
		return nil, err
	}
	c.sweep()
	if err := c.openReceipts(); err != nil {
		return nil, err
	}
	return c, c.followKey()
}

// openReceipts opens the receipts. Those that are missing are reported.
func (c *Coordinator) openReceipts() (err error) {
	var lost bool
	if c.receipts, lost, err = receipts.Resume(filepath.Join(c.parts.Folder, receiptsFile), c.parts.Keys, c.parts.Now, c.state.Receipts); err != nil {
		return err
	}
	if lost {
		c.parts.Log.Error("receipts of the federation are missing or damaged", "event", "federation_receipts_lost", "known", c.state.Receipts)
	}
	return nil
}

// load reads the state, and applies the definition to it.
func (c *Coordinator) load(definition federation.Definition) error {
	found, err := readState(c.parts.Folder)
	none := errors.Is(err, edgelens.ErrNotFound)
	defined := definition.Head != ""
	switch {
	case err != nil && !(none && defined):
		return err
	case defined:
		if err := definition.Validate(); err != nil {
			return err
		}
	}
	c.state = found
	if none {
		c.state = state{Definition: definition, Members: map[string]*member{}, Invitations: map[string]invitation{}, KeyID: c.keyID}
	} else if defined {
		if err := found.Definition.SameTask(definition); err != nil {
			return err
		}
		c.state.Definition.Settings = definition.Settings
	}
	if c.state.Definition.Features > 0 && c.state.Head.Version == 0 {
		return c.begin()
	}
	return c.save()
}

// begin makes the head that the federation begins with, once the extractor is known, and saves the state. The lock must be
// held, but in Open.
func (c *Coordinator) begin() error {
	first, err := c.state.Definition.FirstHead(c.parts.Now())
	if err != nil {
		return err
	}
	if c.state.Head, err = c.storeHead(first, 0); err != nil {
		return err
	}
	return c.save()
}

// Run ends steps at their deadlines and begins rounds, until ctx ends.
func (c *Coordinator) Run(ctx context.Context) {
	tick := time.NewTicker(tickInterval)
	defer tick.Stop()
	for {
		c.mu.Lock()
		if err := c.followKey(); err != nil {
			c.parts.Log.Error("the federation cannot use its key", "event", "federation_key", "error", err)
		}
		c.advance()
		c.mu.Unlock()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Close closes the files.
func (c *Coordinator) Close() error { return errors.Join(c.receipts.Close(), c.lock.Close()) }

// receipt adds a receipt. One that cannot be written is logged: the disk is full, and the state cannot be saved either.
func (c *Coordinator) receipt(what string, round int, node string, details any) {
	if _, err := c.receipts.Add(what, round, node, details); err != nil {
		c.parts.Log.Error("writing a receipt failed", "event", "federation_receipt_failed", "what", what, "round", round, "node", node, "error", err)
	}
}

// Receipts returns the receipts, one a line.
func (c *Coordinator) Receipts() ([]byte, error) { return c.receipts.All() }

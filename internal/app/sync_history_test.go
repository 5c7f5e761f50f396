package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
)

// keeper keeps results once it is released, or returns err.
type keeper struct {
	err     error
	release chan struct{}

	mu   sync.Mutex
	kept []edgelens.StoredResult
}

func (k *keeper) RecordAll(_ context.Context, results []edgelens.StoredResult) error {
	<-k.release
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err == nil {
		k.kept = append(k.kept, results...)
	}
	return k.err
}

// echo answers every request, but those without an image.
type echo struct{}

func (echo) Recognize(_ context.Context, req *edgelens.Request) (*edgelens.Result, error) {
	if len(req.Image) == 0 {
		return nil, edgelens.ErrNoImage
	}
	return &edgelens.Result{RequestID: req.ID, Predictions: []edgelens.Prediction{{Label: "cat", Probability: 0.5}}}, nil
}

func newHistory(k *keeper) *syncHistory {
	return newSyncHistory(echo{}, k, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
}

// An answer waits for no disk: what does not fit is dropped and counted, and the rest is kept.
func TestSyncHistoryNeverWaits(t *testing.T) {
	k := &keeper{release: make(chan struct{})}
	h := newHistory(k)
	const sent = 3 * maxUnkept
	for i := range sent {
		if _, err := h.Recognize(t.Context(), &edgelens.Request{ID: fmt.Sprint(i), Owner: "key", Image: []byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	dropped := h.Dropped()
	if dropped < sent-maxUnkept-keptAtOnce || dropped >= sent {
		t.Errorf("%d of %d were dropped, want all that exceed %d", dropped, sent, maxUnkept)
	}
	close(k.release)
	h.Close()
	if int64(len(k.kept))+dropped != sent {
		t.Errorf("%d were kept and %d dropped of %d", len(k.kept), dropped, sent)
	}
	if first := k.kept[0]; first.ID != "0" || first.Source != "sync" || first.Owner != "key" || first.Result == nil || first.CreatedAt.IsZero() {
		t.Errorf("kept %+v", first)
	}
}

// What the ledger does not take is counted, and what has no answer does not enter.
func TestSyncHistoryCountsFailures(t *testing.T) {
	k := &keeper{err: errors.New("the disk is full"), release: make(chan struct{})}
	close(k.release)
	h := newHistory(k)
	if _, err := h.Recognize(t.Context(), &edgelens.Request{ID: "a", Image: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Recognize(t.Context(), &edgelens.Request{ID: "b"}); !errors.Is(err, edgelens.ErrNoImage) {
		t.Errorf("got %v, want the error of the recognition", err)
	}
	h.Close()
	if h.Dropped() != 1 {
		t.Errorf("%d were dropped, want 1", h.Dropped())
	}
}

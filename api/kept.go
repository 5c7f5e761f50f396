package api

import (
	"context"
	"time"

	"edgelens"
)

// Ledger measures what is kept.
type Ledger interface {
	// Kept returns what is kept of each kind, and since when. It is cheap.
	Kept(ctx context.Context) (edgelens.Kept, error)
}

// nothingKept is a Ledger that keeps nothing.
type nothingKept struct{}

// Kept implements Ledger.
func (nothingKept) Kept(context.Context) (edgelens.Kept, error) {
	return edgelens.Kept{At: time.Now()}, nil
}

// GetLedger implements StrictServerInterface.
func (s *Server) GetLedger(ctx context.Context, _ GetLedgerRequestObject) (GetLedgerResponseObject, error) {
	kept, err := s.ledger.Kept(ctx)
	if err != nil {
		return nil, err
	}
	shown := LedgerStatus{At: kept.At, MaxBytes: kept.MaxBytes, Bytes: kept.Bytes, Kinds: make([]KeptKind, 0, len(kept.Kinds))}
	for _, k := range kept.Kinds {
		shown.Kinds = append(shown.Kinds, newKeptKind(k))
	}
	return GetLedger200JSONResponse{Body: shown, Headers: GetLedger200ResponseHeaders{CacheControl: "no-store"}}, nil
}

func newKeptKind(k edgelens.KeptKind) KeptKind {
	shown := KeptKind{
		Kind: KeptKindKind(k.Kind), Rows: k.Rows, Estimated: k.Estimated, Bytes: k.Bytes, Oldest: timeOrNil(k.Oldest), MaxAgeSeconds: countOrNil(int64(k.MaxAge / time.Second)),
		MaxRows: countOrNil(k.MaxRows), MaxBytes: countOrNil(k.MaxBytes), ShareBytes: countOrNil(k.Share),
	}
	if k.Bound != edgelens.BoundNone {
		bound := KeptKindBound(k.Bound)
		shown.Bound = &bound
	}
	return shown
}

// countOrNil returns nil for 0, which stands for no bound.
func countOrNil(n int64) *int64 {
	if n == 0 {
		return nil
	}
	return &n
}

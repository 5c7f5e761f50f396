package control

import (
	"context"
	"net/http"
	"time"

	"edgelens"
)

// KeptMeter measures what the ledger keeps: the service's, or a Client.
type KeptMeter interface {
	// Kept returns what is kept of each kind, and since when.
	Kept(ctx context.Context) (edgelens.Kept, error)
}

// Kept is the form of an edgelens.Kept, which `edgelens ledger status --json` prints, too.
type Kept struct {
	At       time.Time  `json:"at"`
	MaxBytes int64      `json:"max_bytes"`
	Bytes    int64      `json:"bytes"`
	Kinds    []KeptKind `json:"kinds"`
}

// KeptKind is the form of an edgelens.KeptKind. Bounds that there are not are absent.
type KeptKind struct {
	Kind          string     `json:"kind"`
	Rows          int64      `json:"rows"`
	Estimated     bool       `json:"estimated"`
	Bytes         int64      `json:"bytes"`
	Oldest        *time.Time `json:"oldest,omitempty"`
	MaxAgeSeconds int64      `json:"max_age_seconds,omitempty"`
	MaxRows       int64      `json:"max_rows,omitempty"`
	MaxBytes      int64      `json:"max_bytes,omitempty"`
	ShareBytes    int64      `json:"share_bytes,omitempty"`
	Bound         string     `json:"bound,omitempty"`
}

// NewKept returns the form.
func NewKept(kept edgelens.Kept) Kept {
	form := Kept{At: kept.At, MaxBytes: kept.MaxBytes, Bytes: kept.Bytes, Kinds: make([]KeptKind, 0, len(kept.Kinds))}
	for _, k := range kept.Kinds {
		of := KeptKind{
			Kind: k.Kind, Rows: k.Rows, Estimated: k.Estimated, Bytes: k.Bytes, MaxAgeSeconds: int64(k.MaxAge / time.Second),
			MaxRows: k.MaxRows, MaxBytes: k.MaxBytes, ShareBytes: k.Share, Bound: string(k.Bound),
		}
		if !k.Oldest.IsZero() {
			of.Oldest = &k.Oldest
		}
		form.Kinds = append(form.Kinds, of)
	}
	return form
}

// kept returns what the form is of.
func (f Kept) kept() edgelens.Kept {
	kept := edgelens.Kept{At: f.At, MaxBytes: f.MaxBytes, Bytes: f.Bytes}
	for _, of := range f.Kinds {
		k := edgelens.KeptKind{
			Kind: of.Kind, Rows: of.Rows, Estimated: of.Estimated, Bytes: of.Bytes, MaxAge: time.Duration(of.MaxAgeSeconds) * time.Second,
			MaxRows: of.MaxRows, MaxBytes: of.MaxBytes, Share: of.ShareBytes, Bound: edgelens.KeptBound(of.Bound),
		}
		if of.Oldest != nil {
			k.Oldest = *of.Oldest
		}
		kept.Kinds = append(kept.Kinds, k)
	}
	return kept
}

// AddKept adds the handler for what the ledger keeps.
func AddKept(mux *http.ServeMux, meter KeptMeter) {
	mux.HandleFunc("GET /ledger", handle(func(r *http.Request) (any, error) {
		kept, err := meter.Kept(r.Context())
		return NewKept(kept), err
	}))
}

// Kept implements KeptMeter.
func (c *Client) Kept(ctx context.Context) (edgelens.Kept, error) {
	var form Kept
	if err := c.call(ctx, http.MethodGet, "/ledger", nil, &form); err != nil {
		return edgelens.Kept{}, err
	}
	return form.kept(), nil
}

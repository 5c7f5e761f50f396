package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"edgelens"
)

// Outbox provides the events that their sinks never accept.
type Outbox interface {
	// ListSetAside returns a page, the newest first, and the cursor of the next;
	// its error is an edgelens.ErrInvalid for a bad cursor.
	ListSetAside(ctx context.Context, filter edgelens.SetAsideFilter) (page []edgelens.SetAside, next string, err error)
	// RetrySetAside sends those of the ids again, or all of the sink, or all, and
	// returns how many. Its error is an edgelens.ErrNotFound for an unknown id.
	RetrySetAside(ctx context.Context, sink string, ids ...int64) (int, error)
}

// noOutbox is the Outbox of a server without one.
type noOutbox struct{}

func (noOutbox) ListSetAside(context.Context, edgelens.SetAsideFilter) ([]edgelens.SetAside, string, error) {
	return nil, "", nil
}

func (noOutbox) RetrySetAside(_ context.Context, _ string, ids ...int64) (int, error) {
	if len(ids) > 0 {
		return 0, fmt.Errorf("%w: this service delivers no events", edgelens.ErrNotFound)
	}
	return 0, nil
}

func outboxOr(o Outbox) Outbox { return cmp.Or[Outbox](o, noOutbox{}) }

// ListSetAside implements StrictServerInterface.
func (s *Server) ListSetAside(ctx context.Context, r ListSetAsideRequestObject) (ListSetAsideResponseObject, error) {
	limit, err := readLimit(r.Params.Limit)
	if err != nil {
		return nil, err
	}
	if sink := r.Params.Sink; sink != nil && !sink.Valid() {
		return nil, errSink
	}
	if device := r.Params.Device; device != nil {
		if err := checkDevice(*device); err != nil {
			return nil, err
		}
	}
	page, next, err := s.outbox.ListSetAside(ctx, edgelens.SetAsideFilter{
		Sink: text(r.Params.Sink), Device: text(r.Params.Device), Cursor: text(r.Params.Cursor), Limit: limit,
	})
	if err != nil {
		return nil, err
	}
	list := ListSetAside200JSONResponse{Events: make([]SetAside, 0, len(page)), Next: optional(next)}
	for _, e := range page {
		list.Events = append(list.Events, SetAside{
			Id: e.ID, Sink: e.Sink, Device: e.Device, Event: e.Event, Kind: e.Kind, ReceivedAt: e.ReceivedAt, SetAsideAt: e.At, Reason: e.Reason,
		})
	}
	return list, nil
}

// errSink rejects an unknown sink: an empty list for it would look like good news.
var errSink = fmt.Errorf("%w: sink must be mqtt or webhook", edgelens.ErrInvalid)

// hasNull reports whether a member of an object is null.
func hasNull(members map[string]json.RawMessage) bool {
	for _, value := range members {
		if string(value) == "null" {
			return true
		}
	}
	return false
}

// maxRetryIDs is the maximum number of ids in one retry.
const maxRetryIDs = 1000

// RetrySetAside implements StrictServerInterface.
func (s *Server) RetrySetAside(ctx context.Context, r RetrySetAsideRequestObject) (RetrySetAsideResponseObject, error) {
	wanted, err := readRetry(r.Body)
	if err != nil {
		return nil, err
	}
	var ids []int64
	if wanted.Ids != nil {
		if ids = *wanted.Ids; len(ids) == 0 {
			return RetrySetAside200JSONResponse{}, nil // none of them, and not all
		}
	}
	n, err := s.outbox.RetrySetAside(ctx, text(wanted.Sink), ids...)
	if err != nil {
		return nil, err
	}
	return RetrySetAside200JSONResponse{Retried: n}, nil
}

// readRetry reads which events to send again; all if the body is empty.
// Unknown members are rejected: a misspelled one would mean all.
func readRetry(body io.Reader) (wanted SetAsideRetry, err error) {
	if body == nil {
		return wanted, nil
	}
	raw, err := io.ReadAll(body) // bounded by boundUploads
	if err != nil {
		return wanted, bodyError(err)
	}
	if len(raw) == 0 {
		return wanted, nil
	}
	const form = `the body must be empty or JSON such as {"ids":[17]} or {"sink":"webhook"}`
	object, err := readObject(bytes.NewReader(raw), form)
	if err != nil {
		return wanted, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		return wanted, fmt.Errorf("%w: %s", edgelens.ErrInvalid, form)
	}
	for name := range members {
		if name != "ids" && name != "sink" { // "Sink" would count as "sink", too
			return wanted, fmt.Errorf("%w: %s; there is no member %q", edgelens.ErrInvalid, form, short(name))
		}
	}
	if err := json.Unmarshal(object, &wanted); err != nil || wanted.Sink != nil && !wanted.Sink.Valid() || hasNull(members) || wanted.Ids != nil && len(*wanted.Ids) > maxRetryIDs {
		return wanted, fmt.Errorf("%w: %s, with at most %d ids", edgelens.ErrInvalid, form, maxRetryIDs)
	}
	return wanted, nil
}

package api

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"edgelens"
)

// Erasure erases results and records.
type Erasure interface {
	// Count returns what Erase would erase; its error is an edgelens.ErrInvalid for an empty filter.
	Count(ctx context.Context, filter edgelens.ErasureFilter) (edgelens.Erased, error)
	// Erase erases what the filter selects; Erased.Complete is false where there may be more.
	// What was erased before an error is in Erased.
	Erase(ctx context.Context, filter edgelens.ErasureFilter) (edgelens.Erased, error)
}

// noErasure is the Erasure of a server without a history.
type noErasure struct{}

func (noErasure) Count(context.Context, edgelens.ErasureFilter) (edgelens.Erased, error) {
	return edgelens.Erased{Complete: true}, nil
}

func (noErasure) Erase(context.Context, edgelens.ErasureFilter) (edgelens.Erased, error) {
	return edgelens.Erased{Complete: true}, nil
}

// EraseResults implements StrictServerInterface.
func (s *Server) EraseResults(ctx context.Context, r EraseResultsRequestObject) (EraseResultsResponseObject, error) {
	filter := edgelens.ErasureFilter{Device: text(r.Params.Device), Person: text(r.Params.Person)}
	if r.Params.Device != nil {
		if err := checkDevice(*r.Params.Device); err != nil {
			return nil, err
		}
	}
	if r.Params.Person != nil && (filter.Person == "" || len(filter.Person) > maxPerson) {
		return nil, fmt.Errorf("%w: person must have 1 to %d bytes", edgelens.ErrInvalid, maxPerson)
	}
	if r.Params.Since != nil {
		filter.Since = *r.Params.Since
	}
	if r.Params.Until != nil {
		filter.Until = *r.Params.Until
	}
	if filter.IsEmpty() {
		return nil, fmt.Errorf("%w: device, person, since or until must be given: nothing is erased without one", edgelens.ErrInvalid)
	}
	dryRun := r.Params.DryRun != nil && *r.Params.DryRun
	erase := s.erasure.Erase
	if dryRun {
		erase = s.erasure.Count
	}
	erased, err := erase(ctx, filter)
	auditErasure(ctx, filter, dryRun, erased)
	if err != nil {
		return nil, err
	}
	return EraseResults200JSONResponse(newErasure(erased, dryRun)), nil
}

// maxPerson bounds the name of a person, in bytes: 200 characters.
const maxPerson = 800

// EraseResult implements StrictServerInterface.
func (s *Server) EraseResult(ctx context.Context, r EraseResultRequestObject) (EraseResultResponseObject, error) {
	filter := edgelens.ErasureFilter{ID: r.Id.String()}
	erased, err := s.erasure.Erase(ctx, filter)
	auditErasure(ctx, filter, false, erased)
	if err == nil && erased.Results+erased.Records == 0 {
		err = fmt.Errorf("%w: no result and no record has this id; it may have been removed for its age", edgelens.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return EraseResult200JSONResponse(newErasure(erased, false)), nil
}

func newErasure(e edgelens.Erased, dryRun bool) ErasureResult {
	return ErasureResult{
		DryRun: dryRun, Complete: e.Complete, Results: e.Results, Records: e.Records, Jobs: e.Jobs, Examples: e.Examples,
		Images: e.Images, ImageBytes: e.ImageBytes, UndeliveredEvents: e.Undelivered,
	}
}

// auditErasure adds to the audit log what was erased: the names of the filters, whose values
// may be personal, and counts.
func auditErasure(ctx context.Context, filter edgelens.ErasureFilter, dryRun bool, e edgelens.Erased) {
	var filters []string
	for _, one := range []struct {
		name string
		set  bool
	}{{"id", filter.ID != ""}, {"device", filter.Device != ""}, {"person", filter.Person != ""}, {"since", !filter.Since.IsZero()}, {"until", !filter.Until.IsZero()}} {
		if one.set {
			filters = append(filters, one.name)
		}
	}
	x := exchangeFrom(ctx)
	x.action = "erase"
	x.audited = []slog.Attr{
		slog.String("filters", strings.Join(filters, ",")), slog.Bool("dry_run", dryRun), slog.Bool("complete", e.Complete),
		slog.Int64("results", e.Results), slog.Int64("records", e.Records), slog.Int64("jobs", e.Jobs), slog.Int64("examples", e.Examples), slog.Int64("images", e.Images),
		slog.Int64("undelivered_events", e.Undelivered),
	}
}

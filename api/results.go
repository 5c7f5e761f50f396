package api

import (
	"context"
	"encoding/json"
	"fmt"

	"edgelens"
)

// History returns results.
type History interface {
	Result(ctx context.Context, id string) (edgelens.StoredResult, error)
	Results(ctx context.Context, filter edgelens.ResultFilter) (page []edgelens.StoredResult, next string, err error)
}

// Deliveries knows the events of terminals' records.
type Deliveries interface {
	// Deliveries returns the event of a result, as sinks receive it, and how it is delivered to each; nil and none for a
	// result without a record.
	Deliveries(ctx context.Context, result edgelens.StoredResult) (event json.RawMessage, deliveries []edgelens.DeliveryStatus, err error)
}

// noDeliveries are those of a server without sinks.
type noDeliveries struct{}

func (noDeliveries) Deliveries(context.Context, edgelens.StoredResult) (json.RawMessage, []edgelens.DeliveryStatus, error) {
	return nil, nil, nil
}

// ListResults implements StrictServerInterface.
func (s *Server) ListResults(ctx context.Context, r ListResultsRequestObject) (ListResultsResponseObject, error) {
	limit, err := readLimit(r.Params.Limit)
	if err != nil {
		return nil, err
	}
	filter, err := newResultFilter(ctx, r.Params)
	if err != nil {
		return nil, err
	}
	filter.Limit, filter.Cursor = limit, text(r.Params.Cursor)
	page, next, err := s.history.Results(ctx, filter)
	if err != nil {
		return nil, err
	}
	list := ListResults200JSONResponse{Results: make([]StoredResult, 0, len(page)), Next: optional(next)}
	for _, result := range page {
		list.Results = append(list.Results, newListedResult(result))
	}
	return list, nil
}

// newResultFilter selects what the client asks for and may see, but for the page.
func newResultFilter(ctx context.Context, p ListResultsParams) (edgelens.ResultFilter, error) {
	filter := edgelens.ResultFilter{
		Visible: keyFrom(ctx).Visible(), Device: text(p.Device), Label: text(p.Label), Outcome: text(p.Outcome), Source: text(p.Source),
	}
	if p.Device != nil {
		if err := checkDevice(*p.Device); err != nil {
			return filter, err
		}
	}
	if p.Since != nil {
		filter.Since = *p.Since
	}
	if p.Until != nil {
		filter.Until = *p.Until
	}
	return filter, nil
}

// GetResult implements StrictServerInterface.
func (s *Server) GetResult(ctx context.Context, r GetResultRequestObject) (GetResultResponseObject, error) {
	result, err := s.visibleResult(ctx, r.Id.String())
	if err != nil {
		return nil, err
	}
	shown := newStoredResult(result)
	event, deliveries, err := s.deliveries.Deliveries(ctx, result)
	if err != nil {
		return nil, err
	}
	if len(event) > 0 {
		shown.Event = &event
	}
	if len(deliveries) > 0 {
		list := newDeliveries(deliveries)
		shown.Deliveries = &list
	}
	return GetResult200JSONResponse(shown), nil
}

func newDeliveries(deliveries []edgelens.DeliveryStatus) []Delivery {
	list := make([]Delivery, 0, len(deliveries))
	for _, d := range deliveries {
		list = append(list, Delivery{
			Sink: d.Sink, State: DeliveryState(d.State), Attempts: d.Attempts,
			DeliveredAt: timeOrNil(d.DeliveredAt), AttemptedAt: timeOrNil(d.AttemptedAt), Reason: optional(d.Reason),
		})
	}
	return list
}

// newListedResult is newStoredResult without an embedding, for lists and exports.
func newListedResult(r edgelens.StoredResult) StoredResult {
	r.Result = brief(r.Result)
	return newStoredResult(r)
}

func newStoredResult(r edgelens.StoredResult) StoredResult {
	stored := StoredResult{
		Id: parsed(r.ID), JobId: optional(r.JobID), Device: optional(r.Device), Source: optional(Source(r.Source)), ImageUrl: imageURL(r),
		Outcome: Outcome(r.Outcome), Reason: optional(r.Reason), FreshnessReason: optional(r.FreshnessReason), CreatedAt: r.CreatedAt, Error: newJobError(r.Error),
		Freshness: optional(Freshness(r.Freshness)),
	}
	if r.Result != nil {
		recognition := NewRecognition(r.Result)
		stored.Result = &recognition
	}
	return stored
}

// imageURL returns the path of the image of a result; nil where it is not kept.
func imageURL(r edgelens.StoredResult) *string {
	if !r.HasImage {
		return nil
	}
	url := "/api/results/" + r.ID + "/image"
	return &url
}

// ListDeviceRecords implements StrictServerInterface.
func (s *Server) ListDeviceRecords(ctx context.Context, r ListDeviceRecordsRequestObject) (ListDeviceRecordsResponseObject, error) {
	if err := checkUse(ctx, r.Id); err != nil {
		return nil, err
	}
	limit, err := briefLimit(r.Params.Limit)
	if err != nil {
		return nil, err
	}
	if _, err := s.devices.Device(ctx, r.Id); err != nil {
		return nil, err
	}
	page, _, err := s.history.Results(ctx, edgelens.ResultFilter{Visible: keyFrom(ctx).Visible(), Device: r.Id, Limit: limit})
	if err != nil {
		return nil, err
	}
	records := ListDeviceRecords200JSONResponse{Records: make([]DeviceRecord, 0, len(page))}
	for _, result := range page {
		record := DeviceRecord{
			ResultId: parsed(result.ID), At: result.CreatedAt, Outcome: Outcome(result.Outcome), Reason: optional(result.Reason),
			Freshness: optional(Freshness(result.Freshness)), ImageUrl: imageURL(result),
		}
		if result.Label != "" {
			record.Label, record.Probability = &result.Label, &result.Probability
		}
		if records.LastImageUrl == nil {
			records.LastImageUrl = record.ImageUrl
		}
		records.Records = append(records.Records, record)
	}
	return records, nil
}

// maxBrief is the maximum number of rows in a list that has no further pages.
const maxBrief = 200

// briefLimit returns the limit of a list that has no further pages. Its error is an edgelens.ErrInvalid.
func briefLimit(requested *int) (int, error) {
	switch {
	case requested == nil:
		return defaultLimit, nil
	case *requested < 1 || *requested > maxBrief:
		return 0, fmt.Errorf("%w: limit must be 1 to %d, not %d", edgelens.ErrInvalid, maxBrief, *requested)
	}
	return *requested, nil
}

package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"edgelens"
)

// States provides what the images of places show.
type States interface {
	// States returns every state, in the order of the setting.
	States() []edgelens.State
	// State returns one; its error is an edgelens.ErrNotFound for an unknown name.
	State(name string) (edgelens.State, error)
	// Changes lists the history of a state. Its error is an edgelens.ErrInvalid for a bad filter.
	Changes(ctx context.Context, filter edgelens.StateFilter) (page []edgelens.StateChange, next string, err error)
	// Observe recognizes an image for a state, and returns the answer and the state as it then is. Errors:
	// edgelens.ErrNotFound for an unknown state, and those of a Recognizer.
	Observe(ctx context.Context, name string, image []byte, sha256 [32]byte) (edgelens.StateAnswer, edgelens.State, error)
	// EraseState erases the history of a state, which is then unknown; an edgelens.ErrNotFound for an unknown name.
	EraseState(ctx context.Context, name string) (edgelens.ErasedState, error)
}

// visibleState returns a state whose device the client may use.
func (s *Server) visibleState(ctx context.Context, name string) (edgelens.State, error) {
	state, err := s.states.State(name)
	if err != nil {
		return edgelens.State{}, err
	}
	return state, mayUseDevice(ctx, state.Device)
}

// ListStates implements StrictServerInterface.
func (s *Server) ListStates(ctx context.Context, _ ListStatesRequestObject) (ListStatesResponseObject, error) {
	list := ListStates200JSONResponse{States: []State{}}
	for _, one := range s.states.States() {
		if keyFrom(ctx).MayUseDevice(one.Device) {
			list.States = append(list.States, newState(&one))
		}
	}
	return list, nil
}

// GetState implements StrictServerInterface.
func (s *Server) GetState(ctx context.Context, r GetStateRequestObject) (GetStateResponseObject, error) {
	state, err := s.visibleState(ctx, r.Name)
	if err != nil {
		return nil, err
	}
	limit, err := readLimit(r.Params.Limit)
	if err != nil {
		return nil, err
	}
	page, next, err := s.states.Changes(ctx, edgelens.StateFilter{Name: r.Name, Limit: limit, Cursor: text(r.Params.Cursor)})
	if err != nil {
		return nil, err
	}
	history := GetState200JSONResponse{State: newState(&state), Changes: make([]StateChange, 0, len(page)), Next: optional(next)}
	for i := range page {
		history.Changes = append(history.Changes, newStateChange(&page[i]))
	}
	return history, nil
}

// EraseState implements StrictServerInterface.
func (s *Server) EraseState(ctx context.Context, r EraseStateRequestObject) (EraseStateResponseObject, error) {
	if _, err := s.visibleState(ctx, r.Name); err != nil {
		return nil, err
	}
	erased, err := s.states.EraseState(ctx, r.Name)
	x := exchangeFrom(ctx)
	x.action = "erase"
	x.audited = []slog.Attr{slog.String("filters", "state"), slog.Int64("changes", erased.Changes), slog.Int64("undelivered_events", erased.Undelivered)}
	if err != nil {
		return nil, err
	}
	return EraseState200JSONResponse{Changes: erased.Changes, UndeliveredEvents: erased.Undelivered}, nil
}

// serveStateImage answers POST /api/states/{name}/images.
func (s *Server) serveStateImage(c echo.Context) error {
	ctx, name := c.Request().Context(), c.Param("name")
	shown, err := s.visibleState(ctx, name)
	if err != nil {
		return err
	}
	if key := keyFrom(ctx); !key.MayUseModel(shown.Model) {
		return fmt.Errorf("%w: the state is recognized by the model %s, and the key %q is for others", edgelens.ErrForbidden, shown.Model, key.Name)
	}
	o, u, err := s.readRecognition(c)
	if err != nil {
		return err
	}
	if given := o.names(); len(given) > 0 {
		return fmt.Errorf("%w: the state decides on %s, by the setting states.list; leave it out", edgelens.ErrInvalid, strings.Join(given, ", "))
	}
	markRecognized(ctx)
	waiting, cancel := readPreferences(c.Request().Header).limit(ctx, c.Response().Header())
	defer cancel()
	answer, state, err := s.states.Observe(waiting, name, u.image, u.sha256)
	if err != nil {
		return err
	}
	return s.answer(c, http.StatusOK, o, StateObservation{Answer: newStateAnswer(answer), State: newState(&state)})
}

// names returns the names of the options that were given, sorted.
func (o *options) names() (names []string) {
	for name := range o.given {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func newState(s *edgelens.State) State {
	state := State{
		Name: s.Name, Device: s.Device, Model: s.Model, Confidence: s.Confidence, Stale: s.Stale, Answers: make([]StateAnswer, 0, len(s.Answers)),
		Region: newRegion(s.View.Region), State: optional(s.Label), Since: optionalTime(s.Since), ImageAt: optionalTime(s.ImageAt), Problem: optional(s.Problem),
	}
	if s.Pending != "" {
		state.Pending = &struct {
			Count  int    `json:"count"`
			Needed int    `json:"needed"`
			State  string `json:"state"`
		}{s.Count, s.Needed, s.Pending}
	}
	for _, a := range s.Answers {
		state.Answers = append(state.Answers, newStateAnswer(a))
	}
	return state
}

func newStateAnswer(a edgelens.StateAnswer) StateAnswer {
	return StateAnswer{At: a.At, Label: a.Label, Probability: a.Probability, Outcome: StateAnswerOutcome(a.Outcome)}
}

func newStateChange(c *edgelens.StateChange) StateChange {
	change := StateChange{
		Id: uuidOf(c.ID), At: c.At, State: c.Label, Former: optional(c.Former), Confidence: c.Confidence, ImageAt: c.ImageAt,
		Model: ModelRef{Name: c.Model.Name, Digest: c.Model.Digest},
	}
	if c.Record != "" {
		record := uuidOf(c.Record)
		change.Record = &record
	}
	return change
}

// optionalTime returns nil for the zero time.
func optionalTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// noStates are the States of a server without any.
type noStates struct{}

var errNoStates = fmt.Errorf("%w: no states are set up; the setting states.list has them", edgelens.ErrNotFound)

func (noStates) States() []edgelens.State { return nil }

func (noStates) State(string) (edgelens.State, error) { return edgelens.State{}, errNoStates }

func (noStates) Changes(context.Context, edgelens.StateFilter) ([]edgelens.StateChange, string, error) {
	return nil, "", errNoStates
}

func (noStates) Observe(context.Context, string, []byte, [32]byte) (edgelens.StateAnswer, edgelens.State, error) {
	return edgelens.StateAnswer{}, edgelens.State{}, errNoStates
}

func (noStates) EraseState(context.Context, string) (edgelens.ErasedState, error) {
	return edgelens.ErasedState{}, errNoStates
}

package app

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/internal/config"
	"edgelens/internal/ledger"
	"edgelens/internal/notify/webhook"
	"edgelens/learn/heads"
	"edgelens/learn/state"
	"edgelens/models"
	"edgelens/terminal"
)

// states follows what the images of places show. It implements api.States.
type states struct {
	*state.Monitor
	ledger   *ledger.Ledger
	registry *models.Registry
	heads    *heads.Store
}

// newStates connects the monitor to its parts.
func newStates(ctx context.Context, c *config.Config, core *Core, jobs *jobs, log *slog.Logger, metrics prometheus.Registerer) (*states, error) {
	if err := checkStates(c); err != nil {
		return nil, err
	}
	monitor, err := state.New(ctx, c.States, state.Parts{Recognizer: core.Recognizer, Store: stateStore{jobs.ledger.States, stateSinks(c)}, Log: log, Registerer: metrics})
	if err != nil {
		return nil, err
	}
	return &states{Monitor: monitor, ledger: jobs.ledger, registry: core.Registry, heads: core.Heads}, nil
}

// checkStates checks what the settings about states need.
func checkStates(c *config.Config) error {
	if c.States.List != "" && c.Terminal.Group != "" {
		return fmt.Errorf("%w: states.list needs every image of a device, and the nodes of mqtt.group share them out: let a node without mqtt.group follow the states", edgelens.ErrInvalid)
	}
	return nil
}

// stateSinks returns the sinks of changes.
func stateSinks(c *config.Config) (sinks []string) {
	if c.Terminal.URL != "" || c.Mosquitto.Listen != "" {
		sinks = append(sinks, terminal.EventsSink)
	}
	if c.Webhook.WantsStates() {
		sinks = append(sinks, webhook.Sink)
	}
	return sinks
}

// run follows the images until ctx ends. bridge is nil without a broker.
func (s *states) run(ctx context.Context, bridge *terminal.Bridge) {
	if bridge == nil {
		s.Run(ctx, func(edgelens.State) {}, func(string) {})
		return
	}
	s.Run(ctx, bridge.ShowState, bridge.HideState)
}

// Changes implements api.States.
func (s *states) Changes(ctx context.Context, filter edgelens.StateFilter) ([]edgelens.StateChange, string, error) {
	return s.ledger.States.Changes(ctx, filter)
}

// Observe implements api.States.
func (s *states) Observe(ctx context.Context, name string, image []byte, sha256 [32]byte) (edgelens.StateAnswer, edgelens.State, error) {
	return s.Monitor.Observe(ctx, name, state.Image{Bytes: image, SHA256: sha256, At: time.Now()})
}

// EraseState implements api.States.
func (s *states) EraseState(ctx context.Context, name string) (edgelens.ErasedState, error) {
	if _, err := s.State(name); err != nil {
		return edgelens.ErasedState{}, err
	}
	s.Forget(func(one edgelens.State) bool { return one.Name == name })
	return s.ledger.Erasure.EraseState(ctx, name)
}

// labeled returns the states with the labels that each may have now: a head has others once another version goes live.
func (s *states) labeled(context.Context) ([]edgelens.State, error) {
	all := s.States()
	for i := range all {
		all[i].Labels = labelsOf(s.registry, s.heads, all[i].Model)
	}
	return all, nil
}

// labelsOf returns the labels of a model, and those of the live version of a head; a file has the name where both are there.
// Unlike an answer of a head, a state is never head.Unknown.
func labelsOf(registry *models.Registry, stored *heads.Store, model string) []string {
	listed, err := registry.Look(model)
	if err == nil {
		return listed.Labels
	}
	if live, err := stored.Live(model); err == nil {
		return live.Labels
	}
	return nil
}

// stateStore is the ledger as a state.Store, with the sinks of changes.
type stateStore struct {
	stored *ledger.States
	sinks  []string
}

// States implements state.Store.
func (s stateStore) States(ctx context.Context) ([]edgelens.State, error) {
	return s.stored.States(ctx)
}

// SaveStates implements state.Store.
func (s stateStore) SaveStates(ctx context.Context, all ...edgelens.State) error {
	return s.stored.SaveStates(ctx, all...)
}

// RecordChange implements state.Store.
func (s stateStore) RecordChange(ctx context.Context, change edgelens.StateChange, now edgelens.State) error {
	return s.stored.RecordChange(ctx, change, now, s.sinks)
}

// observedRecords stores the records of devices, and passes the images of new ones on for the states that they show. A
// record that is not proved to be fresh, and one of a device that is not accepted, changes no state.
type observedRecords struct {
	terminal.Records
	states *states
}

// Receive implements terminal.Records.
func (o observedRecords) Receive(ctx context.Context, r edgelens.Reception) (existing bool, err error) {
	existing, err = o.Records.Receive(ctx, r)
	record := &r.Record
	switch {
	case err != nil || len(r.Image) == 0:
	case existing || record.Retained || record.Freshness != edgelens.FreshnessFresh || r.Held != nil && r.Held():
		o.states.Refuse(record.Device)
	default:
		o.states.offer(record, r.Image)
	}
	return existing, err
}

// offer passes the image of a record on.
func (s *states) offer(r *edgelens.Record, image []byte) {
	at := r.CapturedAt
	if at.IsZero() {
		at = r.ReceivedAt
	}
	one := state.Image{Device: r.Device, Record: r.ID, Bytes: image, At: at}
	if n, err := hex.Decode(one.SHA256[:], []byte(r.ImageSHA256)); err != nil || n != len(one.SHA256) {
		return // a Reception is complete
	}
	s.Offer(one)
}

// forgettingErasure erases results and records, and has the states of a device forgotten that is erased as a whole.
type forgettingErasure struct {
	*ledger.Erasure
	states *states
}

// Erase implements api.Erasure.
func (e forgettingErasure) Erase(ctx context.Context, filter edgelens.ErasureFilter) (edgelens.Erased, error) {
	if filter.Device != "" && filter == (edgelens.ErasureFilter{Device: filter.Device}) {
		e.states.Forget(func(one edgelens.State) bool { return one.Device == filter.Device })
	}
	return e.Erasure.Erase(ctx, filter)
}

// reload takes up other states while the service runs; without an error, they are in force.
func (s *states) reload(c *config.Config) error {
	specs, err := state.ParseSpecs(c.States.List)
	if err := errors.Join(err, checkStates(c)); err != nil {
		return err
	}
	s.Apply(specs)
	return nil
}

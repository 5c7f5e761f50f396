package api

import (
	"context"

	"edgelens"
)

// systemState describes how the service and the machine are now; nil where that is not known.
func (s *Server) systemState(ctx context.Context) *SystemState {
	if s.state == nil {
		return nil
	}
	state := s.state(ctx)
	shown := &SystemState{
		At: state.At, StartedAt: timeOrNil(state.StartedAt), Status: SystemStateStatusOk, Conditions: []Condition{},
		Models: s.modelInterpreters(ctx, state.Interpreters), Stages: []StageLatency{}, Outbox: []SinkState{},
		Cache: CacheState{Hits: state.Cache.Hits, Misses: state.Cache.Misses, Bypasses: state.Cache.Bypasses},
		Queue: QueueState{Waiting: int(state.Waiting), Queued: state.Queued, Running: state.Running},
		Redis: newLinkState(state.Redis),
		Machine: MachineState{
			TemperatureCelsius: state.Machine.Celsius, Throttled: append([]string{}, state.Machine.Throttled...), Load: state.Machine.Load,
			ProcessMemoryBytes: positive(state.Machine.ProcessBytes), MemoryAvailableBytes: positive(state.Machine.AvailableBytes),
		},
		Storage: StorageState{
			DatabaseBytes: state.Storage.DatabaseBytes, ImageBytes: state.Storage.ImageBytes,
			DiskFreeBytes: positive(state.Storage.DiskFreeBytes), DiskBytes: positive(state.Storage.DiskBytes), DroppedSyncResults: state.Storage.DroppedSyncResults,
		},
	}
	for _, c := range s.readiness.Conditions() {
		shown.Conditions = append(shown.Conditions, Condition{Name: c.Name, Severity: ConditionSeverity(c.Severity), Reason: c.Reason})
		switch {
		case c.Severity == edgelens.SeverityUnavailable:
			shown.Status = SystemStateStatusUnavailable
		case shown.Status == SystemStateStatusOk:
			shown.Status = SystemStateStatusDegraded
		}
	}
	for _, stage := range state.Stages {
		shown.Stages = append(shown.Stages, StageLatency{
			Stage: StageLatencyStage(stage.Stage), Count: stage.Count, MeanMs: milliseconds(stage.Mean), P50Ms: milliseconds(stage.P50), P95Ms: milliseconds(stage.P95),
		})
	}
	for _, sink := range state.Sinks {
		shown.Outbox = append(shown.Outbox, SinkState{
			Sink: sink.Sink, Events: sink.Events, Bytes: sink.Bytes, SetAside: sink.SetAside, Dropped: sink.Dropped,
			FailingSince: timeOrNil(sink.FailingSince), Reason: optional(sink.Reason),
		})
	}
	if state.Broker != nil {
		broker := newLinkState(*state.Broker)
		shown.Broker = &broker
	}
	return shown
}

// modelInterpreters lists the models that the client may use.
func (s *Server) modelInterpreters(ctx context.Context, counts map[string]edgelens.InterpreterCounts) []ModelInterpreters {
	list := []ModelInterpreters{}
	for _, m := range s.models.List() {
		if !keyFrom(ctx).MayUseModel(m.Name) {
			continue
		}
		of := counts[m.Name]
		list = append(list, ModelInterpreters{
			Name: m.Name, State: ModelInterpretersState(m.State), Default: m.Default, Problem: textOrNil(m.Problem),
			Idle: of.Idle, Busy: of.Busy, Stuck: of.Stuck, MemoryBytes: m.MemoryBytes,
		})
	}
	return list
}

func newLinkState(link edgelens.LinkState) LinkState {
	shown := LinkState{State: Down, Private: link.Private, Reason: textOrNil(link.Reason)}
	if link.Up {
		shown.State = Up
	}
	return shown
}

// positive returns nil for a number that is not known.
func positive(n int64) *int64 {
	if n <= 0 {
		return nil
	}
	return &n
}

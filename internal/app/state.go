package app

import (
	"context"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"edgelens"
	"edgelens/internal/board"
	"edgelens/internal/ledger"
	"edgelens/internal/notify/webhook"
	"edgelens/terminal"
)

// machineInterval is how long a reading of the machine is used: it may run a program.
const machineInterval = 5 * time.Second

// machine reads the state of the machine, at most every machineInterval. It is safe for use by many goroutines.
type machine struct {
	prober board.Prober

	mu   sync.Mutex
	read time.Time
	last edgelens.MachineState
	// raw is the reading that last was made of, and throttled whether the processor was in the time before it.
	raw       board.State
	throttled *bool
}

// throttledNow reports whether the processor is throttled; nil where that is not known.
func (m *machine) throttledNow(ctx context.Context) *bool {
	m.state(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.throttled
}

func (m *machine) state(ctx context.Context) edgelens.MachineState {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := time.Now(); m.read.IsZero() || now.Sub(m.read) >= machineInterval {
		s := m.prober.State(ctx)
		load := s.Load
		m.read, m.throttled, m.raw = now, s.ThrottledSince(m.raw), s
		m.last = edgelens.MachineState{
			Celsius: s.Celsius, Throttled: s.Throttling(), Load: &load, ProcessBytes: residentBytes(m.prober.Root), AvailableBytes: s.MemoryFreeBytes,
		}
	}
	return m.last
}

// residentBytes returns the resident set size of this process (proc(5)); 0 where it cannot be read.
func residentBytes(root string) int64 {
	text, err := os.ReadFile(root + "proc/self/statm")
	fields := strings.Fields(string(text))
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// State describes the service and its machine as they are now. What cannot be read is left out, and logged.
func (s *node) State(ctx context.Context) edgelens.SystemState {
	state := edgelens.SystemState{
		At: time.Now(), StartedAt: s.started, Interpreters: map[string]edgelens.InterpreterCounts{}, Waiting: int64(s.core.service.Waiting()),
		Machine: s.machine.state(ctx), Redis: s.redisState(), Broker: s.brokerState(), Sinks: s.sinkStates(ctx),
	}
	for name, stats := range s.core.Loader.Interpreters() {
		state.Interpreters[name] = edgelens.InterpreterCounts{Idle: stats.Idle, Busy: stats.Busy, Stuck: stats.Stuck}
	}
	state.Stages, state.Cache = s.core.recognizer.Totals()
	stats, err := s.jobs.ledger.Stats(ctx)
	if err != nil {
		s.log.Warn("measuring the ledger failed", "error", err)
	}
	state.Storage.DatabaseBytes, state.Storage.ImageBytes = stats.DatabaseBytes, stats.ImageBytes
	for of, n := range stats.Jobs {
		switch of.Status {
		case edgelens.JobQueued:
			state.Queued += n
		case edgelens.JobRunning:
			state.Running += n
		}
	}
	var disk syscall.Statfs_t
	if err := syscall.Statfs(s.config.DataDir, &disk); err == nil {
		state.Storage.DiskFreeBytes, state.Storage.DiskBytes = int64(disk.Bavail)*int64(disk.Bsize), int64(disk.Blocks)*int64(disk.Bsize)
	}
	if s.history != nil {
		dropped := s.history.Dropped()
		state.Storage.DroppedSyncResults = &dropped
	}
	return state
}

func (s *node) redisState() edgelens.LinkState {
	status := s.jobs.queue.RedisStatus()
	state := edgelens.LinkState{Up: status.Err == nil, Private: s.jobs.redis != nil, Reason: status.Warning}
	if status.Err != nil {
		state.Reason = status.Err.Error()
	}
	return state
}

// brokerState returns nil where there is no MQTT.
func (s *node) brokerState() *edgelens.LinkState {
	if s.terminals == nil || s.terminals.bridge == nil {
		return nil
	}
	state := &edgelens.LinkState{Up: s.terminals.bridge.Connected(), Private: s.terminals.broker.child != nil}
	if err := s.terminals.bridge.TakenOver(); err != nil {
		state.Reason = err.Error()
	} else if !state.Up {
		state.Reason = "There is no connection to the MQTT broker; the log has the reason."
	}
	return state
}

// sinkStates returns the sinks that are in use, and those that have events.
func (s *node) sinkStates(ctx context.Context) []edgelens.SinkState {
	measured, err := s.jobs.ledger.Outbox.Stats(ctx)
	if err != nil {
		s.log.Warn("measuring the outbox failed", "error", err)
		measured = map[string]ledger.OutboxStats{}
	}
	used := map[string]bool{
		terminal.EventsSink: s.terminals != nil && s.terminals.bridge != nil,
		webhook.Sink:        s.config.Webhook.URL != "",
	}
	var all []edgelens.SinkState
	for _, name := range []string{terminal.EventsSink, webhook.Sink} {
		stats, known := measured[name]
		if !known && !used[name] {
			continue
		}
		state := edgelens.SinkState{Sink: name, Events: stats.Rows, Bytes: stats.Bytes, SetAside: stats.Aside, Dropped: stats.Shed}
		if s.terminals != nil {
			for _, alarm := range s.terminals.dispatcher.Alarms() {
				if alarm.Sink == name {
					state.FailingSince, state.Reason = alarm.Since.UTC(), alarm.Reason
				}
			}
		}
		all = append(all, state)
	}
	return all
}

// sampleActivity notes how many requests wait, and every few calls how many jobs are queued: it is called with the checks
// of the conditions, so that nothing else wakes the processor.
func (s *node) sampleActivity() func() []edgelens.Condition {
	var queued time.Time
	activity := s.core.recognizer.Activity()
	return func() []edgelens.Condition {
		activity.Waiting(int64(s.core.service.Waiting()))
		if now := time.Now(); now.Sub(queued) >= queuedInterval {
			queued = now
			activity.Queued(s.queuedJobs())
		}
		return nil
	}
}

// queuedInterval is how often queued jobs are counted.
const queuedInterval = 5 * time.Second

func (s *node) queuedJobs() (n int64) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	n, err := s.jobs.ledger.Jobs.Queued(ctx)
	if err != nil {
		s.log.Warn("counting the queued jobs failed", "error", err)
	}
	return n
}

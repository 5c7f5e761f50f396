package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"edgelens/benchmarks/hostile"
	"edgelens/benchmarks/proc"
)

const (
	attackers = 9
	// maxMemory is the wanted maximum above idle, in megabytes.
	maxMemory = 400
	// waveTimeout bounds the wait for the answers of a wave: its memory is at its peak before.
	waveTimeout   = 20 * time.Second
	sampleMemory  = 100 * time.Millisecond
	settleTimeout = 15 * time.Second
)

// wave is what one input did that came nine times at once.
type wave struct {
	Name string `json:"name"`
	// Bytes is the peak above idle, and Before how much the inputs before it had left above idle.
	Bytes   int64  `json:"memory_bytes"`
	Before  int64  `json:"memory_bytes_before"`
	Answers string `json:"answers"`
}

// memoryRow sends each heavy input nine times at once, and then bombs of all kinds.
func memoryRow(ctx context.Context, b *bench) error {
	w, err := b.watchMemory(ctx)
	if err != nil {
		return err
	}
	defer func() { w.end() }() // the last one
	worst := wave{Name: "none"}
	for _, input := range b.heavyFirst(ctx) {
		one := w.measure(input.Name, func() string { return b.sendWave(ctx, w.service, input) })
		if ctx.Err() != nil {
			return ctx.Err()
		}
		b.results.Waves = append(b.results.Waves, one)
		if one.Bytes > maxMemory<<20 {
			progress("  nine of %s: %d MB, %s", one.Name, one.Bytes>>20, one.Answers)
		}
		if one.Bytes > worst.Bytes {
			worst = one
		}
		if err := w.service.mustLive(); err != nil {
			return fmt.Errorf("nine of %s: %w", one.Name, err)
		}
		if w.service.idle(ctx, settleTimeout) {
			continue
		}
		w.end() // its interpreters may be busy forever
		if w, err = b.watchMemory(ctx); err != nil {
			return err
		}
	}
	bombs := b.bombs()
	mixed := w.measure("bombs of all kinds", func() string {
		a := newAttack(ctx)
		a.throwBombs(b, w.service, attackers, bombs)
		pause(ctx, 2*b.plan.window)
		a.stop()
		return fmt.Sprintf("%d answers, %d failures", a.answers.Load(), a.failures.Load())
	})
	b.results.Waves = append(b.results.Waves, mixed)
	if mixed.Bytes > worst.Bytes {
		worst = mixed
	}
	if err := w.service.mustLive(); err != nil {
		return err
	}
	b.results.atMost("memory", "resident memory above idle, nine at a time", megabytes, float64(worst.Bytes>>20), maxMemory,
		fmt.Sprintf("%s; Pss of the service and all its children, %d MB idle, %d inputs", worst.Name, w.idle>>20, len(b.results.Waves)-1))
	return ctx.Err()
}

// watched is a service whose memory is sampled.
type watched struct {
	service *service
	memory  *memory
	idle    int64 // bytes
}

// watchMemory starts a service. The caller ends it.
func (b *bench) watchMemory(ctx context.Context) (*watched, error) {
	s, err := b.start(ctx)
	if err != nil {
		return nil, err
	}
	s.settle(ctx, settleTimeout)
	w := &watched{service: s}
	if w.idle, err = proc.Memory(s.pid()); err != nil {
		return nil, errors.Join(err, s.kill())
	}
	w.memory = s.sampleMemory()
	return w, nil
}

func (w *watched) end() {
	w.memory.stop()
	_ = w.service.kill() // row stop measures an end
}

// measure returns the peak of the memory during an attack, which returns its answers.
func (w *watched) measure(name string, attack func() string) wave {
	one := wave{Name: name}
	if now, err := proc.Memory(w.service.pid()); err == nil { // an error means it has ended, which is noticed later
		one.Before = now - w.idle
	}
	w.memory.peak.Store(0)
	one.Answers = attack()
	peak := w.memory.peak.Load()
	if now, err := proc.Memory(w.service.pid()); err == nil { // a wave may be over before its first sample
		peak = max(peak, now)
	}
	one.Bytes = peak - w.idle
	return one
}

// heavyFirst are the inputs of the plan: those that cost the most, and then all other heavy ones.
func (b *bench) heavyFirst(ctx context.Context) []hostile.Input {
	var first, others []hostile.Input
	for input := range b.corpus(ctx) {
		switch {
		case input.Request:
		case slices.Contains(bombNames, input.Name):
			first = append(first, input)
		case input.Heavy:
			others = append(others, input)
		}
	}
	all := append(first, others...)
	return all[:min(len(all), b.plan.waves)]
}

// sendWave sends an input from nine clients at once, and returns how many answers of each kind there were.
func (b *bench) sendWave(ctx context.Context, s *service, input hostile.Input) string {
	bomb := built{input, input.Bytes()}
	statuses := make([]string, attackers)
	var group sync.WaitGroup
	for i := range attackers {
		group.Go(func() {
			c := s.client(1000 + i)
			c.timeout = waveTimeout
			defer c.close()
			a, err := c.send(ctx, bomb.request(c, b.serial.Add(1)))
			if statuses[i] = strconv.Itoa(a.status); err != nil {
				statuses[i] = class(err)
			}
		})
	}
	group.Wait()
	counts := map[string]int{}
	for _, status := range statuses {
		counts[status]++
	}
	var parts []string
	for _, status := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d x %s", counts[status], status))
	}
	return strings.Join(parts, ", ")
}

// memory samples the memory of a service.
type memory struct {
	// peak is the largest sample in bytes since it was set to 0.
	peak atomic.Int64
	quit chan struct{}
	done chan struct{}
}

// sampleMemory begins to sample; the caller stops it.
func (s *service) sampleMemory() *memory {
	m := &memory{quit: make(chan struct{}), done: make(chan struct{})}
	go func() { // until stop
		defer close(m.done)
		tick := time.NewTicker(sampleMemory)
		defer tick.Stop()
		for {
			if bytes, err := proc.Memory(s.pid()); err == nil { // an error means it has ended
				m.peak.Store(max(m.peak.Load(), bytes)) // no other goroutine raises it
			}
			select {
			case <-tick.C:
			case <-m.quit:
				return
			}
		}
	}()
	return m
}

func (m *memory) stop() {
	close(m.quit)
	<-m.done
}

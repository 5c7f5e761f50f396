package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"edgelens/benchmarks/proc"
)

const (
	stopWithin = 10 // seconds
	// afterwards is when no child may be left.
	afterwards = time.Second
)

// stopRow stops the service while it is attacked in every way at once.
func stopRow(ctx context.Context, b *bench) error {
	bombs := b.bombs()
	var slowest float64
	var codes []string
	bad, left := 0, 0
	for range b.plan.stops {
		s, err := b.start(ctx)
		if err != nil {
			return err
		}
		took, code, orphans, err := b.stopUnderAttack(ctx, s, bombs)
		if err := errors.Join(err, s.end()); err != nil {
			return err
		}
		slowest = max(slowest, took)
		codes = append(codes, code)
		if code != "0" {
			bad++
		}
		left += len(orphans)
		progress("  stopped after %.1f s with status %s; left: %s", took, code, strings.Join(orphans, ", "))
	}
	b.results.atMost("stop", "SIGTERM under attack until the end", seconds, slowest, stopWithin, fmt.Sprintf("the longest of %d", b.plan.stops))
	b.results.atMost("stop", "exit statuses other than 0", count, float64(bad), 0, strings.Join(codes, ", "))
	b.results.atMost("stop", "processes left", count, float64(left), 0, "a second later")
	return nil
}

func (b *bench) stopUnderAttack(ctx context.Context, s *service, bombs []built) (took float64, code string, orphans []string, err error) {
	a := newAttack(ctx)
	defer a.stop()
	a.throwBombs(b, s, bombers, bombs)
	a.besiege(b, s, crowded)
	a.claim(s, claimers)
	a.slowHeaders(s, 50)
	a.slowBodies(s, 20)
	a.deafListeners(s, 50)
	pause(ctx, 3*time.Second)
	if err := s.mustLive(); err != nil {
		return 0, "", nil, err
	}
	processes, err := proc.Tree(s.pid())
	if err != nil {
		return 0, "", nil, err
	}
	elapsed, err := s.terminate(stopTimeout)
	if code = "none"; err == nil {
		code = fmt.Sprint(s.command.ProcessState.ExitCode())
	}
	pause(ctx, afterwards)
	for pid, p := range processes {
		if p.Running(pid) {
			orphans = append(orphans, fmt.Sprintf("%s (%d)", p.Name, pid))
		}
	}
	return elapsed.Seconds(), code, orphans, nil
}

// The wanted shares of a core of an idle service, in percent.
const (
	idleService = 0.5
	idleRedis   = 0.2
)

// idleRow measures the CPU time of a service that has nothing to do.
func idleRow(ctx context.Context, b *bench, s *service) error {
	if !pause(ctx, 10*time.Second) { // what a start leaves to be done
		return ctx.Err()
	}
	before, err := s.cpuByName()
	if err != nil {
		return err
	}
	begin := time.Now()
	pause(ctx, b.plan.idle)
	after, err := s.cpuByName()
	if err != nil {
		return err
	}
	window := time.Since(begin)
	share := func(name string) float64 { return 100 * (after[name] - before[name]).Seconds() / window.Seconds() }
	note := fmt.Sprintf("in %v; %s %.2f%%", window.Round(time.Second), broker, share(broker))
	b.results.atMost("idle", "CPU of the service and its helpers, of a core", percent, share(""), idleService, note)
	b.results.atMost("idle", "CPU of its Redis, of a core", percent, share(redis), idleRedis, note)
	return ctx.Err()
}

// The names of children that are no helpers of the service's own.
const (
	redis  = "redis-server"
	broker = "mosquitto"
)

// cpuByName is the CPU time of the private Redis, of the private broker, and, under "", of all else.
func (s *service) cpuByName() (map[string]time.Duration, error) {
	processes, err := proc.Tree(s.pid())
	if err != nil {
		return nil, errors.Join(err, s.mustLive())
	}
	sums := map[string]time.Duration{}
	for pid, p := range processes {
		command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil {
			continue // it ended meanwhile
		}
		name := "" // of the file it may have another one
		for _, child := range []string{redis, broker} {
			if strings.HasPrefix(filepath.Base(string(command)), child) || strings.HasPrefix(string(command), child) || p.Name == child {
				name = child
			}
		}
		sums[name] += p.Own + p.Gone
	}
	if _, ok := sums[redis]; !ok {
		return nil, errors.New("the service has no private Redis")
	}
	return sums, nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"edgelens/benchmarks/made"
	"edgelens/internal/board"
)

// row is a part of the table: it has services of its own.
type row struct {
	name, title string
	measure     func(ctx context.Context, b *bench) error
}

// rows are in the order of the table.
var rows = []row{
	{"inputs", "hostile inputs, one at a time: each is answered soon, and costs nothing afterwards", inputsRow},
	{"memory", "hostile inputs, nine at a time: resident memory", memoryRow},
	{"beside", "a client beside six that send bombs", onService(besideRow)},
	{"goodput", "right answers with 8, 64 and 256 connections", onService(goodputRow)},
	{"open", "ten times as many requests as can be answered", onService(openRow)},
	{"doors", "door events beside crowds", onService(doorsRow)},
	{"claims", "connections that announce a body and send none", onService(claimsRow)},
	{"slow", "clients that send or read slowly", onService(slowRow)},
	{"strangers", "10,000 terminals that do not exist", onService(strangersRow)},
	{"health", "health checks beside a crowd", onService(healthRow)},
	{"stop", "SIGTERM under attack", stopRow},
	{"idle", "an idle service", onService(idleRow)},
}

// onService gives a row one service, which it ends.
func onService(measure func(ctx context.Context, b *bench, s *service) error) func(ctx context.Context, b *bench) error {
	return func(ctx context.Context, b *bench) error {
		s, err := b.start(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = s.end() }() // row stop measures it
		return measure(ctx, b, s)
	}
}

func rowNamed(name string) (row, bool) {
	i := slices.IndexFunc(rows, func(r row) bool { return r.name == name })
	if i < 0 {
		return row{}, false
	}
	return rows[i], true
}

// bench is one run of the program.
type bench struct {
	config
	results *results
	// photo is what ordinary clients send, and small what they send where only the number of requests matters.
	photo, small []byte
	// serial makes each sent image another one.
	serial atomic.Uint64
	// sequence is that of the keys of terminals' records.
	sequence atomic.Int64
	// generatedFolder has the inputs of the other generator once it ran; "" where there are none.
	generatedFolder string
	generating      sync.Once
}

// measure returns the number of missed figures. The error is that something could not be measured.
func measure(ctx context.Context, c config) (missed int, err error) {
	if c.program, err = filepath.Abs(c.program); err != nil {
		return 0, err
	}
	if _, err := os.Stat(c.program); err != nil {
		return 0, fmt.Errorf("find the program: %w; `make build` builds it, --program names another", err)
	}
	if c.models, err = filepath.Abs(c.models); err != nil {
		return 0, err
	}
	if err := os.MkdirAll(c.out, 0o755); err != nil {
		return 0, err
	}
	b := &bench{config: c, photo: made.JPEG(1280, 720), small: made.JPEG(96, 96)}
	defer func() { _ = os.RemoveAll(b.generatedFolder) }() // a temporary one
	b.sequence.Store(time.Now().UnixMilli())
	b.serial.Store(uint64(time.Now().UnixNano()))
	prober := board.Prober{Root: "/"}
	b.results = &results{Started: time.Now().UTC(), Seed: c.seed, Short: c.short, Check: c.check, Board: prober.Facts(), Before: prober.State(ctx)}
	var failures []error
	for _, r := range rows {
		if len(c.only) > 0 && !slices.Contains(c.only, r.name) {
			continue
		}
		progress("%s: %s", r.name, r.title)
		begin := time.Now()
		if err := r.measure(ctx, b); err != nil {
			if ctx.Err() != nil {
				failures = append(failures, errors.New("interrupted"))
				break
			}
			b.results.failed(r.name, err)
			progress("%s: %v", r.name, err)
		}
		progress("%s took %v", r.name, time.Since(begin).Round(time.Second))
	}
	b.results.After = prober.State(context.WithoutCancel(ctx))
	if err := b.results.write(c.out, os.Stdout); err != nil {
		failures = append(failures, err)
	}
	return b.results.missed(), errors.Join(failures...)
}

// progress prints a line at once.
func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
}

// pause reports whether the time elapsed before ctx ended.
func pause(ctx context.Context, wait time.Duration) bool {
	select {
	case <-time.After(wait):
		return true
	case <-ctx.Done():
		return false
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"edgelens"
)

// watchdogChecks is how many checks there are in the time after which systemd ends a service that is silent. A check
// takes at most as long as the time between two, so that one in each half of it succeeds or the service does not work.
const watchdogChecks = 4

// watchdog has systemd end and start again a service that recognizes nothing any more. Each recognition that is completed
// for a client proves that it works; where there was none since the last check, it makes one of its own. Refusals prove nothing, neither way: under load others are completed meanwhile, and a service that only refuses,
// because each client's time is too short, has a slot for a check, which waits for one.
type watchdog struct {
	interval  time.Duration
	completed func() uint64               // recognitions since the start
	try       func(context.Context) error // makes one, and waits for it
	alive     func()
	log       *slog.Logger
}

// run checks until ctx ends.
func (w *watchdog) run(ctx context.Context) {
	tick := time.NewTicker(w.interval)
	defer tick.Stop()
	var before uint64
	for {
		now := w.completed()
		if now != before || w.works(ctx) || w.completed() != before {
			w.alive()
		}
		before = now
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// works reports whether a recognition succeeds, or cannot for a reason that a restart does not remove.
func (w *watchdog) works(ctx context.Context) bool {
	bounded, cancel := context.WithTimeout(ctx, w.interval)
	defer cancel()
	err := w.try(bounded)
	switch {
	case err == nil:
		return true
	case ctx.Err() != nil, errors.Is(err, edgelens.ErrStopping):
		return true // it stops, for which there is another limit
	case errors.Is(err, edgelens.ErrNoModel), errors.Is(err, edgelens.ErrModel):
		return true // there is nothing to run, and /readyz has the reason
	}
	w.log.Warn("no recognition was completed, and one for a check failed: systemd ends the service unless a later one succeeds", "event", "watchdog_check_failed", "error", err)
	return false
}

// watch serves systemd's watchdog, if there is one, until ctx ends.
func (s *node) watch(ctx context.Context) {
	timeout := s.manager.WatchdogTimeout()
	if timeout == 0 {
		<-ctx.Done()
		return
	}
	w := watchdog{interval: timeout / watchdogChecks, completed: s.core.recognizer.Computed, try: s.core.Try, alive: s.manager.Alive, log: s.log}
	w.run(ctx)
}

// Try recognizes a generated image by the whole path of one. It has no line in the log and no metrics of requests, and
// waits for a slot as a job does.
func (c *Core) Try(ctx context.Context) error {
	data, err := trialImage(time.Now())
	if err != nil {
		return fmt.Errorf("make an image for a check: %w", err)
	}
	_, err = c.service.Recognize(ctx, &edgelens.Request{
		ID: uuid.NewString(), Source: "check", Image: data, SHA256: sha256.Sum256(data), Priority: edgelens.PriorityInteractive, NoCache: true,
	})
	return err
}

// trialImage returns a JPEG that differs from those of other times: an image that could not be decoded in time would be
// refused for an hour.
func trialImage(at time.Time) ([]byte, error) {
	const width, height = 640, 480 // as large as many cameras' images: it counts for the predicted durations of others
	canvas := image.NewGray(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			canvas.SetGray(x, y, color.Gray{Y: uint8(x ^ y)})
		}
	}
	for bit := range 64 { // the time, as squares that survive the compression
		level := uint8(at.UnixNano()>>bit&1) * 255
		for i := range 64 {
			canvas.SetGray(bit%8*8+i%8, bit/8*8+i/8, color.Gray{Y: level})
		}
	}
	var b bytes.Buffer
	err := jpeg.Encode(&b, canvas, nil)
	return b.Bytes(), err
}

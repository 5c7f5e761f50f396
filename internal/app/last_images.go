package app

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"edgelens"
	"edgelens/homeassistant"
	"edgelens/internal/ledger"
	"edgelens/internal/loglimit"
)

// lastImages passes the images of fresh records on, as thumbnails.
type lastImages struct {
	ledger  *ledger.Ledger
	show    func(device string, thumbnail []byte)
	log     *slog.Logger
	limiter *loglimit.Limiter
}

func newLastImages(l *ledger.Ledger, announcer *homeassistant.Announcer, log *slog.Logger) *lastImages {
	return &lastImages{ledger: l, show: announcer.ShowImage, log: log, limiter: &loglimit.Limiter{}}
}

const (
	// imagesAtOnce is how many events are read at once: of several images of a device, the last one is shown.
	imagesAtOnce = 200
	imagesRetry  = 5 * time.Second
	// sourceTerminals is the source of the results of terminals and cameras.
	sourceTerminals = "mqtt"
)

// recognitionJob is what a "recognition" event has of its job.
type recognitionJob struct {
	JobID     string `json:"job_id"`
	Source    string `json:"source"`
	Freshness string `json:"freshness"`
}

// run follows the recognitions until ctx ends, from those to come on.
func (l *lastImages) run(ctx context.Context) {
	wake, cancel := l.ledger.Events.Subscribe()
	defer cancel()
	after, err := l.ledger.Events.LastEvent(ctx)
	for known := err == nil; ; {
		if !known {
			after, err = l.ledger.Events.LastEvent(ctx)
			known = err == nil
		}
		if known {
			after, err = l.follow(ctx, after)
		}
		if ctx.Err() != nil || errors.Is(err, edgelens.ErrStopping) {
			return
		}
		var again <-chan time.Time
		if err != nil {
			l.warn(err)
			again = time.After(imagesRetry)
		}
		select {
		case <-wake:
		case <-again:
		case <-ctx.Done():
			return
		}
	}
}

// follow shows the images of the events after a seq, and returns the last one.
func (l *lastImages) follow(ctx context.Context, after int64) (int64, error) {
	for {
		events, err := l.ledger.Events.Events(ctx, after, imagesAtOnce)
		if err != nil || len(events) == 0 {
			return after, err
		}
		after = events[len(events)-1].Seq
		l.showLast(ctx, events)
	}
}

// showLast shows the last image of each device.
func (l *lastImages) showLast(ctx context.Context, events []edgelens.Event) {
	last := map[string]string{}
	for _, event := range events {
		var job recognitionJob
		if event.Type == "recognition" && event.Device != "" && json.Unmarshal(event.Data, &job) == nil &&
			job.JobID != "" && job.Source == sourceTerminals && job.Freshness == string(edgelens.FreshnessFresh) {
			last[event.Device] = job.JobID
		}
	}
	for device, job := range last {
		image, err := l.ledger.Images.Image(ctx, job)
		if errors.Is(err, edgelens.ErrNotFound) {
			continue // it was deleted meanwhile
		}
		var thumbnail []byte
		if err == nil {
			thumbnail, err = homeassistant.Thumbnail(image)
		}
		if err != nil {
			l.warn(err)
			continue
		}
		l.show(device, thumbnail)
	}
}

func (l *lastImages) warn(err error) {
	if suppressed, ok := l.limiter.Pass("images", time.Now()); ok {
		l.log.Warn("an image is not shown in Home Assistant", "event", "homeassistant_image", "suppressed", suppressed, "error", err)
	}
}

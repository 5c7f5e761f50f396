package history

import (
	"context"
	"fmt"
	"sync"
	"time"

	"edgelens/benchmarks/made"
	"edgelens/benchmarks/suite"
	"edgelens/terminal/session"
)

// eventRate is how many events a second a terminal sends: few enough that each is stored by itself, as at a door.
const eventRate = 5

// doorImage is what a terminal sends with a record.
var doorImage = sync.OnceValue(func() []byte { return made.JPEG(480, 640) })

// written returns how much an event of a terminal has the service write, in KiB: its record with the image, the job, the result, the
// event, and what Redis and the broker keep of them.
func (c Config) written(soFar func(context.Context, *target) (int64, error)) func(context.Context, []*target) ([]float64, error) {
	window := time.Duration(c.Seconds) * time.Second
	return func(ctx context.Context, all []*target) ([]float64, error) {
		return each(all, func(t *target) (float64, error) {
			broker, err := session.ParseAddress("mqtt://"+t.broker, "")
			if err != nil {
				return 0, err
			}
			before, err := soFar(ctx, t)
			if err != nil {
				return 0, err
			}
			events, err := suite.SendEvents(ctx, suite.MQTTConfig{
				Broker: broker, Rate: eventRate, Images: []suite.Image{{Name: "door", Data: doorImage()}}, Seed: c.Seed,
				ConnectTimeout: session.ConnectTimeout, EventTimeout: 10 * time.Second,
			}, window)
			if err != nil {
				return 0, err
			}
			after, err := soFar(ctx, t)
			if err != nil {
				return 0, err
			}
			if events == 0 {
				return 0, fmt.Errorf("no event arrived in %s", window)
			}
			return float64(after-before) / float64(events) / 1024, nil
		})
	}
}

// writtenIdle returns how much the services with their children write while nothing happens, in KiB an hour.
func (c Config) writtenIdle(ctx context.Context, all []*target) ([]float64, error) {
	perSecond, err := c.overTime(ctx, all, func(t *target) (float64, error) {
		bytes, err := t.service.Written()
		return float64(bytes), err
	})
	for i := range perSecond {
		perSecond[i] *= 3600.0 / 1024
	}
	return perSecond, err
}

// processesWrote returns how much the service and its children have had the kernel write.
func processesWrote(_ context.Context, t *target) (int64, error) { return t.service.Written() }

// diskWrote returns how much the disk of the data folder has written, with the journal of its file system.
func diskWrote(_ context.Context, t *target) (int64, error) { return diskWritten(t.data) }

package main

import (
	"context"
	"errors"
	"math"
	"strconv"
	"syscall"
	"time"

	"edgelens/benchmarks/hostile"
	"edgelens/benchmarks/load"
	"edgelens/benchmarks/stats"
)

// crowd is a number of ordinary clients with a connection each. Each image is another one. It is a load.Target.
type crowd struct {
	bench   *bench
	image   []byte
	think   time.Duration // between the requests of a client
	clients []*client
}

// crowd returns that many clients, each with an address of its own.
func (b *bench) crowd(s *service, clients int) *crowd {
	c := &crowd{bench: b, image: b.photo}
	for n := range clients {
		c.clients = append(c.clients, s.client(n))
	}
	return c
}

// close closes the connections.
func (c *crowd) close() {
	for _, client := range c.clients {
		client.close()
	}
}

// afterFailure is how long a client waits that had no connection or no answer.
const afterFailure = 100 * time.Millisecond

// Do implements load.Target.
func (c *crowd) Do(ctx context.Context, worker, _ int) (string, time.Duration) {
	client := c.clients[worker]
	a, err := client.send(ctx, c.bench.upload(client, c.image))
	switch {
	case err != nil:
		return class(err), afterFailure
	case a.status != 200:
		return strconv.Itoa(a.status), a.retryAfter
	}
	return load.Good, c.think
}

// upload is a client's request that has an image recognized, which is another one each time.
func (b *bench) upload(c *client, image []byte) [][]byte {
	return c.request("POST", "/api/recognize", "Content-Type: image/jpeg\r\n", hostile.Salted(image, b.serial.Add(1))...)
}

// class is the error without its details.
func class(err error) string {
	for _, known := range []error{errTimeout, errNoConnection, errNoAnswer, errBadAnswer} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return err.Error()
}

// closed has clients send one image after the other. The caller closes nothing.
func (b *bench) closed(ctx context.Context, s *service, row, name string, c *crowd, window time.Duration) (summary, error) {
	defer c.close()
	before := ownCPU()
	result, err := load.Closed(ctx, c, len(c.clients), window)
	if err != nil {
		return summary{}, err
	}
	return b.results.load(row, name, result, ownCPU()-before), s.mustLive()
}

// open has up to so many clients send images at a rate, whatever becomes of earlier ones.
func (b *bench) open(ctx context.Context, s *service, row, name string, clients int, rate float64, window time.Duration) (summary, error) {
	schedule, err := load.Schedule(rate, load.Poisson, window, b.seed)
	if err != nil {
		return summary{}, err
	}
	anyone := s.client(0) // requests do not have the address
	before := ownCPU()
	result, err := flood(ctx, s.address, clients, answerTimeout, schedule, window, func() [][]byte { return b.upload(anyone, b.photo) })
	if err != nil {
		return summary{}, err
	}
	return b.results.load(row, name, result, ownCPU()-before), s.mustLive()
}

// ownCPU is the CPU time of this process.
func ownCPU() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0 // only an invalid argument fails
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// settle waits until the service is idle: it took less than a tenth of a core for half a second.
func (s *service) settle(ctx context.Context, timeout time.Duration) {
	const step = 500 * time.Millisecond
	for end := time.Now().Add(timeout); time.Now().Before(end) && s.alive(); {
		before := s.cpu()
		if !pause(ctx, step) || s.cpu()-before < step/10 {
			return
		}
	}
}

// median is that of several rounds; NaN of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	return stats.Median(values)
}

// unloaded are the latencies of one ordinary client alone.
func (b *bench) unloaded(ctx context.Context, s *service, row string, think time.Duration, window time.Duration) (summary, error) {
	c := b.crowd(s, 1)
	c.think = think
	return b.closed(ctx, s, row, "one client alone", c, window)
}

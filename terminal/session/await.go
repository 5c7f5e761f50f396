package session

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ConnectTimeout is how long commands wait for a broker.
const ConnectTimeout = 5 * time.Second

// Await returns once connected reports true, or ctx ends. After the timeout (commands take ConnectTimeout) the error has
// the reason that lastError returns.
func Await(ctx context.Context, address Address, timeout time.Duration, connected func() bool, lastError func() error) error {
	late := time.After(timeout)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !connected() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		case <-late:
			return Unreachable(address, lastError())
		}
	}
	return nil
}

// Unreachable returns the error for a broker without a connection: the reason, which may
// be nil, and what to do.
func Unreachable(address Address, reason error) error {
	if reason == nil {
		reason = errors.New("it does not answer")
	}
	return fmt.Errorf("no connection to the MQTT broker at %s: %w; start one with `make run`, or set --broker to its address", address, reason)
}

package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ErrRollout means that a service did not come up in time.
var ErrRollout = errors.New("the service did not come up")

// Wait waits until all pods of a service that Apply deployed are of the newest version and available, and calls progress with
// each change on the way. Its report is the last one. Where timeout passes, the error is an ErrRollout with the reasons.
func (c *Cluster) Wait(ctx context.Context, s Service, timeout time.Duration, progress func(string)) (Report, error) {
	limit, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	ticker := time.NewTicker(c.every)
	defer ticker.Stop()
	var last Report
	var shown []string
	for {
		report, err := c.look(limit, s.workload(), c.in(s), s.Name)
		switch {
		case err == nil && report.Healthy:
			progress(fmt.Sprintf("%d of %d pods are available", report.Available, report.Replicas))
			return report, nil
		case err == nil:
			last = report
			for _, reason := range report.Reasons {
				if !slices.Contains(shown, reason) {
					progress(reason)
				}
			}
			shown = report.Reasons
		case limit.Err() == nil:
			return last, err
		}
		select {
		case <-limit.Done():
			if ctx.Err() != nil {
				return last, ctx.Err()
			}
			return last, notUp(last, timeout)
		case <-ticker.C:
		}
	}
}

func notUp(r Report, timeout time.Duration) error {
	reasons := strings.Join(r.Reasons, "\n  ")
	if reasons == "" {
		reasons = "the API server did not answer"
	}
	return fmt.Errorf("%w within %s:\n  %s", ErrRollout, timeout, reasons)
}

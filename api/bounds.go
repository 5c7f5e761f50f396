package api

import (
	"context"
	"fmt"
	"strings"

	"edgelens"
)

// keyFrom returns the key of a request's client; one that may do nothing outside of a request.
func keyFrom(ctx context.Context) edgelens.Key { return exchangeFrom(ctx).key }

// mayUseModel rejects a model that the client's key is not bounded to; "" is the default one.
func (s *Server) mayUseModel(ctx context.Context, name string) error {
	key := keyFrom(ctx)
	if len(key.Models) == 0 {
		return nil
	}
	if name == "" {
		for _, m := range s.models.List() {
			if m.Default {
				name = m.Name
			}
		}
	}
	if !key.MayUseModel(name) {
		return fmt.Errorf("%w: the key %q is for the models %s; name one of them as model", edgelens.ErrForbidden, key.Name, strings.Join(key.Models, ", "))
	}
	return nil
}

// mayUseDevice rejects a device that the client's key is not bounded to, whether it exists or not.
func mayUseDevice(ctx context.Context, id string) error {
	if key := keyFrom(ctx); !key.MayUseDevice(id) {
		return fmt.Errorf("%w: the key %q is for the devices %s", edgelens.ErrForbidden, key.Name, strings.Join(key.Devices, ", "))
	}
	return nil
}

// noJob and noResult are the errors for what a client may not see: the same as for what does not exist.
func noJob(id string) error {
	return fmt.Errorf("look up job %s: %w: no job has this id; it may have been removed for its age", id, edgelens.ErrNotFound)
}

func noResult(id string) error {
	return fmt.Errorf("look up result %s: %w: no result has this id; it may have been removed for its age", id, edgelens.ErrNotFound)
}

// visibleJob returns a job that the client may see.
func (s *Server) visibleJob(ctx context.Context, id string) (edgelens.Job, error) {
	job, err := s.jobs.Job(ctx, id)
	if err == nil && !keyFrom(ctx).MaySee(job.Owner, job.Device) {
		return edgelens.Job{}, noJob(id)
	}
	return job, err
}

// visibleResult returns a result that the client may see.
func (s *Server) visibleResult(ctx context.Context, id string) (edgelens.StoredResult, error) {
	result, err := s.history.Result(ctx, id)
	if err == nil && !keyFrom(ctx).MaySee(result.Owner, result.Device) {
		return edgelens.StoredResult{}, noResult(id)
	}
	return result, err
}

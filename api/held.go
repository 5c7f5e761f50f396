package api

import (
	"context"
	"log/slog"
)

// Held has the jobs that are held since a restore.
type Held interface {
	// ReleaseHeld queues them, and returns how many.
	ReleaseHeld(ctx context.Context) (int, error)
}

// noHeld is the Held of a server without jobs.
type noHeld struct{}

func (noHeld) ReleaseHeld(context.Context) (int, error) { return 0, nil }

// ReleaseJobs implements StrictServerInterface.
func (s *Server) ReleaseJobs(ctx context.Context, _ ReleaseJobsRequestObject) (ReleaseJobsResponseObject, error) {
	n, err := s.held.ReleaseHeld(ctx)
	x := exchangeFrom(ctx)
	x.action, x.audited = "release", []slog.Attr{slog.Int("jobs", n)}
	if err != nil {
		return nil, err
	}
	return ReleaseJobs200JSONResponse{Released: n}, nil
}

package api

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/google/uuid"

	"edgelens"
)

// Queue accepts and cancels jobs.
type Queue interface {
	// Submit stores a job. existing is true if the idempotency key
	// already belongs to the same job.
	Submit(ctx context.Context, spec edgelens.JobSpec, image []byte) (job edgelens.Job, existing bool, err error)
	// Cancel returns the canceled job; the error wraps ErrFinished if it
	// had ended already.
	Cancel(ctx context.Context, id string) (edgelens.Job, error)
}

// Jobs looks jobs up.
type Jobs interface {
	Job(ctx context.Context, id string) (edgelens.Job, error)
	// Wait returns the job once it is terminal, or as it is when ctx ends.
	Wait(ctx context.Context, id string) (edgelens.Job, error)
	Jobs(ctx context.Context, filter edgelens.JobFilter) (page []edgelens.Job, next string, err error)
}

const (
	maxWait      = time.Minute
	defaultLimit = 50
	maxLimit     = 1000
	// pollAfter is the recommended polling interval, in seconds. Most jobs are
	// done by then.
	pollAfter = 1
)

// knowsModel rejects a job for a model that is not present now, or is for another task, while the client can
// still correct the request.
func (s *Server) knowsModel(name, task string) error {
	if name == "" {
		return s.hasDefault()
	}
	for _, m := range s.models.List() {
		if m.Name != name {
			continue
		}
		if task != "" && m.Task != task {
			return fmt.Errorf("%w: the model %s has the task %s, not %s", edgelens.ErrInvalid, name, m.Task, task)
		}
		return nil
	}
	return unknownModel(name)
}

// hasDefault rejects a job for the default model if that is missing and no other
// model stands in for it.
func (s *Server) hasDefault() error {
	for _, m := range s.models.List() {
		if !m.Default || m.State != edgelens.ModelMissing {
			continue
		}
		for _, c := range s.readiness.Conditions() {
			if c.Name == "model" && c.Severity == edgelens.SeverityUnavailable {
				return fmt.Errorf("%w: %s", edgelens.ErrNoModel, m.Problem)
			}
		}
	}
	return nil
}

func unknownModel(name string) error {
	return fmt.Errorf("%w: %q; /api/models lists them", edgelens.ErrUnknownModel, short(name))
}

// GetJob implements StrictServerInterface.
func (s *Server) GetJob(ctx context.Context, r GetJobRequestObject) (GetJobResponseObject, error) {
	wait, err := readWait(r.Params.Wait)
	if err != nil {
		return nil, err
	}
	job, err := s.visibleJob(ctx, r.Id.String())
	if err == nil && wait > 0 && !job.Status.Terminal() {
		limited, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		defer context.AfterFunc(s.stopping, cancel)()
		job, err = s.jobs.Wait(limited, r.Id.String())
	}
	if err != nil {
		return nil, err
	}
	return GetJob200JSONResponse(newJob(job)), nil
}

// readWait parses a duration, or a plain number of seconds.
func readWait(text *string) (time.Duration, error) {
	if text == nil {
		return 0, nil
	}
	wait, ok := parseDuration(*text)
	if !ok {
		return 0, fmt.Errorf(`%w: wait must be a duration such as "30s", not %q`, edgelens.ErrInvalid, short(*text))
	}
	if wait < 0 {
		return 0, fmt.Errorf("%w: wait must not be negative", edgelens.ErrInvalid)
	}
	return min(wait, maxWait), nil
}

// parseDuration parses a duration, or a plain number of seconds.
func parseDuration(text string) (d time.Duration, ok bool) {
	if d, err := time.ParseDuration(text); err == nil {
		return d, true
	}
	const most = 1e9 // seconds: far beyond any limit of ours, and still a Duration
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(seconds) {
		return 0, false
	}
	return time.Duration(max(-most, min(seconds, most)) * float64(time.Second)), true
}

// CancelJob implements StrictServerInterface.
func (s *Server) CancelJob(ctx context.Context, r CancelJobRequestObject) (CancelJobResponseObject, error) {
	job, err := s.visibleJob(ctx, r.Id.String())
	if err == nil && !keyFrom(ctx).MayCancel(job.Owner) {
		err = fmt.Errorf("%w: the job is another client's, which only that one or a key with the scope %s may cancel", edgelens.ErrForbidden, edgelens.ScopeAdmin)
	}
	if err == nil {
		job, err = s.queue.Cancel(ctx, r.Id.String())
	}
	if err != nil {
		return nil, err
	}
	return CancelJob200JSONResponse(newJob(job)), nil
}

// ListJobs implements StrictServerInterface.
func (s *Server) ListJobs(ctx context.Context, r ListJobsRequestObject) (ListJobsResponseObject, error) {
	limit, err := readLimit(r.Params.Limit)
	if err != nil {
		return nil, err
	}
	filter := edgelens.JobFilter{Visible: keyFrom(ctx).Visible(), Limit: limit, Cursor: text(r.Params.Cursor)}
	if r.Params.Status != nil {
		if filter.Status = edgelens.JobStatus(*r.Params.Status); !r.Params.Status.Valid() {
			return nil, fmt.Errorf("%w: status must be queued, running, succeeded, failed, canceled or expired, not %q", edgelens.ErrInvalid, short(string(filter.Status)))
		}
	}
	page, next, err := s.jobs.Jobs(ctx, filter)
	if err != nil {
		return nil, err
	}
	list := ListJobs200JSONResponse{Jobs: make([]Job, 0, len(page)), Next: optional(next)}
	for _, job := range page {
		list.Jobs = append(list.Jobs, newJob(withoutEmbedding(job)))
	}
	return list, nil
}

func readLimit(limit *int) (int, error) {
	switch {
	case limit == nil:
		return defaultLimit, nil
	case *limit < 1 || *limit > maxLimit:
		return 0, fmt.Errorf("%w: limit must be 1 to %d, not %d", edgelens.ErrInvalid, maxLimit, *limit)
	default:
		return *limit, nil
	}
}

// withoutEmbedding is a job for a list, in which vectors would take most of the space.
func withoutEmbedding(j edgelens.Job) edgelens.Job {
	j.Result = brief(j.Result)
	return j
}

// brief is a result without its embedding, for lists; nil for nil.
func brief(r *edgelens.Result) *edgelens.Result {
	if r == nil || r.Embedding == nil {
		return r
	}
	c := *r
	c.Embedding = nil
	return &c
}

func newJob(j edgelens.Job) Job {
	job := Job{
		Id: parsed(j.ID), Status: JobStatus(j.Status), CreatedAt: j.CreatedAt, Attempts: j.Attempts,
		StartedAt: timeOrNil(j.StartedAt), FinishedAt: timeOrNil(j.FinishedAt), Error: newJobError(j.Error),
		Fit: optional(Fit(j.View.Fit)), Region: newRegion(j.View.Region),
	}
	if j.Held && !j.Status.Terminal() {
		job.Held = &j.Held
	}
	if j.Result != nil {
		r := NewRecognition(j.Result)
		job.Result = &r
	}
	return job
}

func newJobError(e *edgelens.JobError) *JobError {
	if e == nil {
		return nil
	}
	return &JobError{Code: e.Code, Detail: e.Detail}
}

// parsed returns the zero UUID for text that is none; the ids are our own.
func parsed(id string) uuid.UUID {
	u, _ := uuid.Parse(id)
	return u
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func optional[T ~string](s T) *T {
	if s == "" {
		return nil
	}
	return &s
}

func text[T ~string](s *T) string {
	if s == nil {
		return ""
	}
	return string(*s)
}

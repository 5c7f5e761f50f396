// Package client calls the HTTP API of a running service, for commands.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"edgelens"
	"edgelens/api"
)

const (
	// timeout bounds one request. It is more than the longest, a training, takes.
	timeout = 150 * time.Second
	// maxAnswer bounds the size of a response body.
	maxAnswer = 64 << 20
	// pageSize is the number of entries per request for a list: the service's maximum.
	pageSize = 1000
)

// Client calls one service. The zero value but for Server is ready for use, by many
// goroutines.
type Client struct {
	// Server is the address of the service, as in "http://127.0.0.1:8080".
	Server string
	// Key is the token of its key for this client; "" for none.
	Key string
}

// JobOptions are the options of a job.
type JobOptions struct {
	// Model is the model's name; "" is the default one.
	Model string
	// Task is classification or embedding; "" for what the model gives.
	Task  string
	Queue string
	TopK  int
	// View is which part of the image is shown to the model, and how.
	View edgelens.View
	// IdempotencyKey identifies the job, so that submitting it again returns it; may be "".
	IdempotencyKey string
}

// SubmitJob queues an image and returns the job's id.
func (c Client) SubmitJob(ctx context.Context, image []byte, o JobOptions) (string, error) {
	query := parameters("model", o.Model, "task", o.Task, "fit", string(o.View.Fit), "region", o.View.Region.String())
	query.Set("queue", o.Queue)
	if o.Task != edgelens.TaskEmbedding {
		query.Set("top_k", strconv.Itoa(o.TopK))
	}
	header := http.Header{"Content-Type": {"application/octet-stream"}}
	if o.IdempotencyKey != "" {
		header.Set("Idempotency-Key", o.IdempotencyKey)
	}
	var accepted api.AcceptedJob
	err := c.call(ctx, http.MethodPost, "/api/recognize_async", query, header, image, &accepted)
	return accepted.TaskId.String(), err
}

// Job returns a job.
func (c Client) Job(ctx context.Context, id string) (job api.Job, err error) {
	return job, c.call(ctx, http.MethodGet, jobPath(id), nil, nil, nil, &job)
}

// AwaitJob returns a job once it has ended.
func (c Client) AwaitJob(ctx context.Context, id string) (api.Job, error) {
	for {
		var job api.Job
		if err := c.call(ctx, http.MethodGet, jobPath(id), url.Values{"wait": {"60s"}}, nil, nil, &job); err != nil {
			return job, err
		}
		if job.Status != api.JobStatusQueued && job.Status != api.JobStatusRunning {
			return job, nil
		}
	}
}

// CancelJob cancels a job and returns it.
func (c Client) CancelJob(ctx context.Context, id string) (job api.Job, err error) {
	return job, c.call(ctx, http.MethodDelete, jobPath(id), nil, nil, nil, &job)
}

// Jobs returns the newest jobs, limit at most; with a status, only those in it.
func (c Client) Jobs(ctx context.Context, status string, limit int) ([]api.Job, error) {
	query := parameters("status", status)
	query.Set("limit", strconv.Itoa(limit))
	var page api.JobList
	err := c.call(ctx, http.MethodGet, "/api/jobs", query, nil, nil, &page)
	return page.Jobs, err
}

// SetAside returns all set-aside events, newest first; with a sink or a device, only its events.
func (c Client) SetAside(ctx context.Context, sink, device string) ([]api.SetAside, error) {
	query := parameters("sink", sink, "device", device)
	query.Set("limit", strconv.Itoa(pageSize))
	all := []api.SetAside{}
	for {
		var page api.SetAsideList
		if err := c.call(ctx, http.MethodGet, "/api/outbox", query, nil, nil, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Events...)
		if page.Next == nil || *page.Next == "" {
			return all, nil
		}
		query.Set("cursor", *page.Next)
	}
}

// RetrySetAside queues set-aside events for delivery again, and returns how many: those of ids, else those of sink,
// else all.
func (c Client) RetrySetAside(ctx context.Context, ids []int64, sink string) (int, error) {
	var retry api.SetAsideRetry
	if len(ids) > 0 {
		retry.Ids = &ids
	}
	if sink != "" {
		retry.Sink = (*api.SetAsideRetrySink)(&sink)
	}
	body, err := json.Marshal(retry)
	if err != nil {
		return 0, err
	}
	var answer api.SetAsideRetried
	err = c.call(ctx, http.MethodPost, "/api/outbox/retry", nil, http.Header{"Content-Type": {"application/json"}}, body, &answer)
	return answer.Retried, err
}

// ReleaseJobs queues the jobs that are held since a restore, and returns how many.
func (c Client) ReleaseJobs(ctx context.Context) (int, error) {
	var answer api.ReleasedJobs
	err := c.call(ctx, http.MethodPost, "/api/restore/release", nil, nil, nil, &answer)
	return answer.Released, err
}

// Erasure selects results and records: by all fields that are set. With DryRun, they are only counted.
type Erasure struct {
	Device, Person string
	Since, Until   time.Time
	DryRun         bool
}

// Erase erases what is selected, in as many calls as it takes, and returns the counts of all of them.
func (c Client) Erase(ctx context.Context, e Erasure) (sum api.ErasureResult, err error) {
	query := parameters("device", e.Device, "person", e.Person)
	for name, at := range map[string]time.Time{"since": e.Since, "until": e.Until} {
		if !at.IsZero() {
			query.Set(name, at.UTC().Format(time.RFC3339Nano))
		}
	}
	if e.DryRun {
		query.Set("dry_run", "true")
	}
	for {
		var one api.ErasureResult
		if err := c.call(ctx, http.MethodDelete, "/api/results", query, nil, nil, &one); err != nil {
			return sum, err
		}
		sum.DryRun, sum.Complete = one.DryRun, one.Complete
		sum.Results += one.Results
		sum.Records += one.Records
		sum.Jobs += one.Jobs
		sum.Examples += one.Examples
		sum.Images += one.Images
		sum.ImageBytes += one.ImageBytes
		sum.UndeliveredEvents += one.UndeliveredEvents
		if one.Complete || e.DryRun {
			return sum, nil
		}
	}
}

// SeriesErasure selects series of sensors: one by its id, or all of a device. With DryRun, they are only counted.
type SeriesErasure struct {
	ID, Device string
	DryRun     bool
}

// EraseSeries erases what is selected, in as many calls as it takes, and returns the counts of all of them.
func (c Client) EraseSeries(ctx context.Context, e SeriesErasure) (sum api.SensorErasure, err error) {
	path, query := "/api/sensors", parameters("device", e.Device)
	if e.ID != "" {
		path += "/" + url.PathEscape(e.ID)
	}
	if e.DryRun {
		query.Set("dry_run", "true")
	}
	for {
		var one api.SensorErasure
		if err := c.call(ctx, http.MethodDelete, path, query, nil, nil, &one); err != nil {
			return sum, err
		}
		sum.DryRun, sum.Complete = one.DryRun, one.Complete
		sum.Series += one.Series
		sum.Points += one.Points
		sum.Minutes += one.Minutes
		sum.Insights += one.Insights
		sum.UndeliveredEvents += one.UndeliveredEvents
		if one.Complete || e.DryRun {
			return sum, nil
		}
	}
}

// PublicKeys returns the service's public keys, a JSON Web Key Set.
func (c Client) PublicKeys(ctx context.Context) (set json.RawMessage, err error) {
	return set, c.call(ctx, http.MethodGet, "/.well-known/jwks.json", nil, nil, nil, &set)
}

func jobPath(id string) string { return "/api/jobs/" + url.PathEscape(id) }

// parameters returns the pairs of name and value with a non-empty value.
func parameters(pairs ...string) url.Values {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			values.Set(pairs[i], pairs[i+1])
		}
	}
	return values
}

// call sends a request and decodes the response, unless answer is nil; the error of a refusal is the problem's detail.
func (c Client) call(ctx context.Context, method, path string, query url.Values, header http.Header, body []byte, answer any) error {
	_, err := c.send(ctx, method, path, query, header, body, answer)
	return err
}

// send is call, and returns the status of the response.
func (c Client) send(ctx context.Context, method, path string, query url.Values, header http.Header, body []byte, answer any) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if strings.HasSuffix(path, "/") || strings.Contains(path, "//") { // an empty shell variable would be another call
		return 0, fmt.Errorf("%w: a name or id is empty; give it", edgelens.ErrInvalid)
	}
	target := strings.TrimRight(c.Server, "/") + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("the server's address: %w", err)
	}
	if header != nil {
		r.Header = header
	}
	authorize(r, c.Key)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, fmt.Errorf("%w; check that the server runs at the address of --server", err)
	}
	defer response.Body.Close() // read only
	decoder := json.NewDecoder(io.LimitReader(response.Body, maxAnswer))
	if response.StatusCode >= http.StatusBadRequest {
		var problem api.Problem
		if decoder.Decode(&problem) != nil || problem.Detail == "" {
			return 0, fmt.Errorf("the server answered %s", response.Status)
		}
		return 0, &refusal{status: response.StatusCode, detail: problem.Detail, retryAfter: retryAfter(response.Header)}
	}
	if answer == nil {
		return response.StatusCode, nil
	}
	if err := decoder.Decode(answer); err != nil {
		return 0, fmt.Errorf("decode the server's response: %w", err)
	}
	return response.StatusCode, nil
}

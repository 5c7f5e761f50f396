package suite

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"edgelens"
	"edgelens/benchmarks/load"
	"edgelens/benchmarks/record"
)

// Kinds are all kinds.
var Kinds = []string{record.KindSync, record.KindCached, record.KindAsync, record.KindMixed}

// NewClient returns a client with a connection for each worker, kept alive.
func NewClient(connections int) *http.Client {
	return &http.Client{
		Timeout: 2 * time.Minute,
		Transport: &http.Transport{MaxIdleConns: connections, MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections,
			DisableCompression: true, IdleConnTimeout: time.Minute},
	}
}

// WithKey makes a client send a key with each request; "" is none.
func WithKey(client *http.Client, key string) *http.Client {
	if key != "" {
		client.Transport = keyed{client.Transport, key}
	}
	return client
}

// keyed adds a key to requests.
type keyed struct {
	http.RoundTripper
	key string
}

// RoundTrip implements http.RoundTripper.
func (k keyed) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+k.key)
	return k.RoundTripper.RoundTrip(r)
}

// clientOf returns a client of a service, with its key.
func clientOf(service Service, connections int) *http.Client {
	remote, _ := service.(Remote)
	return WithKey(NewClient(connections), remote.Key)
}

// caller sends images to a service in turn; it is a load.Target.
type caller struct {
	client *http.Client
	base   string
	kind   string
	images []Image
}

func (c *caller) Do(ctx context.Context, worker, n int) (string, time.Duration) {
	image := c.images[(worker+n)%len(c.images)].Data
	kind := c.kind
	if kind == record.KindMixed {
		kind = mixed(worker + n)
	}
	var retryAfter time.Duration
	var err error
	switch kind {
	case record.KindCached:
		retryAfter, err = c.recognize(ctx, "/api/recognize_cached", image, "HIT")
	case record.KindAsync:
		retryAfter, err = c.job(ctx, image)
	default:
		retryAfter, err = c.recognize(ctx, "/api/recognize?cache=false", image, "BYPASS")
	}
	if err != nil {
		return err.Error(), retryAfter
	}
	return load.Good, 0
}

func mixed(n int) string {
	switch n % 10 {
	case 3, 7:
		return record.KindCached
	case 5:
		return record.KindAsync
	}
	return record.KindSync
}

// badStatus is an unexpected answer.
type badStatus string

func (s badStatus) Error() string { return string(s) }

// recognize expects the answer from the cache, or an uncached one.
func (c *caller) recognize(ctx context.Context, path string, image []byte, wantCache string) (time.Duration, error) {
	answer, err := c.exchange(ctx, http.MethodPost, path, image, nil)
	switch {
	case err != nil:
		return 0, err
	case answer.status != http.StatusOK:
		return answer.retryAfter, badStatus(strconv.Itoa(answer.status))
	case answer.cache != wantCache:
		return 0, badStatus("X-Cache " + answer.cache)
	}
	return 0, nil
}

// job submits a job and polls it until it is done.
func (c *caller) job(ctx context.Context, image []byte) (time.Duration, error) {
	var accepted struct {
		StatusURL string `json:"status_url"`
	}
	answer, err := c.exchange(ctx, http.MethodPost, "/api/recognize_async?cache=false", image, &accepted)
	if err != nil {
		return 0, err
	}
	if answer.status != http.StatusAccepted {
		return answer.retryAfter, badStatus(strconv.Itoa(answer.status))
	}
	for {
		var job struct {
			Status string `json:"status"`
		}
		answer, err := c.exchange(ctx, http.MethodGet, strings.TrimPrefix(accepted.StatusURL, c.base)+"?wait=30s", nil, &job)
		switch {
		case err != nil:
			return 0, err
		case answer.status != http.StatusOK:
			return answer.retryAfter, badStatus("job: " + strconv.Itoa(answer.status))
		case job.Status == "succeeded":
			return 0, nil
		case job.Status != "queued" && job.Status != "running":
			return 0, badStatus("job " + job.Status)
		}
	}
}

type answer struct {
	status     int
	cache      string
	retryAfter time.Duration
}

// exchange reads the whole answer; into result, if there is one.
func (c *caller) exchange(ctx context.Context, method, path string, body []byte, result any) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, badStatus("no request")
	}
	if body != nil {
		request.Header.Set("Content-Type", "image/jpeg") // the server detects the type from the bytes
	}
	response, err := c.client.Do(request)
	if err != nil {
		return answer{}, badStatus("no answer")
	}
	defer response.Body.Close() // read only
	a := answer{status: response.StatusCode, cache: response.Header.Get("X-Cache")}
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil {
		a.retryAfter = time.Duration(seconds) * time.Second
	}
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return a, badStatus("cut off")
	}
	if result != nil && a.status < 300 {
		if err := json.Unmarshal(data, result); err != nil {
			return a, badStatus("no JSON")
		}
	}
	return a, nil
}

// check sends one request, so that errors are reported before the measurement.
func (c *caller) check(ctx context.Context) error {
	for _, image := range c.images {
		a, err := c.exchange(ctx, http.MethodPost, "/api/recognize?cache=false", image.Data, nil)
		if err != nil {
			return fmt.Errorf("request %s with %s: %w", c.base, image.Name, err)
		}
		if err := checkKey(a.status, c.base); err != nil {
			return err
		}
		if a.status != http.StatusOK {
			return fmt.Errorf("%w: %s answers %d to image %s; it must be one that it recognizes", edgelens.ErrInvalid, c.base, a.status, image.Name)
		}
	}
	return nil
}

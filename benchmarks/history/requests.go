package history

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"edgelens/benchmarks/made"
)

const (
	// requests is how many a median is of.
	requests = 40
	// itemRounds is how often the services are asked in turn for items beside lists, and itemRequests how many each time.
	itemRounds, itemRequests = 4, 100
	// submitInterval is the time between two jobs of a service.
	submitInterval = 100 * time.Millisecond
)

// newest, oldest and unmatched are the paths of lists: of the newest results, of the oldest, and of what nothing matches.
func (t *target) newest() string {
	return listPath(url.Values{"since": {time.Now().Add(-time.Second).UTC().Format(time.RFC3339)}})
}

func (t *target) oldest() string {
	return listPath(url.Values{"until": {t.filled.Until.Add(-89 * 24 * time.Hour).UTC().Format(time.RFC3339)}})
}

func (t *target) unmatched() string {
	return listPath(url.Values{"device": {"door-007"}, "outcome": {"error"}})
}

func listPath(filter url.Values) string { return "/api/results?" + filter.Encode() }

// time returns how long a request took, in ms.
func (t *target) time(ctx context.Context, path string) (float64, error) {
	begun := time.Now()
	_, err := t.get(ctx, path)
	return milliseconds(time.Since(begun)), err
}

// besideFilters returns the 99th percentile of requests for items by their ids, in ms, while four clients list by filters.
func besideFilters(ctx context.Context, all []*target) ([]float64, error) {
	return inTurns(all, itemRounds, func(t *target) (took []float64, err error) {
		ids, err := t.ids(ctx)
		if err != nil {
			return nil, err
		}
		listing, stop := context.WithCancel(ctx)
		var clients sync.WaitGroup
		errs := make([]error, 4)
		for i := range errs {
			clients.Go(func() { errs[i] = t.list(listing, []string{t.newest(), t.oldest(), t.unmatched()}[i%3]) })
		}
		for n := range itemRequests {
			var ms float64
			if ms, err = t.time(ctx, "/api/results/"+ids[n%len(ids)]); err != nil {
				break
			}
			took = append(took, ms)
		}
		stop()
		clients.Wait()
		return took, errors.Join(append(errs, err)...)
	}, func(took []float64) float64 { return quantile(took, 0.99) })
}

// list asks for a list again and again until ctx ends.
func (t *target) list(ctx context.Context, path string) error {
	for ctx.Err() == nil {
		if _, err := t.get(ctx, path); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// ids returns the ids of some results.
func (t *target) ids(ctx context.Context) ([]string, error) {
	body, err := t.get(ctx, "/api/results?limit=100")
	if err != nil {
		return nil, err
	}
	var page struct{ Results []struct{ ID string } }
	if err := json.Unmarshal(body, &page); err != nil || len(page.Results) == 0 {
		return nil, fmt.Errorf("list results: %d of them, %v", len(page.Results), err)
	}
	ids := make([]string, len(page.Results))
	for i, r := range page.Results {
		ids[i] = r.ID
	}
	return ids, nil
}

// submits returns how long the slowest of a steady stream of submits took, in ms; the services are asked in turn.
func (c Config) submits(ctx context.Context, all []*target) ([]float64, error) {
	image := made.JPEG(320, 240)
	return inTurns(all, c.Seconds*int(time.Second/submitInterval), func(t *target) ([]float64, error) {
		begun := time.Now()
		if _, err := do(ctx, http.MethodPost, t.service.URL()+"/api/recognize_async?cache=false", "image/jpeg", image); err != nil {
			return nil, err
		}
		took := time.Since(begun)
		return []float64{milliseconds(took)}, sleep(ctx, submitInterval/time.Duration(len(all))-took)
	}, slices.Max)
}

func (t *target) get(ctx context.Context, path string) ([]byte, error) {
	return do(ctx, http.MethodGet, t.service.URL()+path, "", nil)
}

// do returns the body of an answer that is no error.
func do(ctx context.Context, method, address, contentType string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %s", method, address, response.Status, answer)
	}
	return answer, err
}

// sleep waits, and returns an error where ctx ends first.
func sleep(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func median(values []float64) float64 { return quantile(values, 0.5) }

// quantile returns the value that a share of the values is below; 0 of none.
func quantile(values []float64, share float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)-1, int(share*float64(len(sorted))))]
}

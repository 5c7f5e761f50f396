package history

import (
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
	"edgelens/benchmarks/suite"
)

// requests is how many requests a median is of.
const requests = 40

// measurement is of one size.
type measurement struct {
	Config
	data string
	now  time.Time
}

// run measures a service that has just started, with nothing of its ledger in memory.
func (m *measurement) run(ctx context.Context, service *suite.Own) (figures []Figure, err error) {
	add := func(name, unit string, floor float64, value float64, err error) error {
		figures = append(figures, Figure{Name: name, Value: value, Unit: unit, Floor: floor})
		return err
	}
	filters := m.filters()
	cold, coldErr := m.times(ctx, service, filters[1], 1)
	if err := add("start: exec to /readyz", "s", 0.3, service.Ready.Seconds(), coldErr); err != nil {
		return nil, err
	}
	if err := add("results until 89 days ago, first page, cold", "ms", 20, cold[0], nil); err != nil {
		return nil, err
	}
	for i, name := range []string{"results since 1 s ago, p50", "results until 89 days ago, p50", "device and outcome together, no match, p50"} {
		took, err := m.times(ctx, service, filters[i], requests)
		if err := add(name, "ms", 2, quantile(took, 0.5), err); err != nil {
			return nil, err
		}
	}
	byID, err := m.besideFilters(ctx, service)
	if err := add("item by id beside four such filters, p99", "ms", 10, byID, err); err != nil {
		return nil, err
	}
	idle, err := m.idle(ctx, service)
	if err := add("idle CPU, % of a core", "%", 0.5, idle, err); err != nil {
		return nil, err
	}
	worst, err := m.submits(ctx, service)
	err = add(fmt.Sprintf("submit a job, worst of %d s", m.Seconds), "ms", 20, worst, err)
	return figures, err
}

// filters are the paths of lists: the newest, the oldest, and what nothing matches.
func (m *measurement) filters() []string {
	query := func(values url.Values) string { return "/api/results?" + values.Encode() }
	return []string{
		query(url.Values{"since": {time.Now().Add(-time.Second).UTC().Format(time.RFC3339)}}),
		query(url.Values{"until": {m.now.Add(-89 * 24 * time.Hour).UTC().Format(time.RFC3339)}}),
		query(url.Values{"device": {"door-007"}, "outcome": {"error"}}),
	}
}

// times returns how long n requests took, in ms.
func (m *measurement) times(ctx context.Context, service *suite.Own, path string, n int) ([]float64, error) {
	took := make([]float64, 0, n)
	for range n {
		begun := time.Now()
		if _, err := get(ctx, service, path); err != nil {
			return []float64{0}, err
		}
		took = append(took, milliseconds(time.Since(begun)))
	}
	return took, nil
}

// besideFilters returns the 99th percentile of requests for items by their ids, in ms, while four clients list by filters.
func (m *measurement) besideFilters(ctx context.Context, service *suite.Own) (float64, error) {
	ids, err := m.ids(ctx, service)
	if err != nil {
		return 0, err
	}
	listing, stop := context.WithCancel(ctx)
	var clients sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		clients.Go(func() {
			for listing.Err() == nil {
				if _, err := get(listing, service, m.filters()[i%3]); err != nil && listing.Err() == nil {
					errs[i] = err
					return
				}
			}
		})
	}
	var took []float64
	for n := range 10 * requests {
		begun := time.Now()
		if _, err = get(ctx, service, "/api/results/"+ids[n%len(ids)]); err != nil {
			break
		}
		took = append(took, milliseconds(time.Since(begun)))
	}
	stop()
	clients.Wait()
	return quantile(took, 0.99), errors.Join(append(errs, err)...)
}

// ids returns the ids of some results.
func (m *measurement) ids(ctx context.Context, service *suite.Own) ([]string, error) {
	body, err := get(ctx, service, "/api/results?limit=100")
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

// idle returns the CPU time of the service with its children while nothing is asked, in percent of a core.
func (m *measurement) idle(ctx context.Context, service *suite.Own) (float64, error) {
	before, err := service.CPU(ctx)
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	select {
	case <-time.After(time.Duration(m.Seconds) * time.Second):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	after, err := service.CPU(ctx)
	return 100 * float64(after-before) / float64(time.Since(begun)), err
}

// submits returns how long the slowest of a steady stream of submits took, in ms.
func (m *measurement) submits(ctx context.Context, service *suite.Own) (worst float64, err error) {
	image := made.JPEG(320, 240)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Duration(m.Seconds) * time.Second); time.Now().Before(end); {
		begun := time.Now()
		if _, err := do(ctx, http.MethodPost, service.URL()+"/api/recognize_async?cache=false", "image/jpeg", image); err != nil {
			return 0, err
		}
		worst = max(worst, milliseconds(time.Since(begun)))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return worst, nil
}

func get(ctx context.Context, service *suite.Own, path string) ([]byte, error) {
	return do(ctx, http.MethodGet, service.URL()+path, "", nil)
}

// do returns the body of an answer that is no error.
func do(ctx context.Context, method, address, contentType string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, reader(body))
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

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// quantile returns the value that a share of the values is below; 0 of none.
func quantile(values []float64, share float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)-1, int(share*float64(len(sorted))))]
}

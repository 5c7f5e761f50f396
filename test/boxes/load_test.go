//go:build boxes

package boxes

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"edgelens"
	"edgelens/models/modeltest"
	"edgelens/terminal/fungxi"
	"edgelens/terminal/session"
)

// The steady load of each node: jobs by HTTP, and records of one terminal.
const (
	jobsPerNode    = 2.0 // a second
	recordsPerNode = 1.0
)

// atATime is how many jobs are under way while as many as possible are done.
const atATime = 64

var image = modeltest.Image(modeltest.Red, 64, 64)

// outcomes are what the clients saw. It is safe for use by many goroutines.
type outcomes struct {
	mu       sync.Mutex
	took     []time.Duration // of jobs, from the submission to the end
	failures map[string]int
}

func (o *outcomes) done(took time.Duration, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err == nil {
		o.took = append(o.took, took)
		return
	}
	if o.failures == nil {
		o.failures = map[string]int{}
	}
	o.failures[err.Error()]++
}

// quantile returns the time within which that share of the jobs was done.
func (o *outcomes) quantile(q float64) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.took) == 0 {
		return 0
	}
	slices.Sort(o.took)
	return o.took[int(q*float64(len(o.took)-1))]
}

// job submits a job to a node and waits for its end there.
func (s *site) job(ctx context.Context, url string) (time.Duration, error) {
	begun := time.Now()
	var accepted struct {
		TaskID string `json:"task_id"`
	}
	if err := s.call(ctx, http.MethodPost, url+"/api/recognize_async?cache=false", http.StatusAccepted, &accepted); err != nil {
		return 0, err
	}
	var job struct{ Status string }
	if err := s.call(ctx, http.MethodGet, url+"/api/jobs/"+accepted.TaskID+"?wait=30s", http.StatusOK, &job); err != nil {
		return 0, err
	}
	if job.Status != "succeeded" {
		return 0, fmt.Errorf("a job is %s after 30 s", job.Status)
	}
	return time.Since(begun), nil
}

func (s *site) call(ctx context.Context, method, url string, want int, into any) error {
	var body io.Reader
	if method == http.MethodPost {
		body = bytes.NewReader(image)
	}
	r, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "image/png")
	response, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close() // read only
	answer, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return err
	case response.StatusCode != want:
		return fmt.Errorf("%s got %d", method, response.StatusCode)
	}
	return json.Unmarshal(answer, into)
}

// steadily submits jobs to all nodes in turn, at the steady rate, until ctx ends, and returns when all have ended.
func (s *site) steadily(ctx context.Context, o *outcomes) {
	var jobs sync.WaitGroup
	defer jobs.Wait()
	tick := time.NewTicker(time.Duration(float64(time.Second) / jobsPerNode / float64(len(s.nodes))))
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		jobs.Go(func() { o.done(s.job(context.WithoutCancel(ctx), s.nodes[i%len(s.nodes)].URL())) })
	}
}

// asManyAsPossible submits jobs to the first nodes, one after the other on many connections, until ctx ends.
func (s *site) asManyAsPossible(ctx context.Context, accepting int, o *outcomes) {
	var clients sync.WaitGroup
	for i := range atATime {
		clients.Go(func() {
			for ctx.Err() == nil {
				o.done(s.job(context.WithoutCancel(ctx), s.nodes[i%accepting].URL()))
			}
		})
	}
	clients.Wait()
}

// report publishes records of one terminal for each node, at the steady rate, until ctx ends.
func (s *site) report(ctx context.Context, o *outcomes) {
	terminals := fungxi.NewSimulator(func(string) *time.Location { return time.UTC })
	connection := s.connect(session.Config{ClientID: "boxes-terminals"})
	key := time.Now().UnixMilli()
	tick := time.NewTicker(time.Duration(float64(time.Second) / recordsPerNode / float64(len(s.nodes))))
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		key++
		record := edgelens.Record{Kind: edgelens.RecordVerified, Key: strconv.FormatInt(key, 10), Passed: true, CapturedAt: time.Now(), Person: edgelens.Person{Name: "Ann"}}
		m := terminals.Record(fmt.Sprint("B", i%len(s.nodes)), record, image)
		if err := connection.Publish(ctx, session.Outgoing{Topic: m.Topic, Payload: m.Payload, QoS: m.QoS}); err != nil && ctx.Err() == nil {
			o.done(0, fmt.Errorf("publish a record: %w", err))
		}
	}
}

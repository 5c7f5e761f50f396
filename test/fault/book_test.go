//go:build fault

package fault

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// delivered is what a sink received about a record.
type delivered struct {
	ID, Device, Outcome, Reason string
	Replayed                    bool
	FreshnessReason             string    `json:"freshness_reason"`
	CapturedAt                  time.Time `json:"captured_at"`
	ReceivedAt                  time.Time `json:"received_at"`
	AgeMS                       int64     `json:"age_ms"`
	at                          time.Time
}

// book is the list of a sink's events. It is safe for use by many goroutines.
type book struct {
	mu    sync.Mutex
	first map[string]delivered // by id
	order map[string][]string
	again int
	wrong []string
	await map[string]chan struct{} // by id
}

func newBook() *book {
	return &book{first: map[string]delivered{}, order: map[string][]string{}, await: map[string]chan struct{}{}}
}

func (b *book) add(t delivered, err error) {
	t.at = time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		b.wrong = append(b.wrong, err.Error())
		return
	}
	// By the age of the event when it was published. A record from the broker's queue is a replay however short the
	// delay.
	kept := t.Replayed && strings.Contains(t.FreshnessReason, "MQTT broker")
	if old := t.AgeMS > fresh.Milliseconds(); !t.CapturedAt.IsZero() && old != t.Replayed && !kept {
		b.wrong = append(b.wrong, fmt.Sprintf("replayed %v of %s, captured at %v, received at %v, %d ms old", t.Replayed, t.ID, t.CapturedAt, t.ReceivedAt, t.AgeMS))
	}
	// Single-color images, which most are here, are rated as blank.
	if blank := t.Outcome == "uncertain" && strings.HasPrefix(t.Reason, "The image is blank ("); t.Outcome != "recognized" && !blank {
		b.wrong = append(b.wrong, fmt.Sprintf("%s of %s: %s", t.Outcome, t.ID, t.Reason))
	}
	if _, known := b.first[t.ID]; known {
		b.again++
		return
	}
	b.first[t.ID] = t
	b.order[t.Device] = append(b.order[t.Device], t.ID)
	if waiting := b.await[t.ID]; waiting != nil {
		close(waiting)
		delete(b.await, t.ID)
	}
}

// coming returns a channel that is closed when the event of the record arrives, which it has not yet.
func (b *book) coming(id string) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	waiting := make(chan struct{})
	b.await[id] = waiting
	return waiting
}

func (b *book) has(id string) bool {
	_, known := b.get(id)
	return known
}

func (b *book) get(id string) (delivered, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t, known := b.first[id]
	return t, known
}

func (b *book) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.first)
}

// repeated is the number of duplicates.
func (b *book) repeated() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.again
}

// ids are those of a device, in the order of their first arrival.
func (b *book) ids(device string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string{}, b.order[device]...)
}

func (b *book) errs() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.wrong[:min(len(b.wrong), 10)]
}

// business is the receiver of webhooks, with failure modes.
type business struct {
	*httptest.Server
	*book
	mu      sync.Mutex
	failing bool
	tries   [3]int // 500, hanging, reset: in turn
}

func newBusiness(t *testing.T) *business {
	b := &business{book: newBook()}
	b.Server = httptest.NewServer(http.HandlerFunc(b.serve))
	t.Cleanup(b.Close)
	return b
}

func (b *business) serve(w http.ResponseWriter, r *http.Request) {
	var post struct{ Recognition delivered }
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // cut off
	}
	if problem := b.problem(); problem >= 0 {
		b.fail(w, r, problem)
		return
	}
	err = json.Unmarshal(body, &post)
	b.add(post.Recognition, err)
}

// problem returns the failure mode of a request; -1 for none.
func (b *business) problem() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.failing {
		return -1
	}
	problem := 0
	for i, n := range b.tries {
		if n < b.tries[problem] {
			problem = i
		}
	}
	b.tries[problem]++
	return problem
}

func (b *business) fail(w http.ResponseWriter, r *http.Request, problem int) {
	switch problem {
	case 0:
		http.Error(w, "broken", http.StatusInternalServerError)
	case 1:
		<-r.Context().Done()
	case 2:
		if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
			_ = conn.(*net.TCPConn).SetLinger(0) // so that Close resets
			_ = conn.Close()
		}
	}
}

func (b *business) setFailing(failing bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failing = failing
}

// tried is the number of requests of each failure mode.
func (b *business) tried() []int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]int{}, b.tries[:]...)
}

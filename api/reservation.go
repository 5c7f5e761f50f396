package api

import (
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
)

const (
	// firstStep is how many bytes are reserved for a body before its first byte has arrived;
	// each further step doubles that, up to lastStep, and the next is the length of the body:
	// buffers that double leave as much to the collector as the body has.
	firstStep, lastStep = 64 << 10, 4 << 20
	// smallBody is the length up to which a body may use the floor of a budget.
	smallBody = 256 << 10
	// maxFloor bounds the floor, which is an eighth of the budget.
	maxFloor = 32 << 20
	// commandBytes is the budget for the small bodies of calls about devices.
	commandBytes = 4 << 20
	// stalledAfter is how long nothing arrived of an upload that gives way to others.
	stalledAfter = time.Second
)

// budget limits the bytes of bodies in memory. Large ones leave a floor for small ones, so
// that these are served whatever is sent beside them. It is safe for concurrent use.
type budget struct {
	max, floor int64
	gauge      prometheus.Gauge

	mu   sync.Mutex
	used int64
	// reading are those whose body is being read.
	reading map[*reservation]struct{}
}

// newBudget returns a budget of max bytes; a body has at most largest.
func newBudget(max, largest int64, gauge prometheus.Gauge) *budget {
	return &budget{max: max, floor: min(max/8, maxFloor, max-largest), gauge: gauge, reading: map[*reservation]struct{}{}}
}

// reservation is what a request has of a budget. Its methods do nothing where it is nil.
// It belongs to the goroutine of the request, but for cut.
type reservation struct {
	budget *budget
	// total is the length of the body, or the limit of one whose length is unknown.
	total int64
	// length is how many bytes there will be in memory of the body, -1 where it is unknown.
	length int64
	bytes  int64
	// held is how many bytes are in memory of what was read of the body.
	held int64
	// interrupt makes reading fail at once.
	interrupt func()

	// The budget's lock guards the rest.

	// arrived is when a byte last arrived.
	arrived time.Time
	isCut   bool
}

// open returns a reservation for a body of that length, -1 for an unknown one up to total, of
// nothing yet; end must follow.
func (b *budget) open(total, length int64, interrupt func()) *reservation {
	r := &reservation{budget: b, total: total, length: length, interrupt: interrupt, arrived: time.Now()}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading[r] = struct{}{}
	return r
}

// grow reserves a further step, and reports whether that was possible. Where it was not,
// an upload that has stalled gives way, so that the next one finds room.
func (r *reservation) grow() bool {
	wanted := min(max(step(r.bytes, r.length), firstStep), r.total)
	b := r.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	limit := b.max
	if r.total > smallBody {
		limit -= b.floor
	}
	if r.isCut {
		return false
	}
	if b.used+wanted-r.bytes > limit {
		b.cutStalled()
		return false
	}
	b.add(wanted - r.bytes)
	r.bytes = wanted
	return true
}

// hold sets how many bytes are in memory of what was read, where that is not all of it.
func (r *reservation) hold(bytes int64) {
	if r != nil {
		r.held = bytes
	}
}

// expect sets how many bytes there will be in memory of the body, where it is known.
func (r *reservation) expect(bytes int64) {
	if r != nil {
		r.length = bytes
	}
}

// step returns how many bytes a buffer of n bytes for a body of that length has next.
func step(n, length int64) int64 {
	if n >= lastStep && length > n {
		return length
	}
	return 2 * n
}

// progress records that bytes arrived, at that time.
func (r *reservation) progress(now time.Time) {
	r.budget.mu.Lock()
	defer r.budget.mu.Unlock()
	r.arrived = now
}

// finish records that nothing more is read.
func (r *reservation) finish() {
	r.budget.mu.Lock()
	defer r.budget.mu.Unlock()
	delete(r.budget.reading, r)
}

// wasCut reports whether the upload had to give way.
func (r *reservation) wasCut() bool {
	r.budget.mu.Lock()
	defer r.budget.mu.Unlock()
	return r.isCut
}

// shrink ends the reading and gives back what is over bytes, once it is known how much is
// held.
func (r *reservation) shrink(bytes int64) {
	if r == nil {
		return
	}
	b := r.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.reading, r)
	if bytes < r.bytes {
		b.add(bytes - r.bytes)
		r.bytes = bytes
	}
}

// end gives all back.
func (r *reservation) end() { r.shrink(0) }

// add must be called with the lock held.
func (b *budget) add(bytes int64) {
	b.used += bytes
	b.gauge.Add(float64(bytes))
}

// cutStalled cuts the upload of which nothing has arrived for the longest time. It must be
// called with the lock held.
func (b *budget) cutStalled() {
	var longest *reservation
	for r := range b.reading {
		if r.bytes > 0 && !r.isCut && (longest == nil || r.arrived.Before(longest.arrived)) {
			longest = r
		}
	}
	if longest != nil && time.Since(longest.arrived) > stalledAfter {
		longest.isCut = true
		longest.interrupt()
	}
}

// interruptAll makes the reading of every body fail.
func (b *budget) interruptAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for r := range b.reading {
		r.interrupt()
	}
}

// tooManyUploads is the error where the budget is used up.
var tooManyUploads = &refusal{
	reason: refusedUploads, detail: "Too many uploads are in memory. Try again after the seconds in Retry-After.",
	error: &edgelens.Busy{RetryAfter: time.Second, Reason: "the uploads in memory take all that http.max_upload_bytes allows; try again shortly"},
}

// refusal is an error because of the load, of which there may be thousands a second: it is
// counted by its reason, and not logged one by one.
type refusal struct {
	error
	reason string
	// detail is the sentence for the client; empty for that of the error.
	detail string
}

// Unwrap returns the error.
func (r *refusal) Unwrap() error { return r.error }

// The reasons of refusals, in metrics and in the log.
const (
	refusedAdmission   = "admission"   // the answer would come too late
	refusedUploads     = "uploads"     // the uploads in memory take too much
	refusedSlow        = "slow"        // an upload was too slow
	refusedStreams     = "streams"     // a client has too many event streams
	refusedConnections = "connections" // there are too many connections
	refusedAddress     = "address"     // there are too many of one address
	refusedStopping    = "stopping"
)

var refusalReasons = []string{
	refusedAdmission, refusedUploads, refusedSlow, refusedStreams, refusedConnections, refusedAddress, refusedStopping,
}

// setReadDeadline sets the deadline for reading of a request's connection. It fails where
// there is none, as in a test without a socket.
func setReadDeadline(w http.ResponseWriter, at time.Time) {
	_ = http.NewResponseController(w).SetReadDeadline(at)
}

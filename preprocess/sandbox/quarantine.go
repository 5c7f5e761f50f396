package sandbox

import (
	"container/list"
	"crypto/sha256"
	"sync"
	"time"
)

const (
	// maxQuarantined limits the images that are quarantined; the oldest give way.
	maxQuarantined = 1024
	// quarantineTime is how long an image is: a helper may have ended for another reason.
	quarantineTime = time.Hour
)

// quarantine holds the digests of images that ended a helper, with the error that they get.
// It is safe for concurrent use.
type quarantine struct {
	now func() time.Time

	mu      sync.Mutex
	entries map[[sha256.Size]byte]*list.Element
	order   list.List // of *quarantined, the oldest first
	// sizes counts the entries by the size of their image: a digest is computed only of an
	// image whose size one of them has.
	sizes map[int]int
	hits  uint64
}

type quarantined struct {
	digest [sha256.Size]byte
	size   int
	until  time.Time
	err    error
}

func newQuarantine() *quarantine {
	return &quarantine{now: time.Now, entries: map[[sha256.Size]byte]*list.Element{}, sizes: map[int]int{}}
}

// check returns the error of a quarantined image; nil for others.
func (q *quarantine) check(encoded []byte) error {
	if !q.hasSize(len(encoded)) {
		return nil
	}
	digest := sha256.Sum256(encoded)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.expire()
	e, ok := q.entries[digest]
	if !ok {
		return nil
	}
	q.hits++
	return e.Value.(*quarantined).err
}

func (q *quarantine) hasSize(size int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.sizes[size] > 0
}

// add quarantines an image.
func (q *quarantine) add(encoded []byte, err error) {
	entry := &quarantined{digest: sha256.Sum256(encoded), size: len(encoded), err: err}
	q.mu.Lock()
	defer q.mu.Unlock()
	entry.until = q.now().Add(quarantineTime)
	if old, ok := q.entries[entry.digest]; ok {
		q.remove(old)
	}
	q.entries[entry.digest] = q.order.PushBack(entry)
	q.sizes[entry.size]++
	q.expire()
	if q.order.Len() > maxQuarantined {
		q.remove(q.order.Front())
	}
}

// counts returns how many images are quarantined, and how often one was rejected for that.
func (q *quarantine) counts() (images int, hits uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.expire()
	return q.order.Len(), q.hits
}

// expire must be called with the lock held.
func (q *quarantine) expire() {
	for e := q.order.Front(); e != nil && !q.now().Before(e.Value.(*quarantined).until); e = q.order.Front() {
		q.remove(e)
	}
}

// remove must be called with the lock held.
func (q *quarantine) remove(e *list.Element) {
	entry := q.order.Remove(e).(*quarantined)
	delete(q.entries, entry.digest)
	if q.sizes[entry.size]--; q.sizes[entry.size] == 0 {
		delete(q.sizes, entry.size)
	}
}

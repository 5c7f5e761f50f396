package ledger

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"sync"
)

// imageHold keeps the images that a snapshot refers to until they are copied: those of jobs that end meanwhile, and of examples
// that are removed, are deleted afterwards. It is safe for use by many goroutines.
type imageHold struct {
	mu   sync.Mutex
	held bool
	// last is the seq of the newest job in the snapshot, and copied that of the last one whose image was copied.
	last, copied int64
	// waiting are the jobs whose images are to be deleted.
	waiting []string
}

// begin keeps every image from now on; bound limits that to the jobs of the snapshot. It is false while another snapshot
// holds images.
func (h *imageHold) begin() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.held {
		return false
	}
	h.held, h.last, h.copied = true, math.MaxInt64, 0
	return true
}

// bound sets the seq of the newest job in the snapshot.
func (h *imageHold) bound(last int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = last
}

// advance notes that the images of jobs up to that seq were copied.
func (h *imageHold) advance(copied int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.copied = copied
}

// end returns the jobs whose images are to be deleted now.
func (h *imageHold) end() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	waiting := h.waiting
	h.held, h.waiting = false, nil
	return waiting
}

// keep reports whether the image of a job must stay until the backup has copied it; end returns it then. seqOf returns the job's seq, where
// that is known: other images stay.
func (h *imageHold) keep(id string, seqOf func(id string) (seq int64, known bool)) bool {
	if !h.holds() {
		return false
	}
	seq, known := seqOf(id)
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.held || known && (seq > h.last || seq <= h.copied) {
		return false
	}
	h.waiting = append(h.waiting, id)
	return true
}

func (h *imageHold) holds() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.held
}

// removeDropped deletes the images of jobs that need them no more.
func (d *database) removeDropped(jobs []string) {
	for _, id := range jobs {
		if !d.hold.keep(id, d.seqOfJob) {
			d.images.remove(id)
		}
	}
}

// seqOfJob returns the seq of a job; it is unknown where the job was removed, or nothing can be read.
func (d *database) seqOfJob(id string) (seq int64, known bool) {
	err := d.readers.QueryRowContext(context.Background(), `SELECT seq FROM jobs WHERE id = ?`, id).Scan(&seq)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		d.log.Warn("looking up a job failed, its image is deleted after the backup", "job", id, "error", err)
	}
	return seq, err == nil
}

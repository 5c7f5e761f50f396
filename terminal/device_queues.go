package terminal

import (
	"context"
	"sync"
)

// deviceQueues holds received messages until a worker takes them: one queue for each
// device, so that no device waits for another, served round-robin and each by one worker
// at a time, so that order is kept. Each queue and the total are bounded.
type deviceQueues struct {
	mu     sync.Mutex
	queues map[string]*deviceQueue
	// ready are the queues that have items and no worker.
	ready []*deviceQueue
	// more holds a token while queues are ready, as far as there is room: a worker that
	// finds none checks again.
	more chan struct{}
	// room holds a token once an item was released.
	room  chan struct{}
	bytes int64
	items int

	maxItems int
	maxBytes int64
}

type deviceQueue struct {
	name  string
	items []item
	taken bool
}

func newDeviceQueues(maxItems int, maxBytes int64) *deviceQueues {
	return &deviceQueues{queues: map[string]*deviceQueue{}, more: make(chan struct{}, 1), room: make(chan struct{}, 1), maxItems: maxItems, maxBytes: maxBytes}
}

// push appends an item to its device's queue, and reports whether there was room: for the
// item in the queue, and for its bytes in total.
func (q *deviceQueues) push(name string, msg item) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if queue := q.queues[name]; queue != nil && len(queue.items) >= q.maxItems || q.bytes+msg.size() > q.maxBytes {
		return false
	}
	q.put(name, msg)
	return true
}

// pushBlocking is push for an item that must not be dropped: it waits until there is room
// for its bytes, or done is closed. There always is room for one item.
func (q *deviceQueues) pushBlocking(done <-chan struct{}, name string, msg item) {
	for {
		q.mu.Lock()
		if q.items == 0 || q.bytes+msg.size() <= q.maxBytes {
			q.put(name, msg)
			q.mu.Unlock()
			return
		}
		q.mu.Unlock()
		select {
		case <-q.room:
		case <-done:
			return
		}
	}
}

func (q *deviceQueues) put(name string, msg item) {
	queue := q.queues[name]
	if queue == nil {
		queue = &deviceQueue{name: name}
		q.queues[name] = queue
	}
	queue.items = append(queue.items, msg)
	q.items++
	q.bytes += msg.size()
	if len(queue.items) == 1 && !queue.taken {
		q.ready = append(q.ready, queue)
		wake(q.more)
	}
}

// take waits for the next item. Its queue belongs to the caller until release. ok is false
// once ctx has ended and the queues are empty.
func (q *deviceQueues) take(ctx context.Context) (queue *deviceQueue, msg item, ok bool) {
	for {
		if queue, msg, ok = q.next(); ok {
			return queue, msg, true
		}
		select {
		case <-q.more:
		case <-ctx.Done():
			return q.next()
		}
	}
}

func (q *deviceQueues) next() (*deviceQueue, item, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.ready) == 0 {
		return nil, item{}, false
	}
	queue := q.ready[0]
	q.ready[0] = nil
	q.ready = q.ready[1:]
	if len(q.ready) > 0 {
		wake(q.more)
	}
	queue.taken = true
	msg := queue.items[0]
	queue.items[0] = item{} // frees its payload
	queue.items = queue.items[1:]
	return queue, msg, true
}

// release returns a queue whose item has been processed.
func (q *deviceQueues) release(queue *deviceQueue, msg item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.items--
	q.bytes -= msg.size()
	queue.taken = false
	wake(q.room)
	if len(queue.items) == 0 {
		delete(q.queues, queue.name)
		return
	}
	q.ready = append(q.ready, queue)
	wake(q.more)
}

// waiting returns the number of items, including those in progress.
func (q *deviceQueues) waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.items
}

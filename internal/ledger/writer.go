package ledger

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"edgelens"
)

const (
	// maxBatch bounds how many changes share a transaction, and so how long the first of them waits for the last.
	maxBatch = 64
	// batchInterval is how long a change that may wait does, since the last transaction with one, while there are many.
	batchInterval = 12 * time.Millisecond
	// many is the number of such changes within batchInterval from which they are batched. A batch of that size is
	// written at once: a worker may have no further jobs at hand whose changes could join it.
	many = 3
)

// writer makes changes durable, one transaction after the other, on a connection and a goroutine of its own. Changes
// that wait at the same time share a transaction, and so its fsyncs, which are nearly all of its cost.
//
// On a disk that syncs fast, few would wait at the same time, and a queue of jobs that drains would spend a tenth of the
// processor on transactions. So changes that may wait do so while there are many of them, until another one comes that
// may not.
type writer struct {
	conn *sql.Conn
	// begin is the first change of every transaction. Its function is called when the transaction is durable.
	begin func(*change) (committed func(), err error)
	// syncFiles makes the files durable before the rows that refer to them.
	syncFiles func() error
	committed func(*change) // called on the writer's goroutine, in order
	// ended is called with the outcome of every transaction, nil for a durable one.
	ended     func(error)
	changes   chan *change
	closing   chan struct{}
	closeOnce sync.Once
	stopped   chan struct{}
	// changed counts the changes that were made durable.
	changed atomic.Int64

	// recent has the arrivals of the last changes that may wait, and last the end of the last transaction with one; for
	// the goroutine alone.
	recent [many]time.Time
	last   time.Time
}

func newWriter(conn *sql.Conn, begin func(*change) (func(), error), syncFiles func() error, committed func(*change), ended func(error)) *writer {
	w := &writer{
		conn:      conn,
		begin:     begin,
		syncFiles: syncFiles,
		committed: committed,
		ended:     ended,
		changes:   make(chan *change),
		closing:   make(chan struct{}),
		stopped:   make(chan struct{}),
	}
	go w.run()
	return w
}

// write runs do within a transaction and returns when that is durable, or with do's error when nothing was changed. A
// caller whose ctx ends returns early only before the change begins. A change without a file is retried where it was
// rolled back because of the files of others in its batch.
func (w *writer) write(ctx context.Context, mayWait bool, do func(*change) error) error {
	for {
		c := &change{ctx: ctx, do: do, mayWait: mayWait, done: make(chan struct{}), conn: w.conn}
		err := w.submit(ctx, c)
		if !errors.Is(err, errImages) || c.newFile {
			return err
		}
	}
}

// submit queues a change and waits until it is durable.
func (w *writer) submit(ctx context.Context, c *change) error {
	select {
	case w.changes <- c:
		<-c.done
		return c.err
	case <-ctx.Done():
		return ctx.Err()
	case <-w.closing:
		return edgelens.ErrStopping
	}
}

// close makes the changes that have begun durable, and ends the goroutine.
func (w *writer) close() {
	w.closeOnce.Do(func() { close(w.closing) })
	<-w.stopped
}

func (w *writer) run() {
	defer close(w.stopped)
	for {
		select {
		case first := <-w.changes:
			w.transact(w.gather(first))
		case <-w.closing:
			return
		}
	}
}

// gather waits for others to share the transaction of first, where that may wait and there are many such changes.
func (w *writer) gather(first *change) []*change {
	batch := []*change{first}
	now := time.Now()
	if !w.noteArrival(first, now) {
		return batch
	}
	interval := time.NewTimer(batchInterval - now.Sub(w.last))
	defer interval.Stop()
	for len(batch) < many {
		select {
		case c := <-w.changes:
			batch = append(batch, c)
			if !w.noteArrival(c, time.Now()) {
				return batch
			}
		case <-interval.C:
			return batch
		case <-w.closing:
			return batch
		}
	}
	return batch
}

// noteArrival reports whether a change is one of many that may wait.
func (w *writer) noteArrival(c *change, now time.Time) bool {
	if !c.mayWait {
		return false
	}
	copy(w.recent[:], w.recent[1:])
	w.recent[many-1] = now
	return now.Sub(w.recent[0]) < batchInterval
}

// transact makes a batch durable, with all changes that are queued.
func (w *writer) transact(batch []*change) {
	defer func() {
		for _, c := range batch {
			if c.mayWait {
				w.last = time.Now()
			}
			close(c.done)
		}
	}()
	fail := func(err error) {
		w.ended(err)
		w.exec("ROLLBACK") // an error only means that SQLite has done so itself
		for _, c := range batch {
			if c.err == nil {
				c.err = err
			}
		}
	}
	if err := w.exec("BEGIN IMMEDIATE"); err != nil {
		fail(err)
		return
	}
	beginning := &change{conn: w.conn}
	begun, err := w.begin(beginning)
	if err != nil {
		fail(err)
		return
	}
	for i := 0; i < len(batch); i++ {
		batch[i].begun = beginning.begun
		if err := w.apply(batch[i]); err != nil {
			fail(err)
			return
		}
		if i == len(batch)-1 {
			batch = w.addQueued(batch)
		}
	}
	if err := w.commit(batch); err != nil {
		fail(err)
		return
	}
	begun()
	w.ended(nil)
	for _, c := range batch {
		if c.err == nil {
			w.changed.Add(1)
			w.committed(c)
		}
	}
}

// commit makes a batch durable: its files, then its rows.
func (w *writer) commit(batch []*change) error {
	for _, c := range batch {
		if c.err == nil && c.newFile {
			if err := w.syncFiles(); err != nil {
				return err
			}
			break
		}
	}
	return w.exec("COMMIT")
}

// addQueued adds a queued change to the batch, if there is one.
func (w *writer) addQueued(batch []*change) []*change {
	if len(batch) == maxBatch {
		return batch
	}
	select {
	case c := <-w.changes:
		w.noteArrival(c, time.Now())
		return append(batch, c)
	default:
		return batch
	}
}

// apply runs a change, and rolls it back alone where it fails. It returns an error where the whole transaction is lost,
// as SQLite does on a full disk.
func (w *writer) apply(c *change) error {
	if c.err = c.ctx.Err(); c.err != nil {
		return nil
	}
	if err := w.exec("SAVEPOINT change"); err != nil {
		return err
	}
	if c.err = c.do(c); c.err != nil {
		if err := w.exec("ROLLBACK TO change"); err != nil {
			return c.err
		}
	}
	return w.exec("RELEASE change")
}

func (w *writer) exec(query string) error {
	_, err := w.conn.ExecContext(context.Background(), query)
	return err
}

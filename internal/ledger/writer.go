package ledger

import (
	"context"
	"database/sql"
	"errors"
	"sync"

	"edgelens"
)

// maxBatch bounds how many changes share a transaction, and so how long the first of them waits for the last.
const maxBatch = 64

// writer makes changes durable, one transaction after the other, on a connection and a goroutine of its own. Changes
// that wait at the same time share a transaction, and so its fsyncs, which are nearly all of its cost.
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
func (w *writer) write(ctx context.Context, do func(*change) error) error {
	for {
		c := &change{ctx: ctx, do: do, done: make(chan struct{}), conn: w.conn}
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
			w.transact(first)
		case <-w.closing:
			return
		}
	}
}

// transact makes first durable, with all changes that are queued.
func (w *writer) transact(first *change) {
	batch := []*change{first}
	defer func() {
		for _, c := range batch {
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
	for c := first; c != nil; c = w.next(&batch) {
		c.begun = beginning.begun
		if err := w.apply(c); err != nil {
			fail(err)
			return
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

// next adds a queued change to the batch and returns it; nil for none.
func (w *writer) next(batch *[]*change) *change {
	if len(*batch) == maxBatch {
		return nil
	}
	select {
	case c := <-w.changes:
		*batch = append(*batch, c)
		return c
	default:
		return nil
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

// Package ledger is the durable store of jobs, results and events: rows in SQLite, images as files beside it. A change
// whose method returned without an error survives kill -9 and loss of power.
//
//	<dir>/ledger.db     the database (with -wal and -shm beside it)
//	<dir>/ledger.lock   held by the process that uses the folder
//	<dir>/images/     one file for each job that is not done, named by its id
//	<dir>/corrupt-*/    damaged ledgers that were set aside, the newest three
//
// A job is queued, then running, then in one of four terminal states, which it reaches exactly once.
// docs/adr/0006-the-ledger.md describes the design and the reasons.
package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"edgelens"
	"edgelens/internal/clocks"
	"edgelens/internal/datadir"
)

const (
	databaseName = "ledger.db"
	lockName     = "ledger.lock"
	imagesName   = "images"
	// formerImagesName was the folder of images before the first release.
	formerImagesName = "pictures"
)

// Ledger keeps jobs, results and events. It is safe for use by many goroutines. Errors of its methods wrap a sentinel:
// besides those listed at each method, edgelens.ErrDiskFull or ErrStorage where nothing can be written (and nothing
// was), edgelens.ErrCanceled or ErrDeadline where ctx ended first, and edgelens.ErrStopping after Close. Errors without
// a sentinel are errors of the disk or of this program.
type Ledger struct {
	dir    string
	config Config
	log    *slog.Logger
	clock  clocks.Clock

	lock            *os.File
	writerDB        *sql.DB
	writer          *writer
	readers         *sql.DB
	images          *images
	watchers        *watchers
	feeds           *feeds
	poisonCandidate poisonCandidate

	// followed is the last reading that the stored times agree with. Only the writer's goroutine uses it.
	followed clocks.Reading
	// lastStart is when a job last left the queue, by the monotonic clock.
	lastStart atomic.Int64

	dropped shedCounts
	space   space
	storage storage

	closing     chan struct{}
	closeOnce   sync.Once
	closeErr    error
	stopSweeper context.CancelFunc
	sweeperEnd  chan struct{}
	watcherEnd  chan struct{}
	// opened is the database's file as of the start.
	opened os.FileInfo
}

// Open opens the ledger in dir, creates it where there is none, migrates it to the newest schema and removes incomplete
// files of a crash. A damaged database is set aside with its images, and replaced by an empty one. Its error is an
// edgelens.ErrInvalid for a bad config and an edgelens.ErrInUse where another process uses dir. ctx bounds the opening
// only.
func Open(ctx context.Context, dir string, config Config, log *slog.Logger) (*Ledger, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("open the ledger: %w: %w", edgelens.ErrInvalid, err)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	l := &Ledger{
		dir:        dir,
		config:     config,
		log:        log,
		clock:      clocks.System(),
		watchers:   newWatchers(),
		feeds:      newFeeds(),
		closing:    make(chan struct{}),
		sweeperEnd: make(chan struct{}),
		watcherEnd: make(chan struct{}),
	}
	l.followed = l.clock()
	l.lastStart.Store(int64(l.followed.Monotonic))
	if err := l.open(ctx); err != nil {
		return nil, errors.Join(l.explain("open the ledger in "+dir, err), l.release())
	}
	sweeping, stop := context.WithCancel(context.Background())
	l.stopSweeper = stop
	go l.sweepAlways(sweeping)
	go l.watchStorage(sweeping)
	return l, nil
}

// open acquires everything; release frees what it has acquired.
func (l *Ledger) open(ctx context.Context) error {
	if err := datadir.Make(l.dir); err != nil {
		return err
	}
	if err := checkDatabase(l.dir); err != nil {
		return err
	}
	if err := l.makePrivate(); err != nil {
		return err
	}
	var err error
	if l.lock, err = lock(filepath.Join(l.dir, lockName)); err != nil {
		return err
	}
	file := filepath.Join(l.dir, databaseName)
	l.writerDB, err = openWriter(ctx, file)
	if isDamaged(err) {
		aside, asideErr := setAside(l.dir, l.now())
		if asideErr != nil {
			return errors.Join(err, asideErr)
		}
		l.log.Error("the ledger is damaged: it was set aside and replaced by an empty one, without its jobs and results. "+
			"To recover what is left: sqlite3 ledger.db .recover", "event", "ledger_damaged", "set_aside", aside, "error", err)
		l.writerDB, err = openWriter(ctx, file)
	}
	if err != nil {
		return err
	}
	if l.readers, err = openReaders(file); err != nil {
		return err
	}
	if l.opened, err = os.Stat(file); err != nil {
		return err
	}
	// Without their images, accepted jobs would fail: rather do not start.
	if err := moveFormerImages(l.dir); err != nil {
		return fmt.Errorf("move the images from %s to %s: %w", formerImagesName, imagesName, datadir.Explain(filepath.Join(l.dir, formerImagesName), err))
	}
	l.images = openImages(filepath.Join(l.dir, imagesName))
	l.setImages(l.checkImages())
	if err := syncDir(l.dir); err != nil {
		return err
	}
	conn, err := l.writerDB.Conn(ctx)
	if err != nil {
		return err
	}
	l.writer = newWriter(conn, l.followClock, l.syncImages, l.announce, l.noteWrite)
	return l.removeLeftovers(ctx)
}

// makePrivate makes the database, new or readable for other users from an earlier version, readable for this user
// alone: SQLite gives the files beside it the same mode.
func (l *Ledger) makePrivate() error {
	file, err := os.OpenFile(filepath.Join(l.dir, databaseName), os.O_RDWR|os.O_CREATE, datadir.FileMode)
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return datadir.Tighten(l.dir, databaseName, databaseName+"-wal", databaseName+"-shm", lockName, imagesName)
}

// syncImages makes the folder of images durable.
func (l *Ledger) syncImages() error {
	if err := l.images.sync(); err != nil {
		if l.imagesAlone(err) {
			return l.explainImages(err)
		}
		return err
	}
	return nil
}

// release frees everything, in the opposite order of open.
func (l *Ledger) release() error {
	var errs []error
	if l.writer != nil {
		l.writer.close()
		errs = append(errs, l.writer.conn.Close())
	}
	if l.readers != nil {
		errs = append(errs, l.readers.Close())
	}
	if l.writerDB != nil {
		errs = append(errs, l.writerDB.Close())
	}
	if l.lock != nil {
		errs = append(errs, l.lock.Close())
	}
	return errors.Join(errs...)
}

// Close finishes the changes that have begun, wakes all waiting callers and closes the files. Calls after the first do
// nothing and return the same.
func (l *Ledger) Close() error {
	l.closeOnce.Do(func() {
		close(l.closing)
		l.stopSweeper()
		<-l.sweeperEnd
		<-l.watcherEnd
		l.watchers.close()
		l.feeds.close()
		if err := l.release(); err != nil {
			l.closeErr = fmt.Errorf("close the ledger: %w", err)
		}
	})
	return l.closeErr
}

func (l *Ledger) closed() bool {
	select {
	case <-l.closing:
		return true
	default:
		return false
	}
}

// announce notifies waiting callers of a durable change.
func (l *Ledger) announce(c *change) {
	for _, id := range c.finished {
		l.watchers.finish(id)
	}
	if c.events {
		l.watchers.wake()
	}
	l.feeds.ready(c.ready)
}

// removeLeftovers deletes what a crash left between a file and its row: an image that is incomplete, whose job was
// never accepted, or whose job is done.
func (l *Ledger) removeLeftovers(ctx context.Context) error {
	if !l.config.KeepImages {
		err := l.writer.write(ctx, func(c *change) error {
			_, err := c.exec(`UPDATE jobs SET image = 0 WHERE finished_at IS NOT NULL AND image = 1
				AND NOT EXISTS (SELECT 1 FROM outbox WHERE record_id = jobs.record_id AND image = 1)`)
			return err
		})
		if err != nil {
			return err
		}
	}
	removed, err := l.images.removeOthers(func(id string) (wanted bool, err error) {
		err = l.readers.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM jobs WHERE id = ? AND image = 1)`, id).Scan(&wanted)
		return wanted, err
	})
	if err != nil {
		l.log.Warn("looking for leftover files of a crash failed, retried at the next start", "folder", l.images.dir, "error", err)
		return nil
	}
	if removed > 0 {
		l.log.Info("removed leftover files of a crash", "folder", l.images.dir, "files", removed)
	}
	return nil
}

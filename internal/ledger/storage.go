package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"edgelens"
	"edgelens/internal/datadir"
)

const (
	// probeInterval is how often it is checked that files can be written,
	// brokenInterval how often while they cannot.
	probeInterval  = 10 * time.Second
	brokenInterval = 2 * time.Second
)

// errImages: the folder of the images cannot be written, which keeps nothing from
// the database.
var errImages = errors.New("the folder of the images cannot be written")

// storage is what is known of whether files can be written. It is safe for use
// by many goroutines.
type storage struct {
	mu sync.Mutex
	// database and images say what is wrong; nil where nothing is known to be.
	database, images error
	// withoutImage counts the records that were kept without their images.
	withoutImage int64
}

func (s *storage) get() (database, images error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.database, s.images
}

// setDatabase takes down whether the database can be written, and logs a change.
func (l *Ledger) setDatabase(err error) {
	l.storage.mu.Lock()
	was := l.storage.database
	l.storage.database = err
	l.storage.mu.Unlock()
	switch {
	case err != nil && was == nil:
		l.log.Error("the ledger cannot be written: nothing is accepted or acknowledged until it can", "error", err)
	case err == nil && was != nil:
		l.log.Info("the ledger can be written again")
	}
}

// setImages takes down whether images can be written, and logs a change.
func (l *Ledger) setImages(err error) {
	l.storage.mu.Lock()
	was := l.storage.images
	l.storage.images = err
	l.storage.mu.Unlock()
	switch {
	case err != nil && was == nil:
		l.log.Error("images cannot be written: jobs are refused, and records of terminals are kept without their images, until they can", "error", err)
	case err == nil && was != nil:
		l.log.Info("images can be written again")
	}
}

// noteWrite takes down how a transaction ended. That one succeeded proves nothing
// where the file is no longer the one in the folder.
func (l *Ledger) noteWrite(err error) {
	switch {
	case err == nil:
		if broken, _ := l.storage.get(); broken != nil && !errors.Is(broken, errMoved) {
			l.setDatabase(nil)
		}
	case errors.Is(err, errImages): // setImages has been told
	case isDiskFull(err), isUnwritable(err):
		l.setDatabase(l.explainFile(err))
	}
}

// explainFile says what is wrong with the database's file where that can be
// seen, and else repeats the error.
func (l *Ledger) explainFile(err error) error {
	if isDiskFull(err) {
		return fmt.Errorf("%w: free some space on the disk that holds %s (%w)", edgelens.ErrDiskFull, l.dir, err)
	}
	if found := checkDatabase(l.dir); found != nil {
		return found
	}
	return fmt.Errorf("%w: %s cannot be written (%w)", edgelens.ErrStorage, filepath.Join(l.dir, databaseName), err)
}

// checkDatabase opens for writing what SQLite will.
func checkDatabase(dir string) error {
	if err := datadir.CheckFolder(dir); err != nil {
		return err
	}
	for _, name := range []string{lockName, databaseName, databaseName + "-wal", databaseName + "-shm"} {
		if err := datadir.CheckFile(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// errMoved: the file in the folder is not the one that is written.
var errMoved = fmt.Errorf("%w: the database was removed or replaced while it was in use; restart edgelens", edgelens.ErrStorage)

// checkIdentity returns errMoved where the database is no longer in its folder:
// what is written to it would be gone at the next start.
func (l *Ledger) checkIdentity() error {
	info, err := os.Stat(filepath.Join(l.dir, databaseName))
	switch {
	case err == nil && os.SameFile(info, l.opened):
		return nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return datadir.Explain(filepath.Join(l.dir, databaseName), err)
	}
	return fmt.Errorf("%s: %w", filepath.Join(l.dir, databaseName), errMoved)
}

// watchStorage checks again and again that files can be written, until ctx ends.
func (l *Ledger) watchStorage(ctx context.Context) {
	defer close(l.watcherEnd)
	timer := time.NewTimer(probeInterval)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		wait := probeInterval
		if !l.probe(ctx) {
			wait = brokenInterval
		}
		timer.Reset(wait)
	}
}

// probe checks once that files can be written, and reports whether they can.
// While all is well it makes and removes two empty files; else it writes.
func (l *Ledger) probe(ctx context.Context) bool {
	l.setImages(l.checkImages())
	err := l.checkIdentity()
	if err == nil {
		err = datadir.CheckFolder(l.dir)
	}
	before, images := l.storage.get()
	if err == nil && before != nil {
		// The same again: a write that changes nothing.
		err = l.writer.write(ctx, func(c *change) error {
			_, err := c.exec(`PRAGMA user_version = 0`)
			return err
		})
		if err != nil {
			err = l.explainFile(err)
		}
	}
	if ctx.Err() == nil {
		l.setDatabase(err)
	}
	return err == nil && images == nil
}

// checkImages makes the folder of the images where it is gone, and reports
// whether it can be written.
func (l *Ledger) checkImages() error { return datadir.Make(l.images.dir) }

// imagesAlone reports whether an error of writing an image says nothing of the
// database: of a full disk only where images have one of their own.
func (l *Ledger) imagesAlone(err error) bool {
	return err != nil && (!isDiskFull(err) || !l.sameDisk())
}

// sameDisk reports whether the images lie on the disk of the database.
func (l *Ledger) sameDisk() bool {
	var database, images syscall.Stat_t
	if syscall.Stat(l.dir, &database) != nil || syscall.Stat(l.images.dir, &images) != nil {
		return true
	}
	return database.Dev == images.Dev
}

// explainImages wraps an error of writing an image.
func (l *Ledger) explainImages(err error) error {
	explained := datadir.Explain(l.images.dir, err)
	l.setImages(explained)
	return fmt.Errorf("%w: %w", errImages, explained)
}

// RecordsWithoutImage returns how many records were kept without their images
// since the start because images could not be written.
func (l *Ledger) RecordsWithoutImage() int64 {
	l.storage.mu.Lock()
	defer l.storage.mu.Unlock()
	return l.storage.withoutImage
}

// checkWritable returns errMoved while the database is known to be elsewhere: a
// write would succeed. Where it fails, it is tried nevertheless: there may be room
// again.
func (l *Ledger) checkWritable() error {
	if database, _ := l.storage.get(); errors.Is(database, errMoved) {
		return database
	}
	return nil
}

// Problem is something that keeps the ledger from serving as it should.
type Problem struct {
	// Part is "ledger", "images" or "space".
	Part string
	// Unavailable says that nothing is accepted; else something is missing or
	// lost.
	Unavailable bool
	// Reason is a sentence for the operator.
	Reason string
}

// Problems returns what is wrong now; none where all is well. It is cheap.
func (l *Ledger) Problems() (problems []Problem) {
	database, images := l.storage.get()
	if database != nil {
		problems = append(problems, Problem{"ledger", true, "nothing can be accepted or acknowledged: " + database.Error()})
	}
	if images != nil {
		problems = append(problems, Problem{"images", false, "jobs are refused, and records of terminals are kept without their images: " + images.Error()})
	}
	over, idsOver := l.space.full()
	switch {
	case over > 0:
		problems = append(problems, Problem{"space", false, fmt.Sprintf(
			"jobs and records are refused: what is kept is %d bytes over ledger.max_bytes and not old enough to be removed (ledger.min_age); raise the former or lower the latter", over)})
	case idsOver:
		problems = append(problems, Problem{"space", false,
			"records are refused: more came within ledger.min_age than are remembered (ledger.remember_max); raise the latter"})
	case l.space.short(l.clock().monotonic):
		problems = append(problems, Problem{"space", false,
			"finished jobs, results or events are removed for space before they reach ledger.max_age; raise ledger.max_bytes or lower ledger.max_age"})
	}
	return problems
}

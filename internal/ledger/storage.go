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
	// probeInterval is how often storage is checked, brokenInterval how often while it cannot be written.
	probeInterval  = 10 * time.Second
	brokenInterval = 2 * time.Second
)

// errImages: the folder of the images cannot be written; the database is unaffected.
var errImages = errors.New("the folder of the images cannot be written")

// storage is the state of the last check of the files. It is safe for use by many goroutines.
type storage struct {
	mu sync.Mutex
	// database and images are the last errors; nil where none is known.
	database, images error
	// withoutImage counts the records that were kept without their images.
	withoutImage int64
}

func (s *storage) get() (database, images error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.database, s.images
}

// setDatabase stores whether the database can be written, and logs a change.
func (l *Ledger) setDatabase(err error) {
	l.storage.mu.Lock()
	was := l.storage.database
	l.storage.database = err
	l.storage.mu.Unlock()
	switch {
	case err != nil && was == nil:
		l.log.Error("the ledger cannot be written: nothing is accepted or acknowledged", "event", "storage_not_writable", "error", err)
	case err == nil && was != nil:
		l.log.Info("the ledger can be written again", "event", "storage_writable")
	}
}

// setImages stores whether images can be written, and logs a change.
func (l *Ledger) setImages(err error) {
	l.storage.mu.Lock()
	was := l.storage.images
	l.storage.images = err
	l.storage.mu.Unlock()
	switch {
	case err != nil && was == nil:
		l.log.Error("images cannot be written: jobs are refused, and records of terminals are kept without their images", "event", "images_not_writable", "error", err)
	case err == nil && was != nil:
		l.log.Info("images can be written again", "event", "images_writable")
	}
}

// noteWrite stores the outcome of a transaction. A success proves nothing where the file is no longer the one in the
// folder.
func (l *Ledger) noteWrite(err error) {
	switch {
	case err == nil:
		if broken, _ := l.storage.get(); broken != nil && !errors.Is(broken, errMoved) {
			l.setDatabase(nil)
		}
	case errors.Is(err, errImages): // setImages has it
	case isDiskFull(err), isUnwritable(err):
		l.setDatabase(l.explainFile(err))
	}
}

// explainFile returns what is wrong with the database's file where that can be detected, and the error otherwise.
func (l *Ledger) explainFile(err error) error {
	if isDiskFull(err) {
		return fmt.Errorf("%w: free some space on the disk that holds %s (%w)", edgelens.ErrDiskFull, l.dir, err)
	}
	if found := checkDatabase(l.dir); found != nil {
		return found
	}
	return fmt.Errorf("%w: %s cannot be written (%w)", edgelens.ErrStorage, filepath.Join(l.dir, databaseName), err)
}

// checkDatabase opens for writing the files that SQLite opens.
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

// errMoved: the file in the folder is not the open one.
var errMoved = fmt.Errorf("%w: the database was removed or replaced while it was in use; restart edgelens", edgelens.ErrStorage)

// checkIdentity returns errMoved where the database is no longer in its folder: its writes would be lost at the next
// start.
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

// watchStorage checks periodically that files can be written, until ctx ends.
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

// probe checks once that files can be written, and reports whether they can. Without a known error it creates and
// removes two empty files; otherwise it writes to the database.
func (l *Ledger) probe(ctx context.Context) bool {
	l.setImages(l.checkImages())
	err := l.checkIdentity()
	if err == nil {
		err = datadir.CheckFolder(l.dir)
	}
	before, images := l.storage.get()
	if err == nil && before != nil {
		// A write that changes nothing.
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

// checkImages creates the folder of the images where it is missing, and returns an error where it cannot be written.
func (l *Ledger) checkImages() error { return datadir.Make(l.images.dir) }

// imagesAlone reports whether an error of writing an image leaves the database unaffected: a full disk does only where
// images have one of their own.
func (l *Ledger) imagesAlone(err error) bool {
	return err != nil && (!isDiskFull(err) || !l.sameDisk())
}

// sameDisk reports whether the images are on the disk of the database.
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

// checkWritable returns errMoved while the database is known to be elsewhere: a write would succeed. After other
// errors, a write is attempted: there may be room again.
func (l *Ledger) checkWritable() error {
	if database, _ := l.storage.get(); errors.Is(database, errMoved) {
		return database
	}
	return nil
}

// Problem is an error state of the ledger.
type Problem struct {
	// Part is "ledger", "images" or "space".
	Part string
	// Unavailable: nothing is accepted. Otherwise something is missing or lost.
	Unavailable bool
	// Reason is a sentence for the operator.
	Reason string
}

// Problems returns the current error states; none where all is well. It is cheap.
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
			"jobs and records are refused: the ledger is %d bytes over ledger.max_bytes, with rows too young to be removed (ledger.min_age); raise the former or lower the latter", over)})
	case idsOver:
		problems = append(problems, Problem{"space", false,
			"records are refused: more arrived within ledger.min_age than ledger.remember_max ids; raise the latter"})
	case l.space.short(l.clock().Monotonic):
		problems = append(problems, Problem{"space", false,
			"finished jobs, results or events are removed for space before they reach ledger.max_age; raise ledger.max_bytes or lower ledger.max_age"})
	}
	return problems
}

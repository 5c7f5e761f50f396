// Package ledger is the durable store of jobs, results and events: rows in SQLite, images as files beside it. A change
// whose method returned without an error survives kill -9 and loss of power.
//
//	<dir>/ledger.db     the database (with -wal and -shm beside it)
//	<dir>/ledger.lock   held by the process that uses the folder
//	<dir>/images/DAY/   one file for each job that is not done, and for each example, named by its id, in folders by day
//	<dir>/corrupt-*/    damaged ledgers that were set aside, the newest three
//
// A job is queued, then running, then in one of four terminal states, which it reaches exactly once.
//
// Each subject has a store (Jobs, Results, Records, ...), which has its statements and its waiting callers; all write by
// one writer. Where one transaction is about several subjects, the store that composes it hands its change to functions
// of the others.
//
// Errors of the stores' methods wrap a sentinel: besides those listed at each method, edgelens.ErrDiskFull or ErrStorage
// where nothing can be written (and nothing was), edgelens.ErrCanceled or ErrDeadline where ctx ended first, and
// edgelens.ErrStopping after Close. Errors without a sentinel are errors of the disk or of this program.
//
// docs/adr/0006-the-ledger.md describes the design and the reasons.
package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/internal/clocks"
	"edgelens/internal/datadir"
	"edgelens/internal/uuid7"
)

const (
	databaseName = "ledger.db"
	lockName     = "ledger.lock"
	imagesName   = "images"
)

// Parts are what a Ledger works with.
type Parts struct {
	Log *slog.Logger
	// Registerer gets the metrics of the ledger; it must not have those of another.
	Registerer prometheus.Registerer
	// Sinks are those whose metrics exist from the start, with zeros; others appear with their first event.
	Sinks []string
	// Node is this node's permanent name: by the ends of their ids, other nodes find the one that accepted a job. Empty
	// for ids without that.
	Node string
	// Chains has each event linked to the one before of its device; nil: none is.
	Chains *ChainParts
	// Clock dates the rows; nil means the clock of this process.
	Clock clocks.Clock
}

// Ledger opens and closes the stores, and removes what is too old or too much. It is safe for use by many goroutines.
type Ledger struct {
	Jobs       *Jobs
	Results    *Results
	Records    *Records
	Images     *Images
	Devices    *Devices
	Commands   *Commands
	Outbox     *Outbox
	Events     *Events
	Keys       *Keys
	DeviceKeys *DeviceKeys
	Sensors    *Sensors
	Insights   *Insights
	States     *States
	Erasure    *Erasure
	Chains     *Chains
	Embeddings *Embeddings
	Examples   *Examples
	// Certificates are those of devices and nodes.
	Certificates *Certificates

	config   Config
	chaining *ChainParts
	lock     *os.File
	writerDB *sql.DB
	db       *database
	watchers *watchers
	space    *space
	sweeper  *sweeper
	prober   *prober
	// takenAt and restoredAt are of the last restore; zero where there was none.
	takenAt, restoredAt time.Time

	// unchecked is true where the last stop was unclean and the check of the database took too long.
	unchecked bool

	// stop ends the background work.
	stop       context.CancelFunc
	background sync.WaitGroup
	closeOnce  sync.Once
	closeErr   error
}

// Open opens the ledger in dir, creates it where there is none, and migrates it to the newest schema; incomplete files of a
// crash are removed afterwards, beside other work. A damaged database is set aside with its images, and replaced by an empty
// one; after an unclean stop, one that is too large to be checked at once is checked beside other work, and where it is
// damaged, that is a Problem until the next Open, which sets it aside. Its error is an
// edgelens.ErrInvalid for a bad config and an edgelens.ErrInUse where another process uses dir. ctx bounds the opening
// only.
func Open(ctx context.Context, dir string, config Config, parts Parts) (*Ledger, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("open the ledger: %w: %w", edgelens.ErrInvalid, err)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	if parts.Clock == nil {
		parts.Clock = clocks.System()
	}
	storage := &storage{dir: dir, imagesDir: filepath.Join(dir, imagesName), minFree: config.MinFreeBytes, log: parts.Log}
	l := &Ledger{
		config:   config,
		db:       &database{clock: parts.Clock, opened: parts.Clock().Monotonic, storage: storage, images: newImageFiles(storage, parts.Log), log: parts.Log, closing: make(chan struct{})},
		watchers: newWatchers(),
		space:    &space{config: config, log: parts.Log},
		chaining: parts.Chains,
	}
	if parts.Node != "" {
		tag := uuid7.TagOf(parts.Node)
		l.db.tag = &tag
	}
	if err := l.open(ctx); err != nil {
		return nil, errors.Join(l.db.explain("open the ledger in "+dir, err), l.release())
	}
	parts.Registerer.MustRegister(&metrics{ledger: l, sinks: parts.Sinks, log: parts.Log})
	working, stop := context.WithCancel(context.Background())
	l.stop = stop
	l.background.Go(func() { l.sweeper.run(working) })
	l.background.Go(func() { l.prober.run(working) })
	l.background.Go(func() { l.Images.tidy(working) })
	l.background.Go(func() { l.sweeper.identities.moveFormer(working) })
	l.background.Go(func() { l.db.countKept(working) })
	if l.unchecked {
		l.background.Go(func() { l.checkBeside(working) })
	}
	return l, nil
}

// open acquires everything; release frees what it has acquired.
func (l *Ledger) open(ctx context.Context) error {
	if err := l.openFolder(); err != nil {
		return err
	}
	if err := l.openDatabase(ctx); err != nil {
		return err
	}
	if err := l.openImages(); err != nil {
		return err
	}
	if err := l.openWriter(ctx); err != nil {
		return err
	}
	var err error
	if l.takenAt, l.restoredAt, err = lastRestore(ctx, l.db.readers); err != nil {
		return err
	}
	former, err := countFormerIDs(ctx, l.db.readers)
	if err != nil {
		return err
	}
	l.db.formerIDs.Store(former)
	l.newStores()
	return nil
}

// openFolder creates the folder where it is missing, makes its files private, and locks it.
func (l *Ledger) openFolder() (err error) {
	dir := l.db.storage.dir
	if err := datadir.Make(dir); err != nil {
		return err
	}
	if err := checkDatabase(dir); err != nil {
		return err
	}
	if err := makePrivate(dir); err != nil {
		return err
	}
	if l.lock, err = lock(filepath.Join(dir, lockName)); err != nil {
		return err
	}
	if l.db.formerOpened, err = noteOpening(l.lock, l.db.now()); errors.Is(err, fs.ErrPermission) {
		l.db.log.Warn("the ledger's lock file belongs to another user, so that its time cannot be set: an image that is recognized at two power cuts in a row may count as one that crashes the service", "file", l.lock.Name())
	} else if err != nil {
		return err
	}
	return removeTemporary(dir)
}

// makePrivate makes the database, new or readable for other users from an earlier version, readable for this user
// alone: SQLite gives the files beside it the same mode.
func makePrivate(dir string) error {
	file, err := os.OpenFile(filepath.Join(dir, databaseName), os.O_RDWR|os.O_CREATE, datadir.FileMode)
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return datadir.Tighten(dir, databaseName, databaseName+"-wal", databaseName+"-shm", lockName, imagesName)
}

// openDatabase opens the connections, with an empty database in place of a damaged one.
func (l *Ledger) openDatabase(ctx context.Context) (err error) {
	dir := l.db.storage.dir
	file := filepath.Join(dir, databaseName)
	unclean := stoppedUncleanly(dir)
	var checked bool
	l.writerDB, checked, err = openWriter(ctx, file, l.checkTime())
	l.unchecked = unclean && !checked
	if isDamaged(err) {
		aside, asideErr := setAside(dir, l.db.now())
		if asideErr != nil {
			return errors.Join(err, asideErr)
		}
		l.db.log.Error("the ledger is damaged: it was set aside and replaced by an empty one, without its jobs and results. "+
			"To recover what is left: sqlite3 ledger.db .recover", "event", "ledger_damaged", "set_aside", aside, "error", err)
		l.writerDB, _, err = openWriter(ctx, file, checkTime)
	}
	if err != nil {
		return err
	}
	if checked {
		if err := os.Remove(filepath.Join(dir, damagedName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if l.db.readers, err = openReaders(file, readers); err != nil {
		return err
	}
	l.db.lists, err = openReaders(file, listReaders)
	return err
}

// openImages moves the images of a former version, and creates the folder.
func (l *Ledger) openImages() error {
	dir := l.db.storage.dir
	// Without their images, accepted jobs would fail: rather do not start.
	if err := moveFormerImages(dir); err != nil {
		return fmt.Errorf("move the images from %s to %s: %w", formerImagesName, imagesName, datadir.Explain(filepath.Join(dir, formerImagesName), err))
	}
	l.db.storage.setImages(l.db.storage.checkImages(l.db.now()))
	return syncDir(dir)
}

// openWriter starts the writer, and its checks of the files.
func (l *Ledger) openWriter(ctx context.Context) error {
	opened, err := os.Stat(filepath.Join(l.db.storage.dir, databaseName))
	if err != nil {
		return err
	}
	conn, err := l.writerDB.Conn(ctx)
	if err != nil {
		return err
	}
	steps, err := readClockSteps(ctx, l.db.readers)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	l.db.steps.Store(&steps)
	follower := &clockFollower{clock: l.db.clock, log: l.db.log, steps: &l.db.steps, followed: l.db.clock()}
	l.db.writer = newWriter(conn, follower.begin, l.db.images.sync, l.watchers.announce, l.db.storage.noteWrite)
	l.prober = &prober{storage: l.db.storage, writer: l.db.writer, opened: opened, now: l.db.now}
	return nil
}

// newStores connects the stores with each other.
func (l *Ledger) newStores() {
	admission := newAdmission(l.config, l.db, l.space)
	identities := &identities{db: l.db, config: l.config}
	l.Events = &Events{db: l.db, subscribers: l.watchers.events}
	l.Images = &Images{db: l.db, keep: l.config.KeepImages, due: dueImages(l.db)}
	l.Results = &Results{db: l.db, events: l.Events, due: dueResults(l.db)}
	l.Outbox = &Outbox{db: l.db, config: l.config, images: l.Images, feeds: l.watchers.outbox}
	l.Chains = &Chains{db: l.db, parts: l.chaining}
	l.Jobs = &Jobs{
		db: l.db, admission: admission, events: l.Events, results: l.Results, outbox: l.Outbox, images: l.Images, chains: l.Chains, watchers: l.watchers.jobs,
		due: dueJobs(l.db),
	}
	l.Records = &Records{
		db: l.db, admission: admission, identities: identities, images: l.Images, jobs: l.Jobs, results: l.Results, outbox: l.Outbox, chains: l.Chains,
		restoredAt: l.restoredAt, due: dueRecords(l.db),
	}
	l.Erasure = &Erasure{db: l.db, outbox: l.Outbox, jobs: l.Jobs, chains: l.Chains}
	l.Examples = &Examples{db: l.db, admission: admission, config: l.config}
	l.Devices = &Devices{db: l.db, events: l.Events, outbox: l.Outbox, jobs: l.Jobs}
	l.Commands = &Commands{db: l.db}
	l.Keys = &Keys{db: l.db}
	l.Embeddings = &Embeddings{db: l.db}
	l.Certificates = &Certificates{db: l.db}
	l.DeviceKeys = &DeviceKeys{db: l.db}
	l.Sensors = &Sensors{db: l.db, config: l.config}
	l.Insights = &Insights{db: l.db, events: l.Events}
	l.States = &States{db: l.db, events: l.Events}
	l.sweeper = &sweeper{
		batch: sweepBatch, config: l.config, db: l.db, space: l.space, jobs: l.Jobs, results: l.Results, records: l.Records, identities: identities,
		commands: l.Commands, events: l.Events, outbox: l.Outbox, images: l.Images,
		insights: l.Insights, states: l.States, chains: l.Chains, deviceKeys: l.DeviceKeys, sensors: &sensorSweeper{db: l.db, config: l.config},
	}
}

// release frees everything, in the opposite order of open.
func (l *Ledger) release() error {
	var errs []error
	if l.db.writer != nil {
		l.db.writer.close()
		errs = append(errs, l.db.writer.conn.Close())
	}
	if l.db.readers != nil {
		errs = append(errs, l.db.readers.Close())
	}
	if l.db.lists != nil {
		errs = append(errs, l.db.lists.Close())
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
		close(l.db.closing)
		l.stop()
		l.background.Wait()
		l.watchers.close()
		if err := l.release(); err != nil {
			l.closeErr = fmt.Errorf("close the ledger: %w", err)
		}
	})
	return l.closeErr
}

package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"edgelens/internal/datadir"
)

const (
	// probeInterval is how often storage is checked, brokenInterval how often while it cannot be written.
	probeInterval  = 10 * time.Second
	brokenInterval = 2 * time.Second
)

// prober checks that the ledger's files can be written.
type prober struct {
	storage *storage
	writer  *writer
	// opened is the database's file as of the start.
	opened os.FileInfo
	// now is the time by which images are written.
	now func() time.Time
}

// run checks periodically until ctx ends.
func (p *prober) run(ctx context.Context) {
	timer := time.NewTimer(probeInterval)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		wait := probeInterval
		if !p.probe(ctx) {
			wait = brokenInterval
		}
		timer.Reset(wait)
	}
}

// probe checks once that files can be written, and reports whether they can. Without a known error it creates and
// removes two empty files; otherwise it writes to the database.
func (p *prober) probe(ctx context.Context) bool {
	p.storage.setImages(p.storage.checkImages(p.now()))
	err := p.checkIdentity()
	if err == nil {
		err = datadir.CheckFolder(p.storage.dir)
	}
	before, images := p.storage.get()
	if err == nil && before != nil {
		// A write that changes nothing.
		err = p.writer.write(ctx, false, func(c *change) error {
			_, err := c.exec(`PRAGMA user_version = 0`)
			return err
		})
		if err != nil {
			err = p.storage.explainFile(err)
		}
	}
	if ctx.Err() == nil {
		p.storage.setDatabase(err)
	}
	return err == nil && images == nil
}

// checkIdentity returns errMoved where the database is no longer in its folder: its writes would be lost at the next
// start.
func (p *prober) checkIdentity() error {
	file := filepath.Join(p.storage.dir, databaseName)
	info, err := os.Stat(file)
	switch {
	case err == nil && os.SameFile(info, p.opened):
		return nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return datadir.Explain(file, err)
	}
	return fmt.Errorf("%s: %w", file, errMoved)
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

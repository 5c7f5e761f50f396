package ledger

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Stats is the size of the ledger's contents.
type Stats struct {
	// Jobs counts the jobs of each queue in each state; missing means 0.
	Jobs map[QueueStatus]int64
	// ImageBytes is the size of all images, DatabaseBytes that of the
	// database's files.
	ImageBytes, DatabaseBytes int64
}

// Stats returns the size of the ledger's contents. It counts no rows and is cheap.
func (l *Ledger) Stats(ctx context.Context) (Stats, error) {
	stats, err := l.stats(ctx)
	return stats, l.db.explain("measure the ledger", err)
}

func (l *Ledger) stats(ctx context.Context) (Stats, error) {
	totals, err := jobTotals(ctx, l.db.readers)
	if err != nil {
		return Stats{}, err
	}
	stats := Stats{Jobs: map[QueueStatus]int64{}}
	for of, total := range totals {
		stats.Jobs[of] = total.jobs
		stats.ImageBytes += total.imageBytes
	}
	var examples int64
	if err := l.db.readers.QueryRowContext(ctx, `SELECT bytes FROM example_totals`).Scan(&examples); err != nil {
		return Stats{}, err
	}
	stats.ImageBytes += examples
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(filepath.Join(l.db.storage.dir, databaseName+suffix))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return Stats{}, err
		}
		stats.DatabaseBytes += info.Size()
	}
	return stats, nil
}

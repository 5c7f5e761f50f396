package ledger

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"edgelens"
)

// QueueStatus is a queue and a state of the jobs in it.
type QueueStatus struct {
	Queue  string
	Status edgelens.JobStatus
}

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
	return stats, l.explain("measure the ledger", err)
}

func (l *Ledger) stats(ctx context.Context) (Stats, error) {
	rows, err := l.readers.QueryContext(ctx, `SELECT queue, status, jobs, image_bytes FROM job_totals`)
	if err != nil {
		return Stats{}, err
	}
	defer rows.Close()
	stats := Stats{Jobs: map[QueueStatus]int64{}}
	for rows.Next() {
		var of QueueStatus
		var jobs, bytes int64
		if err := rows.Scan(&of.Queue, &of.Status, &jobs, &bytes); err != nil {
			return Stats{}, err
		}
		stats.Jobs[of] = jobs
		stats.ImageBytes += bytes
	}
	if err := rows.Err(); err != nil {
		return Stats{}, err
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(filepath.Join(l.dir, databaseName+suffix))
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

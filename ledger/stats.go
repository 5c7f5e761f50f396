package ledger

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"edgelens"
)

// Stats is how much the ledger holds.
type Stats struct {
	// Jobs counts the jobs in each state; every state is there.
	Jobs map[edgelens.JobStatus]int64
	// PictureBytes is the size of all pictures, DatabaseBytes that of the
	// database's files.
	PictureBytes, DatabaseBytes int64
}

// Stats returns how much the ledger holds. It counts nothing and is cheap.
func (l *Ledger) Stats(ctx context.Context) (Stats, error) {
	stats, err := l.stats(ctx)
	return stats, l.explain("measure the ledger", err)
}

func (l *Ledger) stats(ctx context.Context) (Stats, error) {
	rows, err := l.readers.QueryContext(ctx, `SELECT status, jobs, picture_bytes FROM job_totals`)
	if err != nil {
		return Stats{}, err
	}
	defer rows.Close()
	stats := Stats{Jobs: map[edgelens.JobStatus]int64{}}
	for rows.Next() {
		var status edgelens.JobStatus
		var jobs, bytes int64
		if err := rows.Scan(&status, &jobs, &bytes); err != nil {
			return Stats{}, err
		}
		stats.Jobs[status] = jobs
		stats.PictureBytes += bytes
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

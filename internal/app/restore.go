package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"edgelens"
	"edgelens/internal/backup"
	"edgelens/internal/config"
	"edgelens/internal/datadir"
	"edgelens/internal/ledger"
	"edgelens/worker"
)

// RestoreOptions are how a backup is restored.
type RestoreOptions struct {
	// Aside is a new folder for the ledger that is there; "" to restore into an empty data folder alone.
	Aside string
	// WithoutIdentity leaves out the node's name, so that the restored node is another one.
	WithoutIdentity bool
}

// RestoreReport is the outcome of `edgelens restore`.
type RestoreReport struct {
	DataDir  string          `json:"data_dir"`
	Manifest backup.Manifest `json:"manifest"`
	// HeldEvents, HeldJobs and FailedCommands are what is not sent or done by itself.
	HeldEvents     int64 `json:"held_events"`
	HeldJobs       int64 `json:"held_jobs"`
	FailedCommands int64 `json:"failed_commands"`
	// TooOld are the finished jobs and results that are removed for their age once the service starts.
	TooOld        int64 `json:"too_old"`
	DamagedImages int64 `json:"damaged_images"`
	// UnusableHeads are the restored heads that do not answer, with the reason: models are in no backup.
	UnusableHeads []UnusableHead `json:"unusable_heads"`
}

// UnusableHead is a head that does not answer.
type UnusableHead struct {
	Name    string `json:"name"`
	Problem string `json:"problem"`
}

// Restore unpacks a backup into the data folder, which must have no ledger, or one that is moved aside. Nothing is sent
// or done again by itself: that waits for a decision. progress gets the number of bytes read so far, and that of all; it
// may be nil.
func Restore(ctx context.Context, c *config.Config, file string, o RestoreOptions, progress func(done, all int64)) (report RestoreReport, err error) {
	if err := datadir.CheckOwner(c.DataDir); err != nil {
		return report, err
	}
	datadir.UseOwnFilesOnly()
	report.DataDir = c.DataDir
	names := []string{backup.SessionName, backup.TLSFolder, backup.IdentityFolder}
	if !o.WithoutIdentity {
		names = append(names, backup.NodeName)
	}
	// The backup is read first: what it is may be a reason to restore nothing.
	f, reader, err := openBackup(ctx, file, os.TempDir())
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, reader.Close(), f.Close()) }()
	report.Manifest = reader.Manifest()
	if err := ledger.CheckSchema(report.Manifest.Schema); err != nil {
		return report, err
	}
	var others []string
	// A backup has all heads, also where it has none; those of the first format do not know of them.
	withHeads := report.Manifest.Format >= 2 || report.Manifest.Has(backup.HeadsFolder)
	if withHeads {
		others = append(others, backup.HeadsFolder)
	}
	for _, name := range names {
		if report.Manifest.Has(name) {
			others = append(others, name)
		}
	}
	r, err := ledger.BeginRestoration(c.DataDir, o.Aside, others...)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if err := r.CheckRoom(report.Manifest.Bytes()); err != nil {
		return report, err
	}
	if withHeads {
		if err := os.MkdirAll(r.Other(backup.HeadsFolder), datadir.FolderMode); err != nil {
			return report, datadir.Explain(c.DataDir, err)
		}
	}
	if err := unpack(reader, r, progress); err != nil {
		return report, err
	}
	if err := checkHeads(r.Other(backup.HeadsFolder)); err != nil {
		return report, err
	}
	report.DamagedImages = reader.Damage().Images
	restored, err := r.Finish(ctx, report.Manifest.TakenAt, time.Now(), c.Ledger.MaxAge)
	if err != nil {
		return report, err
	}
	report.HeldEvents, report.HeldJobs, report.FailedCommands, report.TooOld = restored.Events, restored.Jobs, restored.Commands, restored.Old
	report.UnusableHeads = unusableHeads(c)
	return report, nil
}

// unusableHeads returns the heads of the data folder that do not answer with the models that are there.
func unusableHeads(c *config.Config) []UnusableHead {
	unusable := []UnusableHead{}
	registry, noModels := OpenModels(c)
	stored := openHeads(c)
	for _, name := range stored.Names() {
		h, err := stored.Live(name)
		switch {
		case errors.Is(err, edgelens.ErrUnknownModel): // only candidates
			continue
		case err == nil && noModels != nil:
			err = fmt.Errorf("its extractor %s is not there: %w", h.Extractor.Name, noModels)
		case err == nil:
			if _, err = registry.Get(h.Extractor.Name); err != nil {
				err = fmt.Errorf("its extractor %s is not there: %w", h.Extractor.Name, err)
			}
		}
		if err != nil {
			unusable = append(unusable, UnusableHead{Name: name, Problem: err.Error()})
		}
	}
	return unusable
}

// unpack writes everything in a backup to where the restoration wants it.
func unpack(reader *backup.Reader, r *ledger.Restoration, progress func(done, all int64)) error {
	manifest := reader.Manifest()
	done, all := int64(0), manifest.Bytes()
	for {
		entry, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		path := r.Other(entry.Name)
		switch {
		case entry.Name == backup.DatabaseName:
			path = r.Database()
		case entry.Job != "":
			path = r.Image(entry.Job)
		case entry.Name == backup.SumsName:
			continue
		}
		if err := unpackFile(path, entry); err != nil {
			return err
		}
		done += entry.Bytes
		if progress != nil {
			progress(min(done, all), all)
		}
	}
}

func unpackFile(path string, from io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), datadir.FolderMode); err != nil {
		return datadir.Explain(filepath.Dir(path), err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, datadir.FileMode)
	if err != nil {
		return datadir.Explain(path, err)
	}
	_, err = io.Copy(f, from)
	if err = errors.Join(err, f.Close()); err != nil && edgelens.Code(err) == "internal" {
		err = datadir.Explain(path, err)
	}
	return err
}

// logRestore logs what waits since a restore.
func logRestore(ctx context.Context, l *ledger.Ledger, log *slog.Logger) {
	r, err := l.Restored(ctx)
	switch {
	case err != nil:
		log.Warn("counting what waits since the restore failed", "error", err)
	case r.Waits():
		log.Warn("a backup was restored, and what was undelivered or unfinished in it waits for a decision: `edgelens outbox retry` sends the events, `edgelens job release` runs the jobs", "event", "restore_waits",
			"taken_at", r.TakenAt, "restored_at", r.RestoredAt, "events", r.Events, "jobs", r.Jobs)
	}
}

// restoreConditions is the source of what waits since a restore.
func restoreConditions(l *ledger.Ledger, log *slog.Logger) func() []edgelens.Condition {
	return func() []edgelens.Condition {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		r, err := l.Restored(ctx)
		if err != nil {
			log.Warn("counting what waits since the restore failed", "error", err)
			return nil
		}
		if !r.Waits() {
			return nil
		}
		return []edgelens.Condition{degraded("restore", fmt.Sprintf(
			"the backup of %s was restored, and %d undelivered events and %d unfinished jobs of it wait for a decision: `edgelens outbox retry` sends the events, `edgelens job release` runs the jobs (docs/backup.md)",
			r.TakenAt.Format(time.RFC3339), r.Events, r.Jobs))}
	}
}

// heldJobs releases the jobs that are held since a restore.
type heldJobs struct {
	jobs  *ledger.Jobs
	queue *worker.Queue
}

// ReleaseHeld implements api.Held.
func (h heldJobs) ReleaseHeld(ctx context.Context) (int, error) {
	n, err := h.jobs.ReleaseHeld(ctx)
	if n > 0 {
		h.queue.Requeue()
	}
	return n, err
}

package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/internal/background"
	"edgelens/internal/backup"
	"edgelens/internal/config"
	"edgelens/internal/control"
	"edgelens/internal/datadir"
	"edgelens/internal/ledger"
	"edgelens/internal/telemetry"
	"edgelens/learn/heads"
)

// backups writes backups of a ledger and its data folder. It is safe for use by many goroutines.
type backups struct {
	ledger  *ledger.Ledger
	dataDir string
	version string
	// beside: the service serves meanwhile.
	beside bool
	log    *slog.Logger
}

// WriteBackup implements control.Backups.
func (b backups) WriteBackup(ctx context.Context, o control.BackupOptions, begin func(bytes int64) io.Writer) (err error) {
	start := time.Now()
	var manifest backup.Manifest
	// At a low priority, so that no recognition is delayed.
	background.Run(b.beside, func() { manifest, err = b.write(ctx, o, begin) })
	switch {
	case err != nil:
		b.log.Warn("backup failed", "event", "backup_failed", "ms", time.Since(start), "error", err)
	case manifest.Counts.ImagesMissing > 0:
		b.log.Warn("backup written without images that the data folder has lost", "event", "backup_written", "missing", manifest.Counts.ImagesMissing, "ms", time.Since(start))
	default:
		b.log.Info("backup written", "event", "backup_written", "bytes", manifest.Bytes(), "jobs", manifest.Counts.Jobs, "images", manifest.Counts.Images,
			"identity", o.Identity, "secrets", o.Secrets, "ms", time.Since(start))
	}
	return err
}

func (b backups) write(ctx context.Context, o control.BackupOptions, begin func(bytes int64) io.Writer) (manifest backup.Manifest, err error) {
	pace := backup.FullSpeed
	if b.beside {
		pace = backup.Pace(ctx)
	}
	snapshot, err := b.ledger.TakeSnapshot(ctx, ledger.SnapshotOptions{WithKeys: o.Secrets, Pace: pace})
	if err != nil {
		return manifest, err
	}
	defer func() { err = errors.Join(err, snapshot.Close()) }()
	files, err := b.files(o)
	if err != nil {
		return manifest, err
	}
	node, err := nodeName(b.dataDir)
	if err != nil {
		return manifest, err
	}
	counts := countsOf(snapshot.Counts)
	learned, err := b.headFiles(filepath.Join(snapshot.Folder, backup.HeadsFolder), &counts)
	if err != nil {
		return manifest, err
	}
	files = append(files, learned...)
	plan, err := backup.NewPlan(ctx, backup.Source{
		Manifest: backup.Manifest{
			Version: b.version, Schema: snapshot.Schema, TakenAt: snapshot.TakenAt, Node: node, Secrets: o.Secrets, Counts: counts,
		},
		Files:  append(files, backup.File{Name: backup.DatabaseName, Path: snapshot.File}),
		Folder: snapshot.Folder,
		Images: func(ctx context.Context, do func(backup.Image) error) error {
			return snapshot.Images(ctx, func(image ledger.SnapshotImage) error { return do(backup.Image(image)) })
		},
		Open:   func(image backup.Image) (*os.File, error) { return snapshot.OpenImage(image.Job) },
		Copied: func(image backup.Image) { snapshot.Copied(image.Seq) },
		Pace:   pace,
	})
	if err != nil {
		return manifest, err
	}
	manifest = plan.Manifest()
	return manifest, plan.Write(ctx, begin(manifest.Bytes()))
}

func countsOf(c ledger.SnapshotCounts) backup.Counts {
	return backup.Counts{
		Jobs: c.Jobs, UnfinishedJobs: c.Unfinished, Results: c.Results, Records: c.Records, Devices: c.Devices, Undelivered: c.Undelivered,
		Examples: c.Examples,
	}
}

// files returns the files of the data folder that the options ask for, as far as they are there.
func (b backups) files(o control.BackupOptions) (files []backup.File, err error) {
	var names []string
	if o.Identity {
		names = append(names, backup.NodeName)
	}
	if o.Secrets {
		names = append(names, backup.SessionName)
		for _, folder := range []string{backup.TLSFolder, backup.IdentityFolder} {
			entries, err := os.ReadDir(filepath.Join(b.dataDir, folder))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, datadir.Explain(filepath.Join(b.dataDir, folder), err)
			}
			for _, entry := range entries {
				if entry.Type().IsRegular() {
					names = append(names, folder+"/"+entry.Name())
				}
			}
		}
	}
	for _, name := range names {
		path := filepath.Join(b.dataDir, filepath.FromSlash(name))
		if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() {
			files = append(files, backup.File{Name: name, Path: path})
		}
	}
	return files, nil
}

// headFiles returns the files of the heads, as they are now, below a folder that it creates, and counts them.
func (b backups) headFiles(folder string, counts *backup.Counts) (files []backup.File, err error) {
	names, damaged, err := heads.Open(filepath.Join(b.dataDir, backup.HeadsFolder)).Snapshot(folder)
	if err != nil {
		return nil, fmt.Errorf("back up the heads: %w", err)
	}
	for _, problem := range damaged {
		b.log.Warn("a damaged head is not in the backup", "event", "backup_without_head", "problem", problem)
	}
	counts.HeadsDamaged = int64(len(damaged))
	for _, name := range names {
		if !strings.HasSuffix(name, "/"+heads.LiveFile) {
			counts.Heads++
		}
		files = append(files, backup.File{Name: backup.HeadsFolder + "/" + name, Path: filepath.Join(folder, filepath.FromSlash(name))})
	}
	return files, nil
}

// BackupReport is the outcome of `edgelens backup`.
type BackupReport struct {
	File     string          `json:"file"`
	Bytes    int64           `json:"bytes"`
	Manifest backup.Manifest `json:"manifest"`
	// DamagedImages are those whose content is not what was accepted.
	DamagedImages int64 `json:"damaged_images"`
}

// Problem is what is wrong with a backup that can be used nevertheless; "" for nothing.
func (r BackupReport) Problem() string {
	missing, learned := r.Manifest.Counts.ImagesMissing, r.Manifest.Counts.HeadsDamaged
	if missing+r.DamagedImages+learned == 0 {
		return ""
	}
	return fmt.Sprintf("the data folder has lost %d images, and has %d damaged ones and %d damaged files of heads, perhaps by a failing disk; everything else is in the backup", missing, r.DamagedImages, learned)
}

// WriteBackup writes a backup of the data folder: of the service that uses it, or, where none runs, of its files. It is
// read again and compared before it gets its name. progress gets the number of bytes written so far, and that of all,
// about; it may be nil. Warnings go to logs.
func WriteBackup(ctx context.Context, c *config.Config, version string, o control.BackupOptions, file string, replace bool, progress func(done, all int64), logs io.Writer) (report BackupReport, err error) {
	report.File = file
	if !ledger.IsIn(c.DataDir) {
		return report, fmt.Errorf("%w: there is no ledger in %s; --data-dir names the data folder of the service", edgelens.ErrNotFound, c.DataDir)
	}
	err = backup.Create(file, replace, func(f *os.File) error {
		counter := &countingWriter{w: f, progress: progress}
		begin := func(bytes int64) io.Writer { counter.all = bytes; return counter }
		if err := useBackups(ctx, c, version, logs, func(b control.Backups) error { return b.WriteBackup(ctx, o, begin) }); err != nil {
			return err
		}
		report.Bytes = counter.done
		var checked error
		background.Run(true, func() { checked = report.check(ctx, f) })
		return checked
	})
	return report, err
}

// check reads a backup that was just written, and compares it with its sums, as slowly as it was written.
func (r *BackupReport) check(ctx context.Context, f *os.File) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	reader, err := backup.NewReader(ctx, backup.Paced(ctx, f), filepath.Dir(f.Name()))
	if err != nil {
		return err
	}
	r.Manifest = reader.Manifest()
	damage, err := backup.Check(reader, nil)
	r.DamagedImages = damage.Images
	return errors.Join(err, reader.Close())
}

// countingWriter reports the progress of writes.
type countingWriter struct {
	w         io.Writer
	done, all int64
	progress  func(done, all int64)
}

// Write implements io.Writer.
func (c *countingWriter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.done += int64(n)
	if c.progress != nil {
		c.progress(min(c.done, c.all), c.all)
	}
	return n, err
}

// VerifyBackup reads a backup, compares everything in it with its sums, and opens its database. Its error is an
// edgelens.ErrInvalid for one that cannot be restored.
func VerifyBackup(ctx context.Context, file string) (report BackupReport, err error) {
	report.File = file
	f, reader, err := openBackup(ctx, file, filepath.Dir(file))
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, reader.Close(), f.Close()) }()
	report.Manifest = reader.Manifest()
	if err := ledger.CheckSchema(report.Manifest.Schema); err != nil {
		return report, err
	}
	folder, err := os.MkdirTemp(filepath.Dir(file), ".edgelens-verify-")
	if err != nil {
		return report, fmt.Errorf("verify %s: %w", file, datadir.Explain(filepath.Dir(file), err))
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	damage, err := backup.Check(reader, func(entry backup.Entry) error {
		if entry.Name != backup.DatabaseName && !strings.HasPrefix(entry.Name, backup.HeadsFolder+"/") {
			return nil
		}
		return unpackFile(filepath.Join(folder, filepath.FromSlash(entry.Name)), entry)
	})
	report.DamagedImages = damage.Images
	if err == nil {
		err = checkHeads(filepath.Join(folder, backup.HeadsFolder))
	}
	if err != nil {
		return report, fmt.Errorf("verify %s: %w", file, err)
	}
	if info, err := f.Stat(); err == nil {
		report.Bytes = info.Size()
	}
	counts, err := ledger.CheckCopy(ctx, filepath.Join(folder, backup.DatabaseName))
	if err != nil {
		return report, fmt.Errorf("verify %s: %w", file, err)
	}
	if m := report.Manifest.Counts; counts.Jobs != m.Jobs || counts.Records != m.Records || counts.Results != m.Results || counts.Images != m.Images+m.ImagesMissing {
		return report, fmt.Errorf("verify %s: %w: its database has other rows than its manifest", file, edgelens.ErrInvalid)
	}
	return report, nil
}

// checkHeads returns an edgelens.ErrInvalid where a head of a backup, whose heads are in a folder now, cannot be used.
func checkHeads(folder string) error {
	if err := heads.Open(folder).Check(); err != nil {
		return fmt.Errorf("the backup cannot be used: %w", err)
	}
	return nil
}

// openBackup opens a file, and reads its manifest; both must be closed.
func openBackup(ctx context.Context, file, folder string) (*os.File, *backup.Reader, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, fmt.Errorf("read the backup: %w", err)
	}
	reader, err := backup.NewReader(ctx, f, folder)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("read %s: %w", file, err), f.Close())
	}
	return f, reader, nil
}

// useBackups calls do with what writes backups of the data folder, as UseKeys does.
func useBackups(ctx context.Context, c *config.Config, version string, logs io.Writer, do func(control.Backups) error) error {
	return useDataFolder(ctx, c, logs,
		func(client *control.Client) error { return do(client) },
		func(l *ledger.Ledger, log *slog.Logger) error {
			return do(backups{ledger: l, dataDir: c.DataDir, version: version, log: log})
		})
}

// useDataFolder calls byService with a client of the service that uses the data folder, or, where none runs, byFiles with
// its ledger. Warnings go to logs.
func useDataFolder(ctx context.Context, c *config.Config, logs io.Writer, byService func(*control.Client) error, byFiles func(*ledger.Ledger, *slog.Logger) error) error {
	if err := errors.Join(c.CheckFormerData(), c.CheckOwnData()); err != nil {
		return err
	}
	client, err := control.Connect(ctx, c.DataDir)
	if err == nil {
		defer client.Close()
		return byService(client)
	}
	if !errors.Is(err, control.ErrNoService) {
		return err
	}
	if err := datadir.CheckOwner(c.DataDir); err != nil {
		return err
	}
	datadir.UseOwnFilesOnly()
	log := telemetry.NewLogger(telemetry.Config{LogLevel: "warn", LogFormat: c.Log.LogFormat}, logs)
	l, err := ledger.Open(ctx, c.DataDir, c.Ledger, ledger.Parts{Log: log, Registerer: prometheus.NewRegistry()})
	if errors.Is(err, edgelens.ErrInUse) {
		return fmt.Errorf("%w: another edgelens uses %s and does not answer at its socket there; if it is of an earlier version, restart it, or stop it while you run this", edgelens.ErrInUse, c.DataDir)
	}
	if err != nil {
		return err
	}
	return errors.Join(byFiles(l, log), l.Close())
}

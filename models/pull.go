package models

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"edgelens"
)

// MirrorVariable is the environment variable that names a mirror; the errors
// of a Puller mention it.
const MirrorVariable = "EDGELENS_MODEL_MIRROR"

// Puller fetches the files of manifest entries into a models folder. The zero
// value is ready to use. It is safe for concurrent use, also by many processes on
// one folder, as long as its fields are not changed; Progress is then called from
// all of them.
type Puller struct {
	// Mirror is tried before the public source: a folder, a file:// URL, or an
	// http(s) URL to which file names are appended. Empty means none.
	Mirror string
	// Client is nil for one with the system's proxy settings. Redirects from https
	// to http are always rejected.
	Client *http.Client
	// Progress, if not nil, is called in the goroutine of Pull at the start of
	// a file, after every piece of it, and for a file that is present already.
	Progress func(Progress)

	// The rest is 0 for the default.

	// AnswerTimeout bounds connecting and waiting for the headers; 15 s.
	AnswerTimeout time.Duration
	// StallTimeout bounds the time without a byte; 30 s.
	StallTimeout time.Duration
	// Backoff is the wait before the first of three retries, and doubles each time;
	// 500 ms.
	Backoff time.Duration
}

// Progress is the state of the download of one file.
type Progress struct {
	// Name is the model's name, File the file's.
	Name, File string
	// Done and Total are in bytes. Done falls back when a transfer has to start
	// again.
	Done, Total int64
	// From is the place that the bytes come from, without passwords; empty for a
	// file that was present already.
	From string
}

// Pull fetches the model file and the labels of an entry into dir, which it
// creates, unless they are present with the right sha256. Bytes are written to
// FILE.part, which a later Pull resumes, and get their final name only once
// their sha256 is verified. Pulls into the same folder wait for one another.
//
// The error wraps edgelens.ErrModel and lists every place that was tried with
// its error; or it wraps edgelens.ErrCanceled or edgelens.ErrDeadline if ctx
// ended first.
func (p *Puller) Pull(ctx context.Context, entry Entry, dir string) error {
	err := p.pull(ctx, entry, dir)
	switch {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("%w: pull %s: %w", edgelens.ErrDeadline, entry.Name, ctx.Err())
	case ctx.Err() != nil:
		return fmt.Errorf("%w: pull %s: %w", edgelens.ErrCanceled, entry.Name, ctx.Err())
	default:
		return fmt.Errorf("%w: pull %s: %w", edgelens.ErrModel, entry.Name, err)
	}
}

func (p *Puller) pull(ctx context.Context, entry Entry, dir string) error {
	client, done := p.client()
	defer done()
	var downloads []*download
	for _, file := range entry.files() {
		// Entries are checked when they are parsed; this guards the folder
		// against ones that were not.
		if why := badFileName(file.Name); why != "" {
			return fmt.Errorf("the file name %.200q %s", file.Name, why)
		}
		downloads = append(downloads, &download{
			puller: p, client: client, model: entry.Name, file: file,
			final: filepath.Join(dir, file.Name), part: filepath.Join(dir, file.Name+".part"),
		})
	}
	// A folder that has everything may be read-only, so look before locking.
	if there, err := allThere(downloads); there || err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the models folder: %w", err)
	}
	unlock, err := lockFolder(ctx, dir)
	if err != nil {
		return err
	}
	defer unlock()
	for _, d := range downloads {
		if err := d.run(ctx); err != nil {
			return err
		}
	}
	return nil
}

// allThere reports whether all files are present, and if so reports their progress.
func allThere(downloads []*download) (bool, error) {
	for _, d := range downloads {
		if there, err := d.there(); !there || err != nil {
			return false, err
		}
	}
	for _, d := range downloads {
		d.progress(d.file.Size, "")
	}
	return true, nil
}

// download is one file on its way into the models folder.
type download struct {
	puller      *Puller
	client      *http.Client
	model       string
	file        File
	final, part string
}

func (d *download) run(ctx context.Context) error {
	if there, err := d.there(); err != nil {
		return err
	} else if there {
		d.progress(d.file.Size, "")
		return nil
	}
	var tried []string
	for _, p := range d.puller.places(d.file) {
		err := d.fetch(ctx, p)
		var here *localError
		switch {
		case err == nil:
			return d.finish()
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &here):
			return fmt.Errorf("write %s: %w", d.part, here.error)
		}
		tried = append(tried, fmt.Sprintf("  %s: %v", p.shown, err))
	}
	if len(tried) == 0 {
		tried = []string{"  the manifest names no source, and no mirror is set"}
	}
	return fmt.Errorf("no place provided %s:\n%s\nset %s=<folder or URL> to a place that has it, or put the file at %s by hand",
		d.file.Name, strings.Join(tried, "\n"), MirrorVariable, d.final)
}

// there reports whether the file has its final name and the right content.
func (d *download) there() (bool, error) {
	info, err := os.Stat(d.final)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at the models folder: %w", err)
	}
	if !info.Mode().IsRegular() {
		return false, fmt.Errorf("%s is not a file; move it away", d.final)
	}
	if info.Size() != d.file.Size {
		return false, nil
	}
	f, err := os.Open(d.final)
	if err != nil {
		return false, fmt.Errorf("check what is in the models folder: %w", err)
	}
	defer f.Close()
	got, err := sha256Of(f)
	return got == d.file.SHA256, err
}

// finish gives the verified part its final name. The part was synced, so even
// after a power cut only the complete file has that name.
func (d *download) finish() error {
	if err := os.Rename(d.part, d.final); err != nil {
		return fmt.Errorf("give the download its name: %w", err)
	}
	return nil
}

func (d *download) progress(done int64, from string) {
	if report := d.puller.Progress; report != nil {
		report(Progress{Name: d.model, File: d.file.Name, Done: done, Total: d.file.Size, From: from})
	}
}

func orDefault(d, def time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return def
}

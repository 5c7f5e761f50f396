package models

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// retries is how often a place is retried after a network error.
const retries = 3

// hopelessError is an error that a retry at the same place cannot resolve.
type hopelessError struct{ error }

// localError is an error of this machine, the same for every place.
type localError struct{ error }

// mismatchError means that all bytes arrived, but not the right ones.
type mismatchError struct{ want, got string }

func (e *mismatchError) Error() string {
	return fmt.Sprintf("its content is corrupt or differs from the manifest: expected sha256 %s, got %s", e.want, e.got)
}

// errStartAgain means that the part was emptied because the server could not
// resume it.
var errStartAgain = errors.New("the server did not resume the interrupted transfer")

// fetch fills the part from one place, retrying where that can help. After nil,
// the part is complete and verified.
func (d *download) fetch(ctx context.Context, p place) error {
	if p.err != nil {
		return p.err
	}
	// Bytes that an earlier run or another place left in the part may be the
	// cause of a mismatch, so this place is only blamed once it delivered all
	// of the bytes.
	info, err := os.Stat(d.part)
	inherited := err == nil && info.Size() > 0
	wait := orDefault(d.puller.Backoff, 500*time.Millisecond)
	for try := 0; ; try++ {
		err := d.try(ctx, p)
		var hopeless *hopelessError
		var here *localError
		var mismatch *mismatchError
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &mismatch):
			if err := os.Remove(d.part); err != nil {
				return &localError{err}
			}
			if !inherited {
				return err
			}
			inherited = false
			continue
		case errors.As(err, &hopeless), errors.As(err, &here):
			return err
		case try >= retries:
			return fmt.Errorf("%w (tried %d times)", err, try+1)
		case errors.Is(err, errStartAgain):
			inherited = false
			continue
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
		wait *= 2
	}
}

// try completes and verifies the part, with one request at most.
func (d *download) try(ctx context.Context, p place) error {
	part, err := os.OpenFile(d.part, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return &localError{err}
	}
	defer part.Close()
	have, err := part.Seek(0, io.SeekEnd)
	if err != nil {
		return &localError{err}
	}
	if have > d.file.Size {
		if have, err = 0, empty(part); err != nil {
			return err
		}
	}
	if have < d.file.Size {
		if p.path != "" {
			err = d.copyFile(ctx, p, part)
		} else {
			err = d.request(ctx, p, part, have)
		}
		if err != nil {
			return err
		}
	}
	return d.verify(part)
}

// verify syncs the part to disk and compares its content with the manifest.
func (d *download) verify(part *os.File) error {
	if err := part.Sync(); err != nil {
		return &localError{err}
	}
	if _, err := part.Seek(0, io.SeekStart); err != nil {
		return &localError{err}
	}
	got, err := sha256Of(part)
	if err != nil {
		return &localError{err}
	}
	if got != d.file.SHA256 {
		return &mismatchError{want: d.file.SHA256, got: got}
	}
	return nil
}

// copyFile fills the part from a mirror's folder.
func (d *download) copyFile(ctx context.Context, p place, part *os.File) error {
	info, err := os.Stat(p.path) // before opening, which would block on a pipe
	if err != nil {
		return &hopelessError{bare(err)}
	}
	if !info.Mode().IsRegular() {
		return &hopelessError{errors.New("it is not a regular file")}
	}
	if info.Size() != d.file.Size {
		return &hopelessError{fmt.Errorf("it has %d bytes; the manifest has %d", info.Size(), d.file.Size)}
	}
	from, err := os.Open(p.path)
	if err != nil {
		return &hopelessError{bare(err)}
	}
	defer from.Close()
	if err := empty(part); err != nil {
		return err
	}
	return d.receive(ctx, p, part, 0, from)
}

// receive appends body to the part, which has have bytes, up to the size in the
// manifest and one byte more, to detect a longer one.
func (d *download) receive(ctx context.Context, p place, part *os.File, have int64, body io.Reader) error {
	body = io.LimitReader(body, d.file.Size-have+1)
	buf := make([]byte, 64<<10)
	for {
		d.progress(have, p.shown)
		n, err := body.Read(buf)
		if have+int64(n) > d.file.Size {
			if err := empty(part); err != nil {
				return err
			}
			return &hopelessError{fmt.Errorf("it has more than the %d bytes in the manifest", d.file.Size)}
		}
		if _, err := part.Write(buf[:n]); err != nil {
			return &localError{err}
		}
		have += int64(n)
		switch {
		case err == io.EOF && have == d.file.Size:
			d.progress(have, p.shown)
			return nil
		case err == io.EOF:
			return fmt.Errorf("it ended after %d of %d bytes", have, d.file.Size)
		case err != nil:
			return fmt.Errorf("it broke off after %d of %d bytes: %w", have, d.file.Size, err)
		case ctx.Err() != nil:
			return ctx.Err()
		}
	}
}

// empty truncates the part for a new start.
func empty(part *os.File) error {
	if err := part.Truncate(0); err != nil {
		return &localError{err}
	}
	if _, err := part.Seek(0, io.SeekStart); err != nil {
		return &localError{err}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

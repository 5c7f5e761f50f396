//go:build cgo

package ledger_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/ledger"
)

func takeSnapshot(t testing.TB, l *ledger.Ledger, o ledger.SnapshotOptions) *ledger.Snapshot {
	t.Helper()
	s, err := l.TakeSnapshot(t.Context(), o)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

// imagesOf returns the content of each image of a snapshot, by job.
func imagesOf(t testing.TB, s *ledger.Snapshot) map[string]string {
	t.Helper()
	all := map[string]string{}
	must(t, s.Images(t.Context(), func(image ledger.SnapshotImage) error {
		f, err := s.OpenImage(image.Job)
		if err != nil {
			return err
		}
		defer f.Close() // read only
		content, err := io.ReadAll(f)
		digest := sha256.Sum256(content)
		if int64(len(content)) != image.Bytes || hex.EncodeToString(digest[:]) != image.SHA256 {
			t.Errorf("the image of %s has %d bytes, and not %d, or other content", image.Job, len(content), image.Bytes)
		}
		all[image.Job] = string(content)
		return err
	}))
	return all
}

// A job that was accepted before the snapshot is in it with its image, though it ends and is removed before that is copied;
// the image is deleted afterwards. Later jobs are not in it, and their images go at once.
func TestSnapshotKeepsImages(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, quiet())
	before := acceptMany(t, l, 20)
	s := takeSnapshot(t, l, ledger.SnapshotOptions{})
	later := accept(t, l)
	for _, id := range append(before, later.ID) {
		start(t, l, id)
		must(t, l.Jobs.Finish(t.Context(), id, resultOf("cat", 0.5)))
	}
	if files := filesIn(t, dir); files[later.ID] || !files[before[0]] {
		t.Errorf("%d files; those of later jobs are to be deleted, and the others not", len(files))
	}
	_, err := l.Sweep(t.Context(), time.Now().Add(30*24*time.Hour)) // removes the jobs
	must(t, err)
	images := imagesOf(t, s)
	equal(t, "images", len(images), len(before))
	equal(t, "jobs", s.Counts.Jobs, int64(20))
	equal(t, "unfinished jobs", s.Counts.Unfinished, int64(20))
	must(t, s.Close())
	equal(t, "images after the snapshot", len(filesIn(t, dir)), 0)
	if _, err := os.Stat(filepath.Join(dir, "backup.tmp")); !os.IsNotExist(err) {
		t.Errorf("the copy is left: %v", err)
	}
}

// The images of jobs that end while they are copied are deleted as soon as they were.
func TestSnapshotLetsGoOfCopiedImages(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, quiet())
	acceptMany(t, l, 3)
	s := takeSnapshot(t, l, ledger.SnapshotOptions{})
	must(t, s.Images(t.Context(), func(image ledger.SnapshotImage) error {
		s.Copied(image.Seq)
		start(t, l, image.Job)
		return l.Jobs.Finish(t.Context(), image.Job, resultOf("cat", 0.5))
	}))
	equal(t, "files", len(filesIn(t, dir)), 0)
}

// A snapshot under load has every job that was accepted before it, in one consistent copy, and does not stop writers.
func TestSnapshotUnderLoad(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, quiet())
	before := acceptMany(t, l, 200)
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	for range 4 {
		load.Go(func() {
			for ctx.Err() == nil {
				job := accept(t, l)
				start(t, l, job.ID)
				if err := l.Jobs.Finish(context.Background(), job.ID, resultOf("cat", 0.5)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	steps := 0
	s := takeSnapshot(t, l, ledger.SnapshotOptions{Pace: func(time.Duration) { steps++; time.Sleep(time.Millisecond) }})
	images := imagesOf(t, s)
	stop()
	load.Wait()
	for _, id := range before {
		if images[id] == "" {
			t.Errorf("the image of %s is missing", id)
		}
	}
	if steps < 3 {
		t.Errorf("the copy took %d steps", steps)
	}
	counts, err := ledger.CheckCopy(t.Context(), s.File)
	must(t, err)
	equal(t, "counts of the copy", counts, s.Counts)
	equal(t, "images", s.Counts.Images, s.Counts.Unfinished)
}

func TestOneSnapshotAtATime(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	s := takeSnapshot(t, l, ledger.SnapshotOptions{})
	if _, err := l.TakeSnapshot(t.Context(), ledger.SnapshotOptions{}); !errors.Is(err, edgelens.ErrInUse) {
		t.Errorf("a second one: %v, want ErrInUse", err)
	}
	must(t, s.Close())
	takeSnapshot(t, l, ledger.SnapshotOptions{})
}

// A snapshot that was canceled, or for which there is no room, leaves nothing, and another one can be taken.
func TestFailedSnapshotLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	config := quiet()
	l := open(t, dir, config)
	acceptMany(t, l, 50)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := l.TakeSnapshot(ctx, ledger.SnapshotOptions{Pace: func(time.Duration) { cancel() }})
	if !errors.Is(err, edgelens.ErrCanceled) {
		t.Errorf("canceled: %v", err)
	}
	must(t, l.Close())
	config.MinFreeBytes = 1 << 60
	l = open(t, dir, config)
	if _, err := l.TakeSnapshot(t.Context(), ledger.SnapshotOptions{}); !errors.Is(err, edgelens.ErrDiskFull) {
		t.Errorf("no room: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "backup.tmp")); !os.IsNotExist(err) {
		t.Errorf("the copy is left: %v", err)
	}
}

// The keys of clients are in a copy on request alone, and nowhere in its file otherwise.
func TestKeysInSnapshot(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	hash := sha256.Sum256([]byte("a token"))
	must(t, l.Keys.AddKey(t.Context(), edgelens.StoredKey{Key: edgelens.Key{ID: "abcd2345", Name: "front door", Created: time.Now()}, Hash: hash}))
	enrolment := sha256.Sum256([]byte("an enrolment token"))
	must(t, l.Certificates.AddEnrolmentToken(t.Context(), edgelens.EnrolmentToken{Hash: enrolment, Name: "gate", Created: time.Now(), Expires: time.Now()}))
	for _, with := range []bool{true, false} {
		s := takeSnapshot(t, l, ledger.SnapshotOptions{WithKeys: with})
		content, err := os.ReadFile(s.File)
		must(t, err)
		if got := containsBytes(content, enrolment[:]); got != with {
			t.Errorf("with keys %v: the enrolment token is in the file: %v", with, got)
		}
		if got := containsBytes(content, hash[:]) && containsBytes(content, []byte("front door")); got != with {
			t.Errorf("with keys %v: they are in the file: %v", with, got)
		}
		must(t, s.Close())
	}
}

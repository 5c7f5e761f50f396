//go:build cgo

package ledger_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/ledger"
	"edgelens/internal/testutil"
	"edgelens/internal/uuid7"
)

// keeping keeps the images of finished jobs.
func keeping() ledger.Config {
	config := quiet()
	config.KeepImages = true
	return config
}

func wantPaths(t *testing.T, dir string, want ...string) {
	t.Helper()
	all := map[string]bool{}
	for _, path := range want {
		all[path] = true
	}
	equal(t, "files", imagePaths(t, dir), all)
}

// calendar is a clock that a test moves.
type calendar struct{ at atomic.Int64 }

func newCalendar(at time.Time) *calendar {
	c := &calendar{}
	c.at.Store(at.UnixMicro())
	return c
}

func (c *calendar) now() time.Time { return time.UnixMicro(c.at.Load()) }

func (c *calendar) pass(d time.Duration) { c.at.Add(d.Microseconds()) }

// daysOf returns jobs of the days from 2026-03-01 on, and the clock, which shows the next day.
func daysOf(t *testing.T, dir string, days int) (jobs []edgelens.Job, now func() time.Time) {
	t.Helper()
	c := newCalendar(time.Date(2026, 3, 1, 23, 0, 0, 0, time.UTC))
	l := open(t, dir, keeping(), steady(c.now))
	for range days {
		jobs = append(jobs, accept(t, l))
		c.pass(24 * time.Hour)
	}
	closeLedger(t, l)
	return jobs, c.now
}

func TestImagesAreInFoldersByDay(t *testing.T) {
	dir := t.TempDir()
	jobs, now := daysOf(t, dir, 3)
	first, second, third := "2026-03-01/"+jobs[0].ID, "2026-03-02/"+jobs[1].ID, "2026-03-03/"+jobs[2].ID
	wantPaths(t, dir, first, second, third)
	l := open(t, dir, quiet(), steady(now))
	last := accept(t, l) // of 2026-03-04
	must(t, l.Jobs.Finish(t.Context(), jobs[1].ID, resultOf("cat", 0.5)))
	wantPaths(t, dir, first, third, "2026-03-04/"+last.ID)
	if _, err := os.Stat(filepath.Join(dir, "images", "2026-03-02")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the empty folder of a former day: %v", err)
	}
	// That of the last image stays for the next one.
	must(t, l.Jobs.Finish(t.Context(), last.ID, resultOf("cat", 0.5)))
	if _, err := os.Stat(filepath.Join(dir, "images", "2026-03-04")); err != nil {
		t.Error(err)
	}
	start(t, l, jobs[0].ID)
}

// The former day's folder, in which the last image has ended before midnight, goes with the first image of the next day.
func TestEmptyFolderIsRemovedAtTheTurnOfTheDay(t *testing.T) {
	dir := t.TempDir()
	c := newCalendar(time.Date(2026, 3, 1, 23, 59, 59, 0, time.UTC))
	l := open(t, dir, quiet(), steady(c.now))
	must(t, l.Jobs.Finish(t.Context(), accept(t, l).ID, resultOf("cat", 0.5)))
	c.pass(2 * time.Second)
	job := accept(t, l)
	wantPaths(t, dir, "2026-03-02/"+job.ID)
	entries, err := os.ReadDir(filepath.Join(dir, "images"))
	must(t, err)
	equal(t, "folders", len(entries), 1)
}

func TestImagesOfAnEarlierVersionAreMoved(t *testing.T) {
	dir := t.TempDir()
	jobs, now := daysOf(t, dir, 3)
	flatten(t, dir)
	// An earlier move was interrupted: of the first before it was removed, of the second while it was written.
	must(t, os.Link(filepath.Join(dir, "images", jobs[0].ID), filepath.Join(dir, "images", "2026-03-01", jobs[0].ID)))
	must(t, os.Remove(filepath.Join(dir, "images", "2026-03-02")))
	// No version wrote these.
	must(t, os.Mkdir(filepath.Join(dir, "images", "2026-02-28"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "images", "2026-03-03", "stranger"), []byte("x"), 0o600))
	l, log := openLogged(t, dir, keeping(), steady(now))
	for _, job := range jobs { // before they are moved, or afterwards
		image, err := l.Images.Image(t.Context(), job.ID)
		must(t, err)
		equal(t, "size", int64(len(image)), job.Bytes)
	}
	testutil.Eventually(t, "it is tidy", func() bool { return strings.Contains(log.String(), "removed leftover files") })
	wantPaths(t, dir, "2026-03-01/"+jobs[0].ID, "2026-03-02/"+jobs[1].ID, "2026-03-03/"+jobs[2].ID)
	if _, err := os.Stat(filepath.Join(dir, "images", "2026-02-28")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty folder: %v", err)
	}
	if !strings.Contains(log.String(), "moved images into folders by day") || strings.Contains(log.String(), "WARN") {
		t.Errorf("log:\n%s", log)
	}
	for _, job := range jobs {
		start(t, l, job.ID)
	}
	l.Tidy(t.Context())
	wantPaths(t, dir, "2026-03-01/"+jobs[0].ID, "2026-03-02/"+jobs[1].ID, "2026-03-03/"+jobs[2].ID)
}

// Jobs that end while their images are moved leave none, and readers find those of the others at every moment.
func TestImagesAreReadAndRemovedWhileTheyAreMoved(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, quiet())
	ended, kept := acceptMany(t, l, 150), acceptMany(t, l, 150)
	closeLedger(t, l)
	flatten(t, dir)
	l = open(t, dir, quiet())
	done := make(chan struct{})
	var readers sync.WaitGroup
	readers.Go(func() {
		for round := 0; ; round++ {
			for _, id := range kept {
				if _, err := l.Images.Image(t.Context(), id); err != nil {
					t.Errorf("round %d: %v", round, err)
				}
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	for _, id := range ended {
		must(t, l.Jobs.Finish(t.Context(), id, resultOf("cat", 0.5)))
	}
	l.Tidy(t.Context())
	close(done)
	readers.Wait()
	want := map[string]bool{}
	for _, id := range kept {
		want[filepath.Join(today(), id)] = true
	}
	equal(t, "files", imagePaths(t, dir), want)
}

// What is not of edgelens stays, and hinders nothing else.
func TestWalkLeavesWhatItDoesNotKnow(t *testing.T) {
	dir := t.TempDir()
	jobs, now := daysOf(t, dir, 2)
	elsewhere := filepath.Join(t.TempDir(), "day")
	path := func(name string) string { return filepath.Join(dir, "images", name) }
	must(t, os.Rename(path("2026-03-01"), elsewhere))
	must(t, os.Symlink(elsewhere, path("2026-03-01")))
	must(t, os.MkdirAll(path("holiday/2026-03-01"), 0o700))
	must(t, os.WriteFile(path("holiday/photo.jpg"), []byte("x"), 0o600))
	must(t, os.Mkdir(path("2026-03-02/within"), 0o700))
	must(t, os.Mkdir(path("lost+found"), 0o700))
	must(t, os.WriteFile(path("2026-04-01"), []byte("a file in the place of a folder"), 0o600))
	must(t, os.Rename(path("2026-03-02/"+jobs[1].ID), path(jobs[1].ID)))
	must(t, os.Symlink("/etc/passwd", path("2026-03-02/link")))
	must(t, os.Symlink("/etc", path("etc")))
	l, log := openLogged(t, dir, keeping(), steady(now))
	l.Tidy(t.Context())
	wantPaths(t, dir, "2026-03-01", "holiday/photo.jpg", "2026-04-01", "2026-03-02/"+jobs[1].ID)
	for _, job := range jobs { // the first by the symbolic link
		start(t, l, job.ID)
	}
	for _, name := range []string{"/etc/passwd", elsewhere, path("holiday/2026-03-01"), path("2026-03-02/within"), path("lost+found")} {
		if _, err := os.Stat(name); err != nil {
			t.Error(err)
		}
	}
	if text := log.String(); !strings.Contains(text, "not of edgelens") || !strings.Contains(text, "number=4 ") || !strings.Contains(text, "holiday") || strings.Contains(text, "lost+found") {
		t.Errorf("log:\n%s", text)
	}
}

// An image in the folder of another day is moved to where it is looked for.
func TestMisplacedImagesAreMoved(t *testing.T) {
	dir := t.TempDir()
	jobs, now := daysOf(t, dir, 2)
	must(t, os.Rename(filepath.Join(dir, "images", "2026-03-01"), filepath.Join(dir, "images", "hash-0f")))
	l := open(t, dir, keeping(), steady(now))
	l.Tidy(t.Context())
	wantPaths(t, dir, "2026-03-01/"+jobs[0].ID, "2026-03-02/"+jobs[1].ID)
	start(t, l, jobs[0].ID)
}

// Where a folder of today cannot be, jobs are refused and the records of terminals kept, until it can.
func TestSomethingInThePlaceOfAFolder(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"a file":          func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"a link to one":   func(path string) error { return os.Symlink(t.TempDir(), path) },
		"a link to none":  func(path string) error { return os.Symlink("/nowhere", path) },
		"a named channel": func(path string) error { return syscall.Mkfifo(path, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "images", today())
			l := open(t, dir, quiet())
			must(t, put(path))
			image := image("x")
			if _, _, err := l.Jobs.Accept(t.Context(), specOf(image), image); !errors.Is(err, edgelens.ErrStorage) || !strings.Contains(err.Error(), path+" is no folder: move it away") {
				t.Errorf("accept: %v, want ErrStorage with the path", err)
			}
			if l.Probe(t.Context()) || !strings.Contains(problemOf(l, "images").Reason, path) {
				t.Errorf("problems %+v", l.Problems())
			}
			equal(t, "job of a record", receive(t, l, reception("door", 1)).ID, "")
			must(t, os.Remove(path))
			if !l.Probe(t.Context()) {
				t.Errorf("problems %+v", l.Problems())
			}
			accept(t, l)
		})
	}
}

// A folder that someone removes is created again.
func TestRemovedFolderIsCreatedAgain(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, quiet())
	accept(t, l)
	must(t, os.RemoveAll(filepath.Join(dir, "images", today())))
	job := accept(t, l)
	wantPaths(t, dir, today()+"/"+job.ID)
	must(t, os.RemoveAll(filepath.Join(dir, "images")))
	if !l.Probe(t.Context()) { // creates it
		t.Errorf("problems %+v", l.Problems())
	}
	job = accept(t, l)
	wantPaths(t, dir, today()+"/"+job.ID)
}

// A folder that cannot be read hinders no other, and loses nothing.
func TestWalkPassesUnreadableFolders(t *testing.T) {
	dir := t.TempDir()
	jobs, now := daysOf(t, dir, 2)
	ledger.FailFolder(t, "2026-03-01")
	must(t, os.WriteFile(filepath.Join(dir, "images", "2026-03-01", "stranger"), nil, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "images", "2026-03-02", "stranger"), nil, 0o600))
	l, log := openLogged(t, dir, keeping(), steady(now))
	l.Tidy(t.Context())
	wantPaths(t, dir, "2026-03-01/"+jobs[0].ID, "2026-03-01/stranger", "2026-03-02/"+jobs[1].ID)
	if text := log.String(); !strings.Contains(text, "retried at the next start") || !strings.Contains(text, "2026-03-01") {
		t.Errorf("log:\n%s", text)
	}
}

// A folder is never removed under an image that is being written: writers of two days take turns, with empty folders.
func TestFoldersAreRemovedAndWrittenAtOnce(t *testing.T) {
	files := ledger.NewTestImages(t.TempDir())
	days := []time.Time{time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)}
	var writers sync.WaitGroup
	for worker := range 8 {
		writers.Go(func() {
			for range 100 {
				id := uuid7.New(days[worker%2])
				if err := files.WriteAndRemove(id, []byte("an image")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	must(t, files.Sync())
}

func TestImageFolder(t *testing.T) {
	for id, want := range map[string]string{
		uuid7.New(time.Date(2026, 12, 31, 23, 59, 59, 999e6, time.UTC)):         "2026-12-31",
		uuid7.New(time.Date(2027, 1, 1, 0, 30, 0, 0, time.FixedZone("", 3600))): "2026-12-31",
		uuid7.New(time.Unix(20, 0)):                                             "1970-01-01",
		uuid7.New(time.UnixMilli(1<<48 - 1)):                                    "10889-08-02",
		"5fb8e6d2-3a2b-4c1d-9e8f-000000000001":                                  "hash-4e",
		"":                                                                      "hash-e3",
	} {
		if got := ledger.ImageFolder(id); got != want {
			t.Errorf("%q: %s, want %s", id, got, want)
		}
	}
}

// Every id has one folder, of a known form, whatever it is.
func FuzzImageFolder(f *testing.F) {
	f.Add("01935c00-0000-7abc-8def-0123456789ab")
	f.Add("../../etc/passwd")
	f.Fuzz(func(t *testing.T, id string) {
		if folder := ledger.ImageFolder(id); !ledger.IsImageFolder(folder) || folder != ledger.ImageFolder(id) {
			t.Errorf("%q: %q", id, folder)
		}
	})
}

// BenchmarkMoveImages moves images of 90 days, without the pauses and the look at the database that a service has.
func BenchmarkMoveImages(b *testing.B) {
	const images, days = 20_000, 90
	for b.Loop() {
		b.StopTimer()
		dir := b.TempDir()
		for n := range images {
			must(b, os.WriteFile(filepath.Join(dir, uuid7.New(time.Unix(int64(n%days)*86400, 0))), []byte("an image"), 0o600))
		}
		before, err := os.Stat(dir)
		must(b, err)
		b.StartTimer()
		moved, err := ledger.NewTestImages(dir).MoveAll()
		if err != nil || moved != images {
			b.Fatalf("%d moved, %v", moved, err)
		}
		b.StopTimer()
		b.ReportMetric(float64(before.Size()), "B/flat-folder")
		folder, err := os.Stat(filepath.Join(dir, "1970-01-02"))
		must(b, err)
		b.ReportMetric(float64(folder.Size()), "B/folder")
		b.StartTimer()
	}
}

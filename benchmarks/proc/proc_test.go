package proc

import (
	"os"
	"runtime/debug"
	"testing"
	"time"

	"edgelens/internal/testutil"
)

func TestParseStat(t *testing.T) {
	p, ok := parseStat("42 (a) b (c)) S 7 42 42 0 -1 4194560 100 0 0 0 150 50 25 5 20 0 1 0 100 1000 10\n")
	if want := (Process{Name: "a) b (c)", Parent: 7, Own: 2 * time.Second, Gone: 300 * time.Millisecond, Start: 100}); !ok || p != want {
		t.Errorf("%+v, %v", p, ok)
	}
}

func TestBelowTerminatesOnCycle(t *testing.T) {
	processes := map[int]Process{1: {Parent: 2}, 2: {Parent: 1}, 3: {Parent: 1}, 5: {Parent: 4}}
	if below(processes, 3, 4) || !below(processes, 3, 1) || !below(processes, 5, 4) {
		t.Error("a process is not found below its parents, or below others")
	}
}

func TestRunningIsAboutTheSameProcess(t *testing.T) {
	processes, err := Tree(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	own := processes[os.Getpid()]
	other := own
	other.Start++
	if !own.Running(os.Getpid()) || other.Running(os.Getpid()) {
		t.Errorf("%+v runs: %v; another one with its number: %v", own, own.Running(os.Getpid()), other.Running(os.Getpid()))
	}
}

func TestRunnableCountsThreads(t *testing.T) {
	quit := make(chan struct{})
	defer close(quit)
	go func() {
		for n := 0; ; n++ {
			select {
			case <-quit:
				return
			default:
			}
		}
	}()
	testutil.Eventually(t, "a thread that computes is counted", func() bool {
		n, err := Runnable(os.Getpid())
		return err == nil && n > 0
	})
}

func TestPeakOfMemoryStartsAgain(t *testing.T) {
	const large = 64 << 20
	block := make([]byte, large)
	for i := 0; i < large; i += os.Getpagesize() {
		block[i] = 1
	}
	before, err := PeakResident(os.Getpid())
	if err != nil || block[0] != 1 {
		t.Fatal(err)
	}
	block = nil
	debug.FreeOSMemory()
	if err := ResetPeak(os.Getpid()); err != nil {
		t.Skip(err) // a kernel or sandbox without it
	}
	after, err := PeakResident(os.Getpid())
	if err != nil || before < large || after > before-large/2 {
		t.Errorf("%d, then %d, %v", before, after, err)
	}
}

func TestWrittenCountsFilesOnDisks(t *testing.T) {
	if got := parseWritten("rchar: 9\nwrite_bytes: 8192\ncancelled_write_bytes: 4096\n"); got != 4096 {
		t.Errorf("%d bytes are parsed", got)
	}
	before, err := Written(os.Getpid())
	if err != nil {
		t.Skip(err) // a sandbox without it
	}
	after, err := Written(os.Getpid())
	if err != nil || after < before {
		t.Errorf("%d, then %d, %v", before, after, err)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add("1 (x) S 1 1 1 0 -1 0 0 0 0 0 1 1 1 1 20")
	f.Add(")")
	f.Add("")
	f.Fuzz(func(_ *testing.T, text string) { parseStat(text) })
}

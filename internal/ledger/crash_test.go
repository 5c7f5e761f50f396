//go:build cgo

package ledger_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/ledger"
	"edgelens/internal/testutil"
)

const (
	crashDirVariable   = "EDGELENS_TEST_LEDGER_CRASH_DIR"
	crashTimesVariable = "EDGELENS_TEST_LEDGER_CRASHES"
)

// promiseUntilKilled accepts and ends jobs, adds and removes examples, and prints a line for each acknowledged change:
// "accepted ID SEED", "ended ID STATUS", "added ID SEED" and "removed ID".
func promiseUntilKilled(dir string) {
	l, err := ledger.Open(context.Background(), dir, quiet(), parts())
	if err != nil {
		fmt.Println("failed", err)
		os.Exit(1)
	}
	report := func(format string, args ...any) { os.Stdout.WriteString(fmt.Sprintf(format+"\n", args...)) }
	work := func() error {
		ctx := context.Background()
		seed := strconv.FormatUint(rand.Uint64(), 36)
		job, _, err := l.Jobs.Accept(ctx, specOf(crashImage(seed)), crashImage(seed))
		if err != nil {
			return err
		}
		report("accepted %s %s", job.ID, seed)
		if _, _, err := l.Jobs.Start(ctx, job.ID); err != nil {
			return err
		}
		status := edgelens.JobSucceeded
		switch rand.IntN(5) {
		case 0:
			return nil // it stays running
		case 1:
			status = edgelens.JobFailed
			err = l.Jobs.Fail(ctx, job.ID, edgelens.JobError{Code: "bad_image", Detail: "No."})
		case 2:
			status = edgelens.JobCanceled
			_, err = l.Jobs.Cancel(ctx, job.ID)
		default:
			err = l.Jobs.Finish(ctx, job.ID, resultOf("cat", 0.5))
		}
		if err == nil {
			report("ended %s %s", job.ID, status)
		}
		return err
	}
	for range 4 {
		go func() {
			for {
				if err := work(); err != nil {
					report("failed %v", err)
				}
			}
		}()
	}
	go func() {
		for {
			if err := promiseExample(l, report); err != nil {
				report("failed %v", err)
			}
		}
	}()
	select {}
}

// promiseExample adds an example, and removes every other one again.
func promiseExample(l *ledger.Ledger, report func(format string, args ...any)) error {
	seed := strconv.FormatUint(rand.Uint64(), 36)
	e, _, err := l.Examples.Add(context.Background(), gate(), exampleOf(crashImage(seed), "open"), crashImage(seed))
	if err != nil {
		return err
	}
	report("added %s %s", e.ID, seed)
	if rand.IntN(2) == 0 {
		return nil
	}
	report("removing %s", e.ID)
	if err := l.Examples.Remove(context.Background(), "gate", e.ID); err != nil {
		return err
	}
	report("removed %s", e.ID)
	return nil
}

func crashImage(seed string) []byte { return append(image(seed), make([]byte, 20_000)...) }

// promised are the children's reports about a job, or about an example, which is there, perhaps, or not.
type promised struct {
	seed    string
	ended   edgelens.JobStatus
	example string
}

// The values of promised.example.
const (
	exampleAdded    = "added"
	exampleRemoving = "removing"
	exampleRemoved  = "removed"
)

// Every other child has the images of an earlier version to move.
func TestAcknowledgedWritesSurviveKill(t *testing.T) {
	testutil.SkipIfShort(t, "it kills dozens of processes")
	times := 30
	if text := os.Getenv(crashTimesVariable); text != "" {
		var err error
		times, err = strconv.Atoi(text)
		must(t, err)
	}
	dir := t.TempDir()
	promises := map[string]*promised{}
	for round := range times {
		if round%2 == 1 {
			flatten(t, dir)
		}
		collectUntilKilled(t, dir, promises)
	}
	ended := 0
	for _, p := range promises {
		if p.ended != "" {
			ended++
		}
	}
	if len(promises) < times || ended == 0 {
		t.Fatalf("%d jobs were accepted and %d ended in %d rounds: this proves nothing", len(promises), ended, times)
	}
	t.Logf("%d jobs accepted, %d of them ended, in %d processes that were killed", len(promises), ended, times)
}

// collectUntilKilled runs a child, kills it at some point, and compares the ledger that it leaves with all reports.
func collectUntilKilled(t *testing.T, dir string, promises map[string]*promised) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), crashDirVariable+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	lines := bufio.NewReader(out)
	// A quarter get no time to start: they may be killed while opening.
	wait := time.Duration(rand.IntN(200)) * time.Millisecond
	if rand.IntN(4) > 0 {
		first, err := lines.ReadString('\n')
		must(t, err)
		note(t, first, promises)
	}
	killer := time.AfterFunc(wait, func() { child.Process.Kill() })
	defer killer.Stop()
	for {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, err)
		note(t, line, promises)
	}
	child.Wait() // its error is that it was killed
	check(t, dir, promises)
}

func note(t *testing.T, line string, promises map[string]*promised) {
	t.Helper()
	word := strings.Fields(line)
	switch {
	case len(word) == 3 && word[0] == "accepted":
		promises[word[1]] = &promised{seed: word[2]}
	case len(word) == 3 && word[0] == "ended":
		promises[word[1]].ended = edgelens.JobStatus(word[2])
	case len(word) == 3 && word[0] == exampleAdded:
		promises[word[1]] = &promised{seed: word[2], example: exampleAdded}
	case len(word) == 2 && (word[0] == exampleRemoving || word[0] == exampleRemoved):
		promises[word[1]].example = word[0]
	default:
		t.Fatalf("the child reports %q", line)
	}
}

func check(t *testing.T, dir string, promises map[string]*promised) {
	t.Helper()
	l := open(t, dir, quiet())
	defer closeLedger(t, l)
	files := filesIn(t, dir)
	checkExamples(t, l, files, promises)
	for id, p := range promises {
		if p.example != "" {
			continue
		}
		job, err := l.Jobs.Job(t.Context(), id)
		if err != nil {
			t.Fatalf("accepted, and lost: %v", err)
		}
		if p.ended != "" && job.Status != p.ended {
			t.Errorf("job %s ended %s and is %s", id, p.ended, job.Status)
		}
		if job.Status.Terminal() {
			continue
		}
		image, err := l.Images.Image(t.Context(), id)
		if err != nil || string(image) != string(crashImage(p.seed)) {
			t.Errorf("the image of job %s, which is %s: %d bytes, %v", id, job.Status, len(image), err)
		}
	}
	for job, err := range l.Jobs.Unfinished(t.Context()) {
		must(t, err)
		if !files[job.ID] {
			t.Errorf("job %s is %s and has no image", job.ID, job.Status)
		}
		delete(files, job.ID)
	}
	testutil.Eventually(t, fmt.Sprintf("the files that no job wants are gone: %v", files), func() bool {
		left := filesIn(t, dir)
		for name := range files {
			if left[name] {
				return false
			}
		}
		return true
	})
	endings := map[string]int{}
	for _, event := range allEvents(t, l) {
		var data struct{ Status edgelens.JobStatus }
		must(t, json.Unmarshal(event.Data, &data))
		if event.Type == "job" && data.Status.Terminal() {
			endings[event.Subject]++
		}
	}
	for id, n := range endings {
		if n > 1 {
			t.Errorf("job %s ended %d times", id, n)
		}
	}
	for id, p := range promises {
		if p.ended != "" && endings[id] == 0 {
			t.Errorf("job %s ended without an event", id)
		}
	}
}

// checkExamples compares the examples with all reports, and takes their images from files.
func checkExamples(t *testing.T, l *ledger.Ledger, files map[string]bool, promises map[string]*promised) {
	t.Helper()
	stored := map[string]bool{}
	all, err := l.Examples.Embeddings(t.Context(), "gate")
	if err != nil && !errors.Is(err, edgelens.ErrNotFound) { // killed before the first one
		t.Fatal(err)
	}
	for _, e := range all {
		stored[e.ID] = true
		if image, err := l.Examples.Image(t.Context(), "gate", e.ID); err != nil || specOf(image).SHA256 != e.SHA256 {
			t.Errorf("the image of example %s: %d bytes, %v", e.ID, len(image), err)
		}
		delete(files, e.ID)
	}
	for id, p := range promises {
		if p.example == exampleAdded && !stored[id] || p.example == exampleRemoved && stored[id] {
			t.Errorf("example %s was %s; stored: %v", id, p.example, stored[id])
		}
	}
	if len(all) > 0 {
		d, err := l.Examples.Dataset(t.Context(), "gate")
		must(t, err)
		equal(t, "examples by the totals", d.Examples, len(all))
	}
}

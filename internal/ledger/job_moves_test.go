//go:build cgo

package ledger_test

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/ledger"
)

var (
	long  = time.Now().Add(time.Hour)
	after = long.Add(time.Hour)
)

// moves are all transitions of a job.
var moves = map[string]func(t *testing.T, l *ledger.Ledger, id string) error{
	"start": func(t *testing.T, l *ledger.Ledger, id string) error {
		_, _, err := l.Jobs.Start(t.Context(), id)
		return err
	},
	"release": func(t *testing.T, l *ledger.Ledger, id string) error { return l.Jobs.Release(t.Context(), id, false) },
	"finish": func(t *testing.T, l *ledger.Ledger, id string) error {
		return l.Jobs.Finish(t.Context(), id, resultOf("cat", 0.5))
	},
	"fail": func(t *testing.T, l *ledger.Ledger, id string) error {
		return l.Jobs.Fail(t.Context(), id, edgelens.JobError{Code: "bad_image", Detail: "No."})
	},
	"cancel": func(t *testing.T, l *ledger.Ledger, id string) error {
		_, err := l.Jobs.Cancel(t.Context(), id)
		return err
	},
	"expire": func(t *testing.T, l *ledger.Ledger, id string) error {
		n, err := l.Jobs.Expire(t.Context(), after)
		if err == nil && n == 0 {
			err = edgelens.ErrFinished
		}
		return err
	},
}

// ways lead to every state.
var ways = map[edgelens.JobStatus][]string{
	edgelens.JobQueued:    {},
	edgelens.JobRunning:   {"start"},
	edgelens.JobSucceeded: {"start", "finish"},
	edgelens.JobFailed:    {"start", "fail"},
	edgelens.JobCanceled:  {"cancel"},
	edgelens.JobExpired:   {"start", "expire"},
}

// leadsTo is the state that a move leads to.
var leadsTo = map[string]edgelens.JobStatus{
	"start": edgelens.JobRunning, "release": edgelens.JobQueued, "finish": edgelens.JobSucceeded,
	"fail": edgelens.JobFailed, "cancel": edgelens.JobCanceled, "expire": edgelens.JobExpired,
}

func TestEveryTransitionInEveryState(t *testing.T) {
	for from, way := range ways {
		for name, move := range moves {
			t.Run(string(from)+", "+name, func(t *testing.T) {
				dir := t.TempDir()
				l := open(t, dir, quiet(), aMinuteLater)
				id := accept(t, l, func(s *edgelens.JobSpec) { s.Deadline = long }).ID
				for _, step := range way {
					must(t, moves[step](t, l, id))
				}
				before, eventsBefore := jobOf(t, l, id), len(allEvents(t, l))
				equal(t, "status before", before.Status, from)

				err := move(t, l, id)
				job := jobOf(t, l, id)
				if from.Terminal() {
					if !errors.Is(err, edgelens.ErrFinished) || !errors.Is(err, edgelens.ErrConflict) {
						t.Errorf("error %v, want edgelens.ErrFinished, a conflict", err)
					}
					if ended := "it has ended already with the status " + string(from); name != "start" && name != "expire" && !strings.HasSuffix(err.Error(), " job "+id+": "+ended) {
						t.Errorf("error %q, want one sentence that ends in %q", err, ended)
					}
					equal(t, "the job that is done", job, before)
					equal(t, "number of events", len(allEvents(t, l)), eventsBefore)
				} else {
					must(t, err)
					equal(t, "status", job.Status, leadsTo[name])
				}
				if job.FinishedAt.IsZero() == job.Status.Terminal() {
					t.Errorf("%s at %v", job.Status, job.FinishedAt)
				}
				equal(t, "has a result", job.Result != nil, job.Status == edgelens.JobSucceeded)
				equal(t, "has an error", job.Error != nil, job.Status == edgelens.JobFailed || job.Status == edgelens.JobExpired)
				equal(t, "has an image", filesIn(t, dir)[id], !job.Status.Terminal())
			})
		}
	}
}

func TestTransitionsOfUnknownJob(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	for name, move := range moves {
		if err := move(t, l, "unknown"); name != "expire" && !errors.Is(err, edgelens.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", name, err)
		}
	}
	if _, err := l.Images.Image(t.Context(), "../ledger.db"); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("image: %v, want ErrNotFound", err)
	}
}

func TestOnlyOneTerminalStateWins(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	ends := []string{"finish", "fail", "cancel", "expire"}
	for range 8 {
		id := accept(t, l, func(s *edgelens.JobSpec) { s.Deadline = long }).ID
		start(t, l, id)
		eventsBefore := allEvents(t, l)
		var wg sync.WaitGroup
		errs := make([]error, 32)
		for i := range errs {
			wg.Go(func() { errs[i] = moves[ends[i%len(ends)]](t, l, id) })
		}
		wg.Wait()
		var winner string
		for i, err := range errs {
			switch {
			case err == nil && winner == "":
				winner = ends[i%len(ends)]
			case err == nil:
				t.Errorf("%s and %s both won", winner, ends[i%len(ends)])
			case !errors.Is(err, edgelens.ErrFinished):
				t.Errorf("a loser gets %v", err)
			}
		}
		equal(t, "status", jobOf(t, l, id).Status, leadsTo[winner])
		ended := 0
		for _, event := range allEvents(t, l)[len(eventsBefore):] {
			if event.Type == "job" {
				ended++
			}
		}
		equal(t, "job events of the end", ended, 1)
	}
}

func TestThirdStartFailsTheJob(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, quiet(), aMinuteLater)
	id := accept(t, l).ID
	equal(t, "first start", start(t, l, id).Attempts, 1)
	closeLedger(t, l) // the program dies with the job running
	l = open(t, dir, quiet(), aMinuteLater)
	equal(t, "second start", start(t, l, id).Attempts, 2)
	job, image, err := l.Jobs.Start(t.Context(), id)
	if !errors.Is(err, edgelens.ErrFinished) || image != nil {
		t.Fatalf("third start: %d bytes, %v", len(image), err)
	}
	equal(t, "the returned job", job, jobOf(t, l, id))
	equal(t, "status", job.Status, edgelens.JobFailed)
	equal(t, "attempts", job.Attempts, 3)
	if job.Error.Code != "poison" || job.Error.Detail == "" {
		t.Errorf("error %+v", job.Error)
	}
}

// A job that was under way at several ends of the service in a row, as at power cuts, is not started again, and does not fail,
// until the service has run for a while. One that a service had started that ran for long is started again at once.
func TestJobUnderWayAtManyPowerCuts(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var l *ledger.Ledger
	restart := func() {
		l = open(t, dir, quiet(), steady(func() time.Time { return now }))
	}
	restart()
	now = now.Add(2 * time.Second)
	early := accept(t, l).ID
	start(t, l, early)
	now = now.Add(time.Hour)
	late := accept(t, l).ID
	start(t, l, late)
	must(t, l.Close())
	restart()
	equal(t, "attempts of the one that was started late", start(t, l, late).Attempts, 2)
	must(t, l.Jobs.Finish(t.Context(), late, resultOf("cat", 0.5)))
	for range 4 {
		for _, after := range []time.Duration{0, 2 * time.Second, 2 * time.Second} {
			now = now.Add(after)
			_, _, err := l.Jobs.Start(t.Context(), early)
			var busy *edgelens.Busy
			if !errors.As(err, &busy) || busy.RetryAfter < time.Second || busy.RetryAfter > 5*time.Second {
				t.Errorf("start %v later: %v, want a *Busy of 1 to 5 s", after, err)
			}
		}
		equal(t, "attempts", jobOf(t, l, early).Attempts, 1)
		must(t, l.Close())
		restart()
	}
	now = now.Add(5 * time.Second)
	equal(t, "attempts once it has run for a while", start(t, l, early).Attempts, 2)
	must(t, l.Jobs.Finish(t.Context(), early, resultOf("cat", 0.5)))
}

// Jobs that ran beside one that crashes the program do not fail as poison, however often the same ones start together.
func TestOnlyPoisonJobFails(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, quiet(), aMinuteLater)
	poison, others := accept(t, l).ID, acceptMany(t, l, 3)
	crash := func() {
		must(t, l.Close())
		l = open(t, dir, quiet(), aMinuteLater)
	}
	for _, id := range append([]string{poison}, others...) {
		start(t, l, id)
	}
	crash()
	start(t, l, poison)
	var waiting sync.WaitGroup
	for _, id := range others {
		waiting.Go(func() {
			if _, _, err := l.Jobs.Start(t.Context(), id); !errors.Is(err, edgelens.ErrBusy) {
				t.Errorf("start beside a poison candidate: %v, want ErrBusy", err)
			}
			equal(t, "attempts", jobOf(t, l, id).Attempts, 1)
		})
	}
	fresh := accept(t, l).ID
	start(t, l, fresh) // a job without earlier starts does not wait
	waiting.Wait()
	crash()
	if _, _, err := l.Jobs.Start(t.Context(), poison); !errors.Is(err, edgelens.ErrFinished) {
		t.Errorf("the third start: %v", err)
	}
	ends := map[string]func(id string) error{
		others[0]: func(id string) error { return l.Jobs.Finish(t.Context(), id, resultOf("cat", 0.5)) },
		others[1]: func(id string) error { return l.Jobs.Release(t.Context(), id, false) },
		others[2]: func(id string) error { _, err := l.Jobs.Cancel(t.Context(), id); return err },
	}
	for _, id := range others { // which run one by one
		waiting.Go(func() {
			start(t, l, id)
			must(t, ends[id](id))
		})
	}
	waiting.Wait()
	start(t, l, fresh)
	equal(t, "the poison job", jobOf(t, l, poison).Status, edgelens.JobFailed)
}

func TestReleaseRefundsAttempt(t *testing.T) {
	for name, test := range map[string]struct {
		giveBack     bool
		wantAttempts int
	}{"refunded": {true, 0}, "kept": {false, 1}} {
		t.Run(name, func(t *testing.T) {
			l := open(t, t.TempDir(), quiet())
			id := accept(t, l).ID
			start(t, l, id)
			for range 2 { // the second finds it queued and changes nothing
				must(t, l.Jobs.Release(t.Context(), id, test.giveBack))
				job := jobOf(t, l, id)
				equal(t, "status", job.Status, edgelens.JobQueued)
				equal(t, "attempts", job.Attempts, test.wantAttempts)
			}
		})
	}
}

func TestStartAfterDeadlineExpires(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	id := accept(t, l, func(s *edgelens.JobSpec) { s.Deadline = time.Now().Add(-time.Second) }).ID
	job, image, err := l.Jobs.Start(t.Context(), id)
	if !errors.Is(err, edgelens.ErrFinished) || image != nil {
		t.Fatalf("start: %d bytes, %v", len(image), err)
	}
	equal(t, "status", job.Status, edgelens.JobExpired)
	equal(t, "attempts", job.Attempts, 0)
	equal(t, "code", job.Error.Code, "deadline")
}

func TestStartWithoutImageFails(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, quiet())
	id := accept(t, l).ID
	removeFile(t, dir, "images", today(), id)
	job, _, err := l.Jobs.Start(t.Context(), id)
	if !errors.Is(err, edgelens.ErrFinished) {
		t.Errorf("start: %v, want edgelens.ErrFinished", err)
	}
	equal(t, "status", job.Status, edgelens.JobFailed)
	equal(t, "code", job.Error.Code, "no_image")
}

func TestExpireEndsOnlyLateJobs(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	now := time.Now()
	late := acceptMany(t, l, 450, func(s *edgelens.JobSpec) { s.Deadline = now }) // more than one batch
	open := accept(t, l).ID
	early := accept(t, l, func(s *edgelens.JobSpec) { s.Deadline = now.Add(time.Second) }).ID
	n, err := l.Jobs.Expire(t.Context(), now)
	must(t, err)
	equal(t, "expired", n, len(late))
	equal(t, "without a deadline", jobOf(t, l, open).Status, edgelens.JobQueued)
	equal(t, "before its deadline", jobOf(t, l, early).Status, edgelens.JobQueued)
	equal(t, "the last late one", jobOf(t, l, late[len(late)-1]).Status, edgelens.JobExpired)
}

func TestEventsOfAJob(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	id := accept(t, l).ID
	start(t, l, id)
	must(t, l.Jobs.Release(t.Context(), id, true))
	start(t, l, id)
	must(t, l.Jobs.Finish(t.Context(), id, resultOf("cat", 0.5)))
	var story []string
	for _, event := range allEvents(t, l) {
		var data struct{ ID, Status, Outcome, Label string }
		must(t, json.Unmarshal(event.Data, &data))
		equal(t, "subject", event.Subject, data.ID)
		story = append(story, event.Type+" "+data.Status+data.Outcome+" "+data.Label)
	}
	equal(t, "events", story, []string{"job queued ", "job running ", "job queued ", "job running ", "job succeeded ", "recognition recognized cat"})
}

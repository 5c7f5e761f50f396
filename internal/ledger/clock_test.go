//go:build cgo

package ledger_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/clocks"
	"edgelens/internal/ledger"
)

// machine has a wall clock that can be set, and a monotonic one.
type machine struct {
	mu        sync.Mutex
	wall      time.Time
	monotonic time.Duration
}

func (c *machine) read() clocks.Reading {
	c.mu.Lock()
	defer c.mu.Unlock()
	return clocks.Reading{Wall: c.wall, Monotonic: c.monotonic}
}

// pass advances the time, jump sets the wall clock.
func (c *machine) pass(d time.Duration) { c.set(d, d) }
func (c *machine) jump(d time.Duration) { c.set(d, 0) }

func (c *machine) set(wall, monotonic time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall, c.monotonic = c.wall.Add(wall), c.monotonic+monotonic
}

// jumps are typical clock changes of small machines.
var jumps = map[string]struct {
	boot time.Time
	by   time.Duration
}{
	"NTP after a boot in 1970": {time.Unix(20, 0), 56 * 365 * 24 * time.Hour},
	"a day forward":            {time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), 24 * time.Hour},
	"an hour back":             {time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), -time.Hour},
	"back to 1970":             {time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), -56 * 365 * 24 * time.Hour},
}

func openWith(t *testing.T, dir string, c *machine) *ledger.Ledger {
	t.Helper()
	return open(t, dir, quiet(), clock(c.read))
}

// A job keeps its time to the deadline, whatever the clock is set to.
func TestDeadlinesMoveWithTheClock(t *testing.T) {
	for name, jump := range jumps {
		t.Run(name, func(t *testing.T) {
			dir, c := t.TempDir(), &machine{wall: jump.boot}
			l := openWith(t, dir, c)
			inTime := func(s *edgelens.JobSpec) { s.Deadline = c.wall.Add(10 * time.Minute) }
			first, second, third := accept(t, l, inTime).ID, accept(t, l, inTime).ID, accept(t, l, inTime).ID
			c.pass(5 * time.Minute)
			c.jump(jump.by)
			expire := func(want int) {
				t.Helper()
				expired, err := l.Jobs.Expire(t.Context(), c.wall)
				must(t, err)
				equal(t, "expired", expired, want)
			}
			start(t, l, first)
			expire(0)
			c.pass(4 * time.Minute)
			start(t, l, second)
			expire(0)

			// It survives a restart.
			must(t, l.Close())
			l = openWith(t, dir, c)
			expire(0)
			c.pass(2 * time.Minute)
			late := accept(t, l, inTime).ID
			if _, _, err := l.Jobs.Start(t.Context(), third); !errors.Is(err, edgelens.ErrFinished) {
				t.Errorf("start past the deadline: %v", err)
			}
			expire(2)
			for _, id := range []string{first, second, third} {
				equal(t, "status", jobOf(t, l, id).Status, edgelens.JobExpired)
			}
			equal(t, "a later job", jobOf(t, l, late).Status, edgelens.JobQueued)
		})
	}
}

// A clock that is set forward removes no job that a client still polls for, or whose key it sends again.
func TestDoneJobsSurviveClockJump(t *testing.T) {
	for name, jump := range jumps {
		t.Run(name, func(t *testing.T) {
			c := &machine{wall: jump.boot}
			l := openWith(t, t.TempDir(), c)
			key := func(s *edgelens.JobSpec) { s.IdempotencyKey = "mine" }
			image := image("same")
			spec := specOf(image)
			key(&spec)
			job, _, err := l.Jobs.Accept(t.Context(), spec, image)
			must(t, err)
			must(t, l.Jobs.Finish(t.Context(), job.ID, resultOf("cat", 0.5)))
			done := jobOf(t, l, job.ID)
			age := ledger.DefaultConfig().MaxAge
			sweep := func() {
				t.Helper()
				if _, err := l.Sweep(t.Context(), c.wall); err != nil {
					t.Fatal(err)
				}
			}
			c.pass(time.Hour)
			c.jump(jump.by)
			sweep()
			c.pass(age - 2*time.Hour)
			sweep()
			equal(t, "the job", jobOf(t, l, job.ID), done)
			again, existing, err := l.Jobs.Accept(t.Context(), spec, image)
			must(t, err)
			equal(t, "the job of the key", []any{again.ID, existing}, []any{job.ID, true})
			if page, _, err := l.Results.Results(t.Context(), edgelens.ResultFilter{}); err != nil || len(page) != 1 {
				t.Errorf("%d results, %v", len(page), err)
			}
			c.pass(max(0, -jump.by) + 2*time.Hour)
			sweep()
			if _, err := l.Jobs.Job(t.Context(), job.ID); !errors.Is(err, edgelens.ErrNotFound) {
				t.Errorf("past its age: %v, want ErrNotFound", err)
			}
		})
	}
}

// A step of the clock is one row, until nothing is older; many steps are few rows.
func TestClockStepsAreBounded(t *testing.T) {
	c := &machine{wall: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	l := openWith(t, t.TempDir(), c)
	done := accept(t, l)
	must(t, l.Jobs.Finish(t.Context(), done.ID, resultOf("cat", 0.5)))
	count := func(want int) {
		t.Helper()
		n, err := l.ClockSteps(t.Context())
		must(t, err)
		equal(t, "steps", n, want)
	}
	for n := range 40 {
		c.pass(time.Minute)
		c.jump(time.Hour)
		accept(t, l)
		count(min(n+1, 16))
	}
	if _, err := l.Sweep(t.Context(), c.wall); err != nil {
		t.Fatal(err)
	}
	jobOf(t, l, done.ID) // it is 40 minutes old
	c.pass(ledger.DefaultConfig().MaxAge + time.Hour)
	if _, err := l.Sweep(t.Context(), c.wall); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Jobs.Job(t.Context(), done.ID); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("past its age: %v, want ErrNotFound", err)
	}
	count(0)
}

// Ids stay unique while the clock is stopped, and do not determine the order.
func TestIDsWithStoppedClock(t *testing.T) {
	c := &machine{wall: time.Unix(0, 0)}
	l := openWith(t, t.TempDir(), c)
	seen := map[string]bool{}
	for _, id := range acceptMany(t, l, 300) {
		if id == "" || seen[id] {
			t.Errorf("id %q comes twice", id)
		}
		seen[id] = true
	}
}

// Retry-After is derived from measured time.
func TestRetryAfterClockJump(t *testing.T) {
	for name, jump := range jumps {
		t.Run(name, func(t *testing.T) {
			config := quiet()
			config.MaxQueued = 1
			c := &machine{wall: jump.boot}
			l := open(t, t.TempDir(), config, clock(c.read))
			accept(t, l)
			c.pass(7 * time.Second)
			c.jump(jump.by)
			image := image("one too many")
			_, _, err := l.Jobs.Accept(t.Context(), specOf(image), image)
			var busy *edgelens.Busy
			if !errors.As(err, &busy) || busy.RetryAfter != 7*time.Second {
				t.Errorf("%v, %+v", err, busy)
			}
		})
	}
}

// When the clock is set, no undelivered event is dropped, no id of a record removed, and a command keeps its time to
// the deadline.
func TestOutboxAndCommandsMoveWithTheClock(t *testing.T) {
	for name, jump := range jumps {
		t.Run(name, func(t *testing.T) {
			c := &machine{wall: jump.boot}
			l := openWith(t, t.TempDir(), c)
			snapshot := reception("a", 1, withoutImage, func(r *edgelens.Reception) {
				r.Record.Kind, r.Record.ReceivedAt = edgelens.RecordSnapshot, c.wall
			})
			receive(t, l, snapshot)
			command, err := l.Commands.AddCommand(t.Context(), "a", []byte(`{}`), c.wall.Add(10*time.Minute))
			must(t, err)
			c.pass(5 * time.Minute)
			c.jump(jump.by)
			_, err = l.Sweep(t.Context(), c.wall)
			must(t, err)
			equal(t, "undelivered", len(outbox(t, l, "event", "a")), 1)
			if _, existing, err := l.Records.Receive(t.Context(), snapshot); err != nil || !existing {
				t.Errorf("the record that came before: existing %v, %v", existing, err)
			}
			moved, err := l.Commands.Command(t.Context(), command.ID)
			must(t, err)
			if left := moved.Deadline.Sub(c.wall); (left - 5*time.Minute).Abs() > time.Second {
				t.Errorf("the command has %v left, want 5m", left)
			}
		})
	}
}

package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"edgelens/benchmarks/hostile"
	"edgelens/benchmarks/proc"
)

// The bounds of one input.
const (
	answerWithin = 2.5      // seconds
	idleWithin   = 0.5      // seconds of CPU time after the answer
	maxLog       = 64 << 10 // bytes
	// busyAgain is how often an input is sent again in a check, while the service is busy.
	busyAgain = 5
)

// outcome is what an input did.
type outcome struct {
	Name string `json:"name"`
	Why  string `json:"why"`
	Want string `json:"want"`
	// Status is 0 where the connection was closed without an answer, or Error has why there is none.
	Status int    `json:"status"`
	Error  string `json:"error,omitempty"`
	Right  bool   `json:"right"`
	// Seconds is the time until the answer, CPU the service's CPU time, and Busy the part of it after the answer. Stuck is
	// whether it does not become idle again.
	Seconds float64 `json:"seconds"`
	Busy    float64 `json:"busy_cpu_seconds"`
	CPU     float64 `json:"cpu_seconds"`
	Stuck   bool    `json:"stuck"`
	// Memory is by how much its processes grew at most, Log what it logged, and Size the input's size; in bytes.
	Memory int64 `json:"memory_bytes"`
	Log    int64 `json:"log_bytes"`
	Size   int   `json:"size_bytes"`
}

func (o outcome) right() bool { return o.Right }

func (o outcome) answer() string {
	if o.Error != "" {
		return o.Error
	}
	if o.Status == 0 {
		return "closed"
	}
	return fmt.Sprint(o.Status)
}

// compareCost compares by what is bounded: the time, and then the memory.
func compareCost(a, b outcome) int {
	return cmp.Or(cmp.Compare(a.Seconds+a.Busy, b.Seconds+b.Busy), cmp.Compare(a.Memory, b.Memory))
}

func (o outcome) cells() []string {
	after := fmt.Sprintf("%.2f s", o.Seconds)
	if o.Stuck {
		after += ", and then it works on"
	}
	return []string{o.Name + ": " + o.Why, o.answer(), after, fmt.Sprintf("%.2f s, %.2f of it afterwards", o.CPU, o.Busy), fmt.Sprintf("%d MB", o.Memory>>20),
		fmt.Sprintf("%d kB", o.Log>>10), fmt.Sprintf("%d kB", o.Size>>10)}
}

// inputsRow sends each input alone, from its own connection.
func inputsRow(ctx context.Context, b *bench) error {
	s, err := b.start(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = s.kill() }() // the last one; row stop measures an end
	ends := 0
	for input := range b.corpus(ctx) {
		o := b.try(ctx, s, input)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		b.results.Inputs = append(b.results.Inputs, o)
		if o.Seconds > 1 || o.Memory > 200<<20 || !o.Right || o.Busy > idleWithin {
			progress("  %s: %s (wanted %s) after %.2f s, CPU %.2f s, %.2f of it afterwards, %d MB", o.Name, o.answer(), o.Want, o.Seconds, o.CPU, o.Busy, o.Memory>>20)
		}
		if s.alive() && !o.Stuck && o.Error == "" {
			continue
		}
		if !s.alive() {
			ends++
			progress("  %s ENDED THE PROCESS: %s", o.Name, s.logTail())
		}
		// An interpreter may be busy forever, which is not the next input's doing.
		if err := s.kill(); err != nil {
			return err
		}
		if s, err = b.start(ctx); err != nil {
			return err
		}
	}
	b.inputFigures(ends)
	return nil
}

func (b *bench) inputFigures(ends int) {
	var slowest, busiest, loudest, most outcome
	var unanswered, wrong, stuck []string
	for _, o := range b.results.Inputs {
		if o.Stuck {
			stuck = append(stuck, o.Name)
		}
		switch {
		case o.Error != "":
			unanswered = append(unanswered, o.Name)
		case !o.Right:
			wrong = append(wrong, fmt.Sprintf("%s: %s", o.Name, o.answer()))
		}
		slowest = larger(slowest, o, o.Seconds > slowest.Seconds)
		busiest = larger(busiest, o, o.Busy > busiest.Busy)
		loudest = larger(loudest, o, o.Log > loudest.Log)
		most = larger(most, o, o.Memory > most.Memory)
	}
	slow := 0
	for _, o := range b.results.Inputs {
		if o.Seconds > answerWithin {
			slow++
		}
	}
	all := len(b.results.Inputs)
	b.results.atMost("inputs", "processes that ended", count, float64(ends), 0, fmt.Sprintf("%d inputs", all))
	b.results.atMost("inputs", "not answered", count, float64(len(unanswered)), 0, first(unanswered))
	b.results.atMost("inputs", "slowest answer", seconds, slowest.Seconds, answerWithin, fmt.Sprintf("%s; %d of %d take longer than wanted", slowest.Name, slow, all))
	b.results.atMost("inputs", "CPU time after an answer", seconds, busiest.Busy, idleWithin, busiest.Name)
	if !b.check {
		b.results.atMost("inputs", "after which the service never rests", count, float64(len(stuck)), 0, first(stuck))
	}
	b.results.atMost("inputs", "other answers than wanted", count, float64(len(wrong)), 0, first(wrong))
	b.results.atMost("inputs", "log of one input", "kB", float64(loudest.Log>>10), maxLog>>10, loudest.Name)
	b.results.note("the input that takes the most memory alone is %s: %d MB", most.Name, most.Memory>>20)
}

func larger(a, b outcome, isLarger bool) outcome {
	if isLarger {
		return b
	}
	return a
}

// first are the first few of a list.
func first(list []string) string {
	const shown = 5
	text := strings.Join(list[:min(shown, len(list))], ", ")
	if len(list) > shown {
		text += fmt.Sprintf(" and %d more", len(list)-shown)
	}
	return text
}

// try sends one input.
func (b *bench) try(ctx context.Context, s *service, input hostile.Input) outcome {
	o := outcome{Name: input.Name, Why: input.Why, Want: input.Want.String()}
	data := input.Bytes()
	o.Size = len(data)
	c := s.client(100)
	c.timeout = b.plan.timeout
	defer c.close()
	peak, log, cpu := s.watchPeak(), s.logSize(), s.cpu()
	begin := time.Now()
	a, err := b.sendInput(ctx, c, input, data)
	for again := 0; b.check && err == nil && a.status == http.StatusServiceUnavailable && again < busyAgain; again++ {
		pause(ctx, a.retryAfter) // the machine is too slow for the next image at once
		a, err = b.sendInput(ctx, c, input, data)
	}
	o.Seconds, o.Status = time.Since(begin).Seconds(), a.status
	if err != nil {
		o.Error = class(err)
	} else {
		o.Seconds = a.took.Seconds()
		if o.Right = input.Want.Met(a.status); input.Request {
			o.Right = input.Want.MetByRequest(a.status)
		}
	}
	answered := s.cpu()
	if input.Heavy || o.Seconds > 0.2 && !b.check { // others' work could be taken for its own
		o.Stuck = !s.idle(ctx, b.plan.timeout)
	}
	o.Busy = (s.cpu() - answered).Seconds()
	o.CPU, o.Memory, o.Log = (s.cpu() - cpu).Seconds(), s.growth(peak), s.logSize()-log
	return o
}

// sendInput sends an input once.
func (b *bench) sendInput(ctx context.Context, c *client, input hostile.Input, data []byte) (answer, error) {
	if input.Request {
		return c.whole(ctx, data)
	}
	return c.send(ctx, built{input, data}.request(c, b.serial.Add(1)))
}

// idle waits until the service is idle: twice in a row no thread of it runs, or waits for a processor that others use,
// and it took next to no CPU time. It returns false where it is busy for longer than timeout.
func (s *service) idle(ctx context.Context, timeout time.Duration) bool {
	const step = 50 * time.Millisecond
	quiet := 0
	for begin := time.Now(); s.alive() && time.Since(begin) < timeout; {
		before := s.cpu()
		if !pause(ctx, step) {
			break
		}
		threads, err := proc.Runnable(s.pid())
		if quiet++; err != nil || threads > 0 || s.cpu()-before > step/2 {
			quiet = 0
		}
		if quiet == 2 {
			return true
		}
	}
	return false
}

// watchPeak begins to watch the memory of the processes, and returns what each has now, by its number.
func (s *service) watchPeak() map[int]int64 {
	now := map[int]int64{}
	processes, err := proc.Tree(s.pid())
	if err != nil {
		return now // it has ended
	}
	for pid := range processes {
		if bytes, err := proc.Resident(pid); err == nil && proc.ResetPeak(pid) == nil { // an error means it ended meanwhile
			now[pid] = bytes
		}
	}
	return now
}

// growth is by how much the processes grew since watchPeak, at most and together.
func (s *service) growth(before map[int]int64) int64 {
	var sum int64
	for pid, bytes := range before {
		if peak, err := proc.PeakResident(pid); err == nil { // an error means it ended meanwhile
			sum += max(0, peak-bytes)
		}
	}
	return sum
}

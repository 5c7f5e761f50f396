package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"edgelens"
	"edgelens/models"
	"edgelens/preprocess"
)

const (
	// maxWait is how long an image waits for a helper: there are as many as images are decoded
	// at a time, so it waits while one is started.
	maxWait = 5 * time.Second
	// maxIdle is how long a helper that is not needed lives on, minIdle how long where one of the other priority is needed, and
	// shortIdle how long where an image needs its memory.
	maxIdle, minIdle, shortIdle = 15 * time.Second, time.Second, 250 * time.Millisecond
	// maxGarbage is how many bytes an image may leave for Go's collector in a helper: the
	// memory limit of the next image would count them, as the collector returns no addresses.
	maxGarbage = 16 << 20
)

// pool has the helpers of one thread priority. It is safe for concurrent use.
type pool struct {
	options launch
	log     *slog.Logger
	timeout time.Duration
	// size is how many helpers there may be, and keep how many stay while they have nothing
	// to do.
	size, keep int
	// other is the pool of the other thread priority: what both have at a time is little more than either may have.
	other *pool
	// first is closed once the first helper is up, or could not be started.
	first chan struct{}

	mu      sync.Mutex
	idle    []*helper // the last used at the end
	alive   map[*helper]bool
	waiting []chan *helper // those who wait for a helper, first come, first served
	// starting is how many are being started, begun has those of them with a process, and started is how many ever were
	// up.
	starting int
	begun    map[*helper]bool
	started  uint64
	startErr error // of the last start that failed
	failed   startFailures
	closed   bool
	messages uint64 // of helpers that have ended
	shrink   *time.Timer
	lives    sync.WaitGroup
}

func newPool(options launch, config Config, log *slog.Logger, size, keep int) *pool {
	return &pool{options: options, log: log, timeout: config.Timeout, size: size, keep: keep, first: make(chan struct{}), alive: map[*helper]bool{}, begun: map[*helper]bool{}}
}

// open starts the helpers that stay.
func (p *pools) open() *pools {
	p.usual.other, p.background.other = p.background, p.usual
	for _, p := range []*pool{p.usual, p.background} {
		p.mu.Lock()
		for range p.keep {
			p.start()
		}
		p.mu.Unlock()
	}
	return p
}

// start starts a helper, in the background. It must be called with the lock held.
func (p *pool) start() {
	if p.closed || len(p.alive)+p.starting >= p.size {
		return
	}
	p.starting++
	p.lives.Go(p.live)
}

// live is the life of a helper, and of the thread that started it, with which the kernel ends it: none outlives this process.
func (p *pool) live() {
	thread := p.options.starter()
	defer thread.end()
	p.other.giveWay(1, minIdle)
	h, err := p.options.start(thread, p.begin)
	if !p.up(h, err) {
		return
	}
	h.awaitEnd()
	p.mu.Lock()
	defer p.mu.Unlock()
	h.reap()
	delete(p.alive, h)
	p.messages += h.messageCount()
	p.idle = slices.DeleteFunc(p.idle, func(other *helper) bool { return other == h })
	if !h.busy {
		h.close()
	}
	// One that ended before it had an image is not replaced before one is needed: the next
	// might end as soon.
	if !h.dismissed && (h.used || len(p.waiting) > 0) {
		p.start()
	}
}

// begin notes the process of a helper that is being started, so that close can kill it.
func (p *pool) begin(h *helper) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begun[h] = true
	if p.closed {
		h.kill()
	}
}

// up adds a helper that was started; false if it was not, or is not wanted any more.
func (p *pool) up(h *helper, err error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.starting--
	delete(p.begun, h)
	if err != nil {
		p.startErr = err
		if !p.closed {
			p.failed.add(err)
		}
		if p.started > 0 && !p.closed {
			p.log.Warn("decode helper could not be started", "event", "decode_helper_start", "reason", err)
		}
		p.wake(nil)
		for p.hopeless() && len(p.waiting) > 0 {
			p.wake(nil)
		}
	} else {
		p.alive[h] = true
		if p.started++; p.started == 1 {
			p.log.Info("images are decoded in helper processes", "seccomp", h.protection.Seccomp, "landlock", h.protection.Landlock, "timeout", p.timeout)
			if !h.protection.Seccomp {
				p.log.Warn("decode helpers are limited in time and memory only: this kernel has no seccomp filters", "event", "decode_unconfined")
			}
		}
		if p.closed {
			h.dismiss()
		} else {
			p.offer(h)
		}
	}
	select {
	case <-p.first:
	default:
		close(p.first)
	}
	return err == nil
}

// add counts a start that failed.
func (f *startFailures) add(err error) {
	if errors.Is(err, errStartTimeout) {
		f.timeout++
		return
	}
	f.other++
}

// offer gives a helper that is free to the first who waits, or keeps it. It must be called
// with the lock held.
func (p *pool) offer(h *helper) {
	if len(p.waiting) > 0 {
		h.busy, h.used = true, true
		p.wake(h)
		return
	}
	h.busy, h.since = false, time.Now()
	p.idle = append(p.idle, h)
	if len(p.idle) > p.keep && p.shrink == nil {
		p.shrink = time.AfterFunc(maxIdle, p.dismissIdle)
	}
}

// wake hands h to the first who waits; nil means that there will be none.
func (p *pool) wake(h *helper) {
	if len(p.waiting) > 0 {
		p.waiting[0] <- h // has room
		p.waiting = p.waiting[1:]
	}
}

// dismissIdle ends helpers that had nothing to do for long.
func (p *pool) dismissIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shrink = nil
	p.endIdle(p.size, maxIdle)
	if len(p.idle) > p.keep && !p.closed {
		p.shrink = time.AfterFunc(maxIdle, p.dismissIdle)
	}
}

// giveWay ends up to so many helpers that have had nothing to do for that long, but for those that stay.
func (p *pool) giveWay(most int, idle time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endIdle(most, idle)
}

// endIdle is giveWay with the lock held.
func (p *pool) endIdle(most int, idle time.Duration) {
	for ; most > 0 && len(p.idle) > p.keep && time.Since(p.idle[0].since) >= idle; most-- {
		p.idle[0].dismiss()
		p.idle = p.idle[1:]
	}
}

// take returns a helper that must be given back. It waits for one up to maxWait. The error is an *edgelens.Busy, errNeverStarted, or edgelens.ErrStopping.
func (p *pool) take() (*helper, error) {
	p.mu.Lock()
	if err := p.refusal(); err != nil {
		p.mu.Unlock()
		return nil, err
	}
	if n := len(p.idle); n > 0 {
		h := p.idle[n-1]
		p.idle = p.idle[:n-1]
		h.busy, h.used = true, true
		p.mu.Unlock()
		return h, nil
	}
	turn := make(chan *helper, 1)
	p.waiting = append(p.waiting, turn)
	if p.starting < len(p.waiting) {
		p.start()
	}
	p.mu.Unlock()

	timer := time.NewTimer(maxWait)
	defer timer.Stop()
	select {
	case h := <-turn:
		return p.taken(h)
	case <-timer.C:
	}
	p.mu.Lock()
	at := slices.Index(p.waiting, turn)
	if at >= 0 {
		p.waiting = slices.Delete(p.waiting, at, at+1)
	}
	p.mu.Unlock()
	if at < 0 { // it came just now
		return p.taken(<-turn)
	}
	return nil, fmt.Errorf("decode the image: %w", &edgelens.Busy{RetryAfter: time.Second, Reason: "no decode helper was free in time"})
}

// taken returns what was waited for.
func (p *pool) taken(h *helper) (*helper, error) {
	if h != nil {
		return h, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.refusal(); err != nil {
		return nil, err
	}
	return nil, notStarted(p.startErr)
}

// refusal is why no helper can be had at all; nil if one can. It must be called with the
// lock held.
func (p *pool) refusal() error {
	switch {
	case p.closed:
		return fmt.Errorf("decode the image: %w: the preprocessing is closed; try again once the service has restarted", edgelens.ErrStopping)
	case p.hopeless():
		return fmt.Errorf("%w: %w", errNeverStarted, p.startErr)
	}
	return nil
}

// hopeless reports whether the very first helper could not be started: it is not tried again.
// It must be called with the lock held.
func (p *pool) hopeless() bool { return p.keep > 0 && p.started == 0 && p.startErr != nil }

// give takes a helper back. spent means that it is to be replaced.
func (p *pool) give(h *helper, spent bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h.busy = false
	switch {
	case h.dead:
		h.close()
	case h.condemned.Load(): // live closes it
	case p.closed:
		h.dismiss()
	case spent:
		// Counted as gone, so that another is started at once.
		delete(p.alive, h)
		h.dismiss()
		p.start()
	default:
		p.offer(h)
	}
}

// decode implements helpers.
func (p *pool) decode(plan preprocess.Plan, encoded []byte, into []models.InputBuffer) (models.Filled, error) {
	h, err := p.take()
	if err != nil {
		return models.Filled{}, err
	}
	defer p.give(h, plan.Garbage > maxGarbage)
	_, tensors := layout(targetsOf(into))
	if !p.grant(h, plan.Memory, tensors) {
		return models.Filled{}, notStarted(errors.New("it ended before it had the image"))
	}
	filled, err := h.decode(p.timeout, plan, encoded, into)
	var end *death
	if errors.As(err, &end) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.closed { // its end is ours
			return models.Filled{}, p.refusal()
		}
	}
	return filled, err
}

// grant raises the helper's limits for an image; false if it has ended.
func (p *pool) grant(h *helper, memory int64, tensors int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h.dead { // its number may be that of another process now
		return false
	}
	h.grant(memory, tensors, p.timeout)
	return true
}

func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	if p.shrink != nil {
		p.shrink.Stop()
	}
	for h := range p.alive {
		h.kill()
	}
	for h := range p.begun {
		h.kill()
	}
	for len(p.waiting) > 0 {
		p.wake(nil)
	}
	p.mu.Unlock()
	p.lives.Wait()
}

// pools are the helpers of both thread priorities: work that no client waits for must not
// be decoded at the usual one.
type pools struct{ usual, background *pool }

func newHelpers(config Config, parts Parts) (helpers, error) {
	if !hooked.Load() {
		return nil, errors.New("this program does not call sandbox.Main")
	}
	size := max(1, parts.Helpers)
	p := &pools{
		usual:      newPool(launch{settings: parts.Settings, timeout: startTimeout}, config, parts.Log, size, 1),
		background: newPool(launch{settings: parts.Settings, background: true, timeout: startTimeout}, config, parts.Log, size, 0),
	}
	return p.open(), nil
}

func (p *pools) decode(low bool, plan preprocess.Plan, encoded []byte, into []models.InputBuffer) (models.Filled, error) {
	if low {
		return p.background.decode(plan, encoded, into)
	}
	return p.usual.decode(plan, encoded, into)
}

func (p *pools) ready(ctx context.Context) error {
	select {
	case <-p.usual.first:
	case <-ctx.Done():
		return ctx.Err()
	}
	p.usual.mu.Lock()
	defer p.usual.mu.Unlock()
	return p.usual.refusal()
}

func (p *pools) relieve() {
	for _, p := range []*pool{p.usual, p.background} {
		p.giveWay(p.size, shortIdle)
	}
}

func (p *pools) states() (s states) {
	for _, p := range []*pool{p.usual, p.background} {
		p.mu.Lock()
		s.idle += len(p.idle)
		s.busy += len(p.alive) - len(p.idle)
		s.starting += p.starting
		s.started += p.started
		s.failed.timeout += p.failed.timeout
		s.failed.other += p.failed.other
		s.messages += p.messages
		for h := range p.alive {
			s.messages += h.messageCount()
			s.protection = h.protection
		}
		p.mu.Unlock()
	}
	return s
}

func (p *pools) close() {
	p.background.close()
	p.usual.close()
}

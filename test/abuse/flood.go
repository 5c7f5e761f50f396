package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"edgelens/benchmarks/load"
)

const (
	// interruptEvent is the number of the interrupt in epoll; those of connections are the numbers of their visitors.
	interruptEvent = -1
	// eventBatch is how many connections are handled before requests that are due, and sendBatch how many of these are sent
	// before other connections are handled: answers do not wait for a flood that is late.
	eventBatch, sendBatch = 64, 16
	// readSize is the size of the buffer for answers, and maxAnswer that of the longest answer, in bytes.
	readSize  = 64 << 10
	maxAnswer = 1 << 20
	// tick is how long the thread rests while a flood is on.
	tick = time.Millisecond
)

// flooding is an open loop of visitors. It belongs to one goroutine on a thread of its own, which sleeps until a
// connection changes or a request is due, and in a flood for a tick, so that it handles together what has arrived and is due:
// each time that it wakes costs the service what its core's caches had. CPU time that it takes is CPU time that a service on the
// same machine lacks: a request costs little more than the kernel's work.
type flooding struct {
	to      netip.AddrPort
	timeout time.Duration
	request func() [][]byte
	begin   time.Time

	epoll, interrupt int
	events           [eventBatch]unix.EpollEvent
	buffer           []byte

	visitors []visitor
	free     []*visitor // the one that was used longest ago is first
	busy     int
	upcoming []time.Duration // when the requests that are not sent yet are due
	// answers are the visitors that wait for answers, and rests those that still send what was answered.
	answers, rests timers
	samples        []load.Sample
}

// flood sends requests when they are due, by up to so many clients with an address each, as load.Open does: a request
// without a free client waits, and its latency counts from its due time. The client that was used longest ago sends the
// next one, so that all connections are in use. A request is late by up to a tick, and by what the machine's other work delays
// the thread, which hurries: Sent has both. Done is when the kernel has received the last of the answer: it is read
// up to a tick later. An answer in any other form than parseHead
// understands is an error in the samples. The request's parts are sent without copies, and must not change.
// The error is ctx's, or of a system call.
func flood(ctx context.Context, address string, clients int, timeout time.Duration, schedule []time.Duration, window time.Duration, request func() [][]byte) (*load.Result, error) {
	to, err := netip.ParseAddrPort(address)
	if err != nil || !to.Addr().Is4() {
		return nil, fmt.Errorf("a flood needs an IPv4 address and a port, not %q", address)
	}
	f := &flooding{to: to, timeout: timeout, request: request, buffer: make([]byte, readSize), visitors: make([]visitor, clients),
		upcoming: schedule, samples: make([]load.Sample, 0, len(schedule))}
	for i := range f.visitors {
		from, _ := netip.AddrFromSlice(addressOf(i).To4()) // of four bytes
		f.visitors[i] = visitor{number: i, from: from, fd: -1}
		f.free = append(f.free, &f.visitors[i])
	}
	defer f.close()
	if err := f.open(); err != nil {
		return nil, err
	}
	defer f.interruptAfter(ctx)()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer hurry()()
	places := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(places + 1) // sleep keeps one
	defer runtime.GOMAXPROCS(places)
	f.begin = time.Now()
	if err := f.run(ctx); err != nil {
		return nil, err
	}
	return load.NewResult(f.begin, window, f.samples), ctx.Err()
}

// open makes the files other than connections. The caller closes them, even after an error.
func (f *flooding) open() (err error) {
	f.epoll, f.interrupt = -1, -1
	if f.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("open epoll: %w", err)
	}
	if f.interrupt, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return fmt.Errorf("open an eventfd: %w", err)
	}
	if err := unix.EpollCtl(f.epoll, unix.EPOLL_CTL_ADD, f.interrupt, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: interruptEvent}); err != nil {
		return fmt.Errorf("add to epoll: %w", err)
	}
	return nil
}

func (f *flooding) close() {
	for i := range f.visitors {
		f.visitors[i].close()
	}
	for _, fd := range []int{f.epoll, f.interrupt} {
		if fd >= 0 {
			_ = unix.Close(fd) // nothing is pending
		}
	}
}

// interruptAfter has epoll return once ctx ends. The returned function ends that.
func (f *flooding) interruptAfter(ctx context.Context) (stop func()) {
	done := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(done)
		_, _ = unix.Write(f.interrupt, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // takes 2^64-2 of them
	})
	return func() {
		if !cancel() {
			<-done
		}
	}
}

// run ends when all requests are answered, or ctx ends.
func (f *flooding) run(ctx context.Context) error {
	for {
		f.expire()
		f.sendDue()
		if ctx.Err() != nil || len(f.upcoming) == 0 && f.busy == 0 {
			return nil
		}
		if err := f.await(); err != nil {
			return err
		}
	}
}

func (f *flooding) now() time.Duration { return time.Since(f.begin) }

// sendDue sends some of the requests that are due and have a client.
func (f *flooding) sendDue() {
	for range sendBatch {
		now := f.now()
		if len(f.upcoming) == 0 || len(f.free) == 0 || f.upcoming[0] > now {
			return
		}
		v := f.free[0]
		f.free = f.free[1:]
		f.busy++
		v.busy, v.due, v.sent, v.request = true, f.upcoming[0], now, f.request()
		f.upcoming = f.upcoming[1:]
		f.exchange(v)
	}
}

// exchange sends a visitor's request.
func (f *flooding) exchange(v *visitor) {
	v.prepare()
	f.answers.add(v, f.now()+f.timeout)
	if v.fd < 0 {
		if err := v.open(f.epoll, f.to); err != nil {
			f.fail(v, err)
			return
		}
	}
	v.write()
	if v.writeErr != nil {
		f.advance(v) // epoll may have reported it already
	}
}

// await handles what happens on connections, or waits until something is to be sent or ends.
func (f *flooding) await() error {
	wait := forever
	if at, ok := f.nextTimer(); ok {
		if wait = max(0, at-f.now()); f.busy > 0 || wait < tick {
			rest(tick)
			wait = 0
		}
	}
	n, err := sleep(f.epoll, f.events[:], wait)
	if err != nil {
		return fmt.Errorf("wait for connections: %w", err)
	}
	for _, event := range f.events[:n] {
		if event.Fd != interruptEvent {
			f.advance(&f.visitors[event.Fd])
		}
	}
	return nil
}

// nextTimer is when something is to be done even if nothing happens on connections.
func (f *flooding) nextTimer() (at time.Duration, ok bool) {
	if len(f.free) > 0 && len(f.upcoming) > 0 {
		at, ok = f.upcoming[0], true
	}
	for _, timers := range []*timers{&f.answers, &f.rests} {
		if t, set := timers.first(); set && (!ok || t.at < at) {
			at, ok = t.at, true
		}
	}
	return at, ok
}

// advance goes on with a visitor after a change of its connection.
func (f *flooding) advance(v *visitor) {
	switch {
	case v.fd < 0: // closed since
	case !v.busy:
		if _, err := v.read(f.buffer); !errors.Is(err, errNothing) {
			v.close() // the server closed it, or sends what was not requested
		}
	default:
		v.write()
		if !v.answered {
			f.receive(v)
		}
		if v.busy && v.answered && (len(v.unsent) == 0 || v.writeErr != nil) {
			f.release(v)
		}
	}
}

// receive reads what has arrived of an answer.
func (f *flooding) receive(v *visitor) {
	for {
		n, err := v.read(f.buffer)
		switch {
		case errors.Is(err, errNothing):
			return
		case err == nil:
		case v.reused && len(v.received) == 0: // it was idle, and the server has closed it meanwhile
			v.close()
			f.exchange(v)
			return
		case !v.connected:
			f.fail(v, errNoConnection)
			return
		default:
			f.fail(v, errNoAnswer)
			return
		}
		data := f.buffer[:n]
		if len(v.received) > 0 {
			v.received = append(v.received, data...)
			data = v.received
		}
		head, err := parseHead(data)
		switch {
		case err != nil && !errors.Is(err, errIncomplete):
			f.fail(v, err)
			return
		case err == nil && len(data) == head.length:
			v.keep = head.keep && n < len(f.buffer) // else more may have arrived
			f.answered(v, head.status)
			return
		case err == nil && (len(data) > head.length || head.length > maxAnswer):
			f.fail(v, fmt.Errorf("%w: %d of %d bytes", errBadAnswer, len(data), head.length))
			return
		case len(v.received) == 0:
			v.received = append(v.received, data...)
		}
	}
}

// answered stores the sample of an answer. The rest of the request may still be sent for a while.
func (f *flooding) answered(v *visitor, status int) {
	v.answered = true
	done := f.now()
	if !v.arrived.IsZero() { // by the system's clock, which may have been set meanwhile
		done = min(done, max(v.sent, v.arrived.Sub(f.begin.Round(0))))
	}
	if status == 200 {
		f.sample(v, load.Good, done)
	} else {
		f.sample(v, strconv.Itoa(status), done)
	}
	if len(v.unsent) > 0 {
		f.rests.add(v, f.now()+writeGrace)
	}
}

// fail stores the sample of an error, and closes the connection.
func (f *flooding) fail(v *visitor, err error) {
	f.sample(v, class(err), f.now())
	v.close()
	f.release(v)
}

func (f *flooding) sample(v *visitor, status string, done time.Duration) {
	f.samples = append(f.samples, load.Sample{Worker: v.number, Due: v.due, Sent: v.sent, Done: done, Status: status})
}

// release frees a visitor for the next request.
func (f *flooding) release(v *visitor) {
	if !v.keep || !v.answered || len(v.unsent) > 0 {
		v.close()
	}
	v.reused, v.busy = true, false
	f.busy--
	f.free = append(f.free, v)
}

// expire ends exchanges that take too long.
func (f *flooding) expire() {
	for {
		t, ok := f.answers.first()
		if !ok || t.at > f.now() {
			break
		}
		if t.visitor.connected {
			f.fail(t.visitor, errTimeout)
		} else {
			f.fail(t.visitor, errNoConnection)
		}
	}
	for {
		t, ok := f.rests.first()
		if !ok || t.at > f.now() {
			break
		}
		f.release(t.visitor)
	}
}

// timers are those of one delay: the first that was set is the first to elapse.
type timers []timer

// timer bounds a part of an exchange: until the answer, or after it.
type timer struct {
	visitor  *visitor
	exchange uint64
	answered bool
	at       time.Duration
}

func (t *timers) add(v *visitor, at time.Duration) {
	*t = append(*t, timer{v, v.begun, v.answered, at})
}

// first is the timer that elapses next. It drops those of what has ended.
func (t *timers) first() (timer, bool) {
	for len(*t) > 0 {
		next := (*t)[0]
		if v := next.visitor; v.busy && v.begun == next.exchange && v.answered == next.answered {
			return next, true
		}
		*t = (*t)[1:]
	}
	return timer{}, false
}

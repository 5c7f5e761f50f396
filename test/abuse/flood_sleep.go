package main

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// forever has sleep wait for events only.
const forever time.Duration = -1

// sleep is epoll_pwait2 (Linux 5.11), which unlike epoll_wait is not bound to whole milliseconds. It returns 0 events
// after a signal.
//
// Go's scheduler does not learn that this thread sleeps. Otherwise, it would take the thread's place among the running ones
// away and return it, a thousand times a second, which costs half as much CPU time as all other work of a flood. What
// needs the thread to stop, such as the garbage collector, sends it signals until it does, and a signal ends this call.
func sleep(epoll int, events []unix.EpollEvent, wait time.Duration) (int, error) {
	var timeout *[2]int64 // seconds and nanoseconds, on 32-bit machines, too
	if wait != forever {
		timeout = &[2]int64{int64(wait / time.Second), int64(wait % time.Second)}
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(epoll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)),
		uintptr(unsafe.Pointer(timeout)), 0, 0)
	switch errno {
	case 0:
		return int(n), nil
	case unix.EINTR:
		return 0, nil
	}
	return 0, errno
}

// rest sleeps for that time, or until a signal, and like sleep hides that from Go's scheduler.
func rest(length time.Duration) {
	request := unix.NsecToTimespec(int64(length))
	_, _, _ = unix.RawSyscall6(unix.SYS_CLOCK_NANOSLEEP, unix.CLOCK_MONOTONIC, 0, uintptr(unsafe.Pointer(&request)), 0, 0, 0)
}

// hurry has the calling thread run as soon as it wakes, as if it were on another machine: where that is allowed, at a real-time
// priority, and else with short time slices (sched_setattr(2); slices since Linux 6.12). Without both, a flood is later, which
// its samples show. The returned function ends that.
func hurry() (end func()) {
	former, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		return func() {}
	}
	hurried := *former
	hurried.Policy, hurried.Priority, hurried.Runtime = unix.SCHED_FIFO, 1, 0
	if unix.SchedSetAttr(0, &hurried, 0) != nil {
		hurried = *former
		hurried.Runtime = uint64(shortSlice)
		_ = unix.SchedSetAttr(0, &hurried, 0)
	}
	return func() { _ = unix.SchedSetAttr(0, former, 0) }
}

// shortSlice is less than what a thread with usual slices gets at a time, which is a few milliseconds.
const shortSlice = 100 * time.Microsecond

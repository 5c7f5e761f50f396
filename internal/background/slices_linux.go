package background

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// longSlice is a time slice that no run outlasts often; usual ones are about 3 ms.
const longSlice = 50 * time.Millisecond

// Yield lets the calling thread, to which its goroutine must be locked, make way for any
// other one at once: it has long time slices, so that threads with usual ones that become
// runnable go ahead of it. Its share of the processor stays the same (sched_setattr(2); Linux
// 6.12 and later, without an effect on others). The error means that it was not allowed.
func Yield() error {
	attributes, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		return fmt.Errorf("read the scheduling of the thread: %w", err)
	}
	attributes.Runtime = uint64(longSlice)
	if err := unix.SchedSetAttr(0, attributes, 0); err != nil {
		return fmt.Errorf("give the thread long time slices: %w", err)
	}
	return nil
}

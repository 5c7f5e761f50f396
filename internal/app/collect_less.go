package app

import (
	"runtime/debug"
	"sync"
)

// startGrowth is by how many percent the heap grows during the start before garbage is collected, which took a tenth of the
// start: at first, the heap is so small that it doubles every few milliseconds.
const startGrowth = 400

// collectLess sets startGrowth, and returns a function that sets what was set before and gives back the memory of the start:
// loading and checking the model needs several times its size.
func collectLess() (end func()) {
	former := debug.SetGCPercent(startGrowth)
	if former < 0 || former > startGrowth { // by GOGC
		debug.SetGCPercent(former)
	}
	return sync.OnceFunc(func() {
		debug.SetGCPercent(former)
		debug.FreeOSMemory()
	})
}

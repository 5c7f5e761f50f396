package app

import (
	"os"
	"runtime"
	"sync"
)

var procs sync.Once

// addProcs lets Go run goroutines on every core beside the interpreters. A thread in C counts as one that runs a
// goroutine until Go's monitor, which looks once a millisecond, finds that it does not: where interpreters are as many as
// cores, a request, a record or a health check would wait for that at each of its steps. Threads beyond the cores are not
// a burden, since those of the interpreters make way (background.Yield). GOMAXPROCS has precedence.
func addProcs(interpreters int) {
	if os.Getenv("GOMAXPROCS") != "" {
		return
	}
	procs.Do(func() { runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + interpreters) })
}

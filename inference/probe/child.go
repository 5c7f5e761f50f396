package probe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"edgelens/inference"
)

// childArgument is the only argument of a process that tries a model.
const childArgument = "try-model"

// task is the input of such a process on standard input.
type task struct {
	Path    string
	Options inference.Options
	Pool    inference.PoolConfig
	// MemoryBytes is how much more memory the process may use, and Seconds how
	// much time of each processor.
	MemoryBytes int64
	Seconds     uint64
}

// verdict is its result on standard output. A process that ends without
// one was ended by the model.
type verdict struct {
	Passed bool
	// Reason is why the model cannot be used, and Words the runtime's message.
	Reason, Detail string
	// Accelerator and AcceleratorReason are those of an inference.AcceleratorError.
	Accelerator, AcceleratorReason string
}

// hooked is whether Main was called: only such a program can try a model.
var hooked atomic.Bool

// Main enables the program, or a test binary, to try models: if the process
// was started for that, Main does it and ends the process; otherwise it returns
// at once. To be called first in main or TestMain.
func Main(backend inference.Backend) {
	if len(os.Args) == 2 && os.Args[1] == childArgument && os.Getenv(childVariable) == childArgument {
		os.Exit(child(backend, os.Stdin, os.Stdout))
	}
	hooked.Store(true)
}

// child tries one model and returns the exit status.
func child(backend inference.Backend, in io.Reader, out io.Writer) int {
	var t task
	if err := json.NewDecoder(in).Decode(&t); err != nil {
		fmt.Fprintln(os.Stderr, "read the task:", err) // there is no other output
		return exitNotTried
	}
	if err := limit(t.MemoryBytes, t.Seconds); err != nil {
		fmt.Fprintln(os.Stderr, "limit the process:", err) // there is no other output
		return exitNotTried
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(t.Seconds)*time.Second)
	defer cancel()
	err := inference.Try(ctx, backend, t.Path, t.Options, t.Pool)
	v := verdict{Passed: err == nil}
	if err != nil {
		v.Reason = err.Error()
		var runtime *inference.RuntimeError
		if errors.As(err, &runtime) {
			v.Detail = runtime.Detail
		}
		var accelerator *inference.AcceleratorError
		if errors.As(err, &accelerator) {
			v.Accelerator, v.AcceleratorReason = accelerator.Accelerator, accelerator.Reason
		}
	}
	if err := json.NewEncoder(out).Encode(v); err != nil {
		return exitNotTried
	}
	return 0
}

// exitNotTried is the exit status for an error that is not the model's.
const exitNotTried = 70

// Package probe tries a model file in a child process before this one opens it.
//
// TensorFlow Lite is C++ that trusts its files: a file of 500 bytes can make it
// read out of bounds, abort, or allocate 10 GB. Package tflitefile rejects the errors
// that can be found by reading. For the others, a process of the same program loads
// the file as this one would, runs it on noise, and may crash. What passed is
// remembered by the digest of the file, the version of the runtime and the options,
// so that later starts are not slower.
package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"

	"edgelens"
	"edgelens/inference"
	"edgelens/models"
)

// childVariable marks the environment of a child, so that a user's argument of
// the same name is not taken for one.
const childVariable = "EDGELENS_TRY_MODEL"

// maxTrials bounds the children of one Prober at a time.
const maxTrials = 2

// Config configures how models are tried.
type Config struct {
	// Dir is the folder that remembers what passed; "" remembers it as
	// long as this Prober is used.
	Dir string
	// Runtime names the runtimes that try the model, with their versions.
	Runtime string
	// Environment are variables ("NAME=value") that the child gets besides those that find
	// libraries.
	Environment []string
	// Vetted are the digests ("sha256:" and hex) of the models that need no trial with
	// TensorFlow Lite: those that this program was developed and tested with.
	Vetted []string
	// Timeout is the maximum duration of a trial; 0 means four times the invoke
	// timeout.
	Timeout time.Duration
	// MemoryBytes is how much memory a trial may use; 0 means half of the
	// machine's, and at most 2 GiB.
	MemoryBytes int64
	Log         *slog.Logger
}

// Prober implements inference.Prober. It is safe for concurrent use.
type Prober struct {
	config Config
	vetted map[string]bool
	passed memory
	places chan struct{}
}

// New returns a Prober. The program must call Main first.
func New(config Config) *Prober {
	if config.MemoryBytes == 0 {
		config.MemoryBytes = trialBytes()
	}
	p := &Prober{config: config, vetted: map[string]bool{}, places: make(chan struct{}, maxTrials)}
	p.passed.dir = config.Dir
	for _, digest := range config.Vetted {
		p.vetted[digest] = true
	}
	return p
}

// Probe implements inference.Prober.
func (p *Prober) Probe(ctx context.Context, model models.Model, options inference.Options, pool inference.PoolConfig) error {
	isVetted := model.BuiltIn || p.vetted[model.Digest]
	if isVetted && options.Runtime != inference.RuntimeLiteRT && options.Accelerator == "" {
		return nil
	}
	key := p.key(model.Digest, options, pool)
	if model.Digest != "" && p.passed.has(key) {
		return nil
	}
	select {
	case p.places <- struct{}{}:
		defer func() { <-p.places }()
	case <-ctx.Done():
		return notTried(contextError(ctx))
	}
	start := time.Now()
	if err := p.try(ctx, model.Path, options, pool); err != nil {
		return err
	}
	p.config.Log.Info("model tried in a child process", "model", model.Name, "digest", model.Digest, "ms", time.Since(start))
	if model.Digest != "" {
		if err := p.passed.add(key, model.Digest, p.config.Runtime); err != nil {
			p.config.Log.Warn("storing the passed trial failed; the next start repeats it", "model", model.Name, "error", err)
		}
	}
	return nil
}

// key contains everything that a trial depends on.
func (p *Prober) key(digest string, o inference.Options, pool inference.PoolConfig) string {
	return fmt.Sprintf("v2 %s %s %s runtime=%s %s accelerator=%s threads=%d interpreters=%d", digest, p.config.Runtime, runtime.GOARCH,
		o.Runtime, o.Delegate, o.Accelerator, o.Threads, pool.Interpreters)
}

// try runs the child to its end.
func (p *Prober) try(ctx context.Context, path string, options inference.Options, pool inference.PoolConfig) error {
	if !hooked.Load() {
		return notTried(errors.New("this program does not call probe.Main"))
	}
	timeout := p.config.Timeout
	if timeout == 0 {
		timeout = 4 * pool.InvokeTimeout
	}
	input, err := json.Marshal(task{
		Path: path, Options: options, Pool: pool, MemoryBytes: p.config.MemoryBytes,
		Seconds: uint64(max(1, timeout/time.Second)),
	})
	if err != nil {
		return notTried(err)
	}
	trial, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	o := run(trial, input, p.config.Environment)
	switch {
	case o.startErr != nil:
		return notTried(o.startErr)
	case ctx.Err() != nil:
		return notTried(contextError(ctx))
	case trial.Err() != nil, o.signal() == syscall.SIGXCPU:
		return fmt.Errorf("%w: its trial run took more than %v", edgelens.ErrModel, timeout)
	}
	return p.verdictOf(o)
}

// verdictOf turns the end of a child into nil or an error.
func (p *Prober) verdictOf(o outcome) error {
	var v verdict
	if o.state.ExitCode() == 0 && json.Unmarshal(o.out.kept.Bytes(), &v) == nil {
		if v.Passed {
			return nil
		}
		reason := strings.TrimPrefix(v.Reason, edgelens.ErrModel.Error()+": ")
		err := &inference.RuntimeError{Sentence: reason, Detail: v.Detail}
		if v.Accelerator != "" {
			return &inference.AcceleratorError{Accelerator: v.Accelerator, Reason: v.AcceleratorReason, Err: err, Detail: v.Detail}
		}
		return err
	}
	words := strings.Join(strings.Fields(o.words.kept.String()), " ")
	switch {
	case o.state.ExitCode() == exitNotTried:
		return notTried(errors.New(words))
	case outOfMemory.MatchString(words),
		o.signal() == syscall.SIGKILL,                 // by the kernel, out of memory
		peakBytes(o.state) > p.config.MemoryBytes/4*3: // a failed allocation may end it in any way
		return &inference.RuntimeError{Detail: words, Sentence: fmt.Sprintf("it needs more memory than a model may have here, %d MB for all its interpreters together", p.config.MemoryBytes>>20)}
	}
	how := o.state.String()
	if name := signalName.FindString(words); name != "" {
		how = name
	}
	return &inference.RuntimeError{Detail: words, Sentence: fmt.Sprintf("it ended the child process that tried it (%s), so it is damaged or malicious; download or convert it again", how)}
}

var (
	outOfMemory = regexp.MustCompile(`bad_alloc|out of memory|annot allocate memory|failed to allocate|failed to create new OS thread|pthread_create failed|cannot map pages`)
	signalName  = regexp.MustCompile(`\bSIG[A-Z]{2,}\b`)
)

// outcome is how a child ended.
type outcome struct {
	startErr   error
	state      *os.ProcessState
	out, words limitedBuffer
}

func (o *outcome) signal() syscall.Signal {
	if status, ok := o.state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return status.Signal()
	}
	return 0
}

// run starts the child, which ctx kills, and waits for it.
func run(ctx context.Context, input []byte, variables []string) outcome {
	ended := make(chan outcome, 1)
	// A goroutine of its own, locked to its thread: the kernel ends the child
	// with the thread that started it.
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		o := outcome{out: limitedBuffer{left: 64 << 10}, words: limitedBuffer{left: 8 << 10}}
		path, err := program()
		if err != nil {
			ended <- outcome{startErr: err}
			return
		}
		command := exec.CommandContext(ctx, path, childArgument)
		command.Env = append(environment(), variables...)
		command.Stdin, command.Stdout, command.Stderr = bytes.NewReader(input), &o.out, &o.words
		command.SysProcAttr = attributes()
		command.WaitDelay = time.Second
		if err := command.Start(); err != nil {
			ended <- outcome{startErr: err}
			return
		}
		_ = command.Wait() // the state is read below
		o.state = command.ProcessState
		ended <- o
	}()
	return <-ended
}

// environment is that of the child: only the variables that find libraries and the
// drivers of graphics processors, as ours may contain secrets.
func environment() []string {
	env := []string{childVariable + "=" + childArgument, "GOTRACEBACK=none", "MALLOC_ARENA_MAX=2"}
	for _, name := range []string{
		"LD_LIBRARY_PATH", "PATH", "HOME", "TMPDIR", "GOMAXPROCS", "GOCOVERDIR", "GORACE", "TZ",
		"VK_DRIVER_FILES", "VK_ICD_FILENAMES", "XDG_RUNTIME_DIR", // which drivers Vulkan uses
	} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// notTried is the error of a trial that itself failed. It does not wrap ErrModel.
func notTried(err error) error {
	if errors.Is(err, edgelens.ErrCanceled) || errors.Is(err, edgelens.ErrDeadline) {
		return fmt.Errorf("try the model: %w", err)
	}
	return &edgelens.Busy{RetryAfter: 5 * time.Second, Reason: fmt.Sprintf("the model could not be tried in a child process: %v; where processes cannot be started, set inference.probe to false, which loads models without a trial", err)}
}

func contextError(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return edgelens.ErrDeadline
	}
	return edgelens.ErrCanceled
}

// limitedBuffer keeps the first bytes that are written to it, and drops the rest.
type limitedBuffer struct {
	kept bytes.Buffer // not embedded: os/exec would have it read past the limit
	left int
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	n := min(len(p), b.left)
	b.left -= n
	b.kept.Write(p[:n]) // never fails
	return len(p), nil
}

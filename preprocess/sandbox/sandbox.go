package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/internal/background"
	"edgelens/models"
	"edgelens/preprocess"
)

// A Preprocessor turns encoded images into tensors as a preprocess.Preprocessor does, in
// helper processes. It is safe for concurrent use.
type Preprocessor struct {
	local      *preprocess.Preprocessor
	config     Config
	log        *slog.Logger
	helpers    helpers // nil to decode in this process
	quarantine *quarantine
	// inProcess is set where helpers were to be used and cannot be started.
	inProcess atomic.Bool
	kills     [len(deaths)]atomic.Uint64
}

// Parts are what a Preprocessor is made of.
type Parts struct {
	// Local checks headers, and decodes where helpers do not. The Preprocessor closes it.
	Local *preprocess.Preprocessor
	// Settings are those of Local.
	Settings preprocess.Config
	// Helpers is how many images may be decoded at a time, at most.
	Helpers int
	Log     *slog.Logger
	// Metrics registers the Preprocessor's own.
	Metrics prometheus.Registerer
}

// helpers decode images in other processes.
type helpers interface {
	// decode is Tensors for an image whose plan is known; low is for one that no client waits
	// for. The error is the image's, a *death, an *edgelens.Busy, or errNeverStarted.
	decode(low bool, plan preprocess.Plan, encoded []byte, into []models.InputBuffer) (models.Filled, error)
	// ready waits until the first helper is up, or cannot be started.
	ready(ctx context.Context) error
	states() states
	// relieve ends those that have nothing to do, but for those that stay.
	relieve()
	close()
}

// states is how many helpers there are, and what protects them.
type states struct {
	idle, busy, starting int
	started              uint64
	failed               startFailures
	// messages is how many messages the decoders of all helpers had.
	messages   uint64
	protection protection
}

// startFailures counts helpers that did not come up: those that took too long, and others.
type startFailures struct{ timeout, other uint64 }

// protection is what the kernel keeps a helper from. It is known once one is up.
type protection struct {
	// Seccomp is true where only the listed system calls are possible.
	Seccomp bool
	// Landlock is the version of the kernel's interface, 0 where there is none.
	Landlock int
}

// errNeverStarted is about helpers that cannot be started on this machine.
var errNeverStarted = errors.New("decode helpers cannot be started")

// death is how a helper ended while it decoded an image.
type death struct {
	reason reason
	detail string
}

func (d *death) Error() string {
	return fmt.Sprintf("the decode helper ended: %v (%s)", d.reason, d.detail)
}

// reason is why a helper ended.
type reason int

const (
	timedOut reason = iota
	crashed
	outOfMemory
)

// deaths are the names of the reasons.
var deaths = [...]string{timedOut: "timeout", crashed: "crash", outOfMemory: "memory"}

func (r reason) String() string { return deaths[r] }

// New returns a Preprocessor that must be closed. With IsolationRequire the error is that of
// the first helper, which New waits for; with IsolationAuto it is started meanwhile.
func New(config Config, parts Parts) (*Preprocessor, error) {
	p := &Preprocessor{local: parts.Local, config: config, log: parts.Log, quarantine: newQuarantine()}
	if config.Isolation != IsolationOff {
		helpers, err := newHelpers(config, parts)
		if err != nil && config.Isolation == IsolationRequire {
			return nil, requiredError(err)
		}
		if err != nil {
			p.fallBack(err)
		} else {
			p.helpers = helpers
		}
	}
	if p.helpers != nil && config.Isolation == IsolationRequire {
		if err := p.helpers.ready(context.Background()); err != nil {
			p.helpers.close()
			return nil, requiredError(err)
		}
	}
	parts.Metrics.MustRegister(metrics{p})
	return p, nil
}

func requiredError(err error) error {
	return fmt.Errorf("start decode helpers: %w; decode.isolation: auto decodes in this process where that fails", err)
}

// fallBack decodes in this process from now on.
func (p *Preprocessor) fallBack(err error) {
	if !p.inProcess.Swap(true) {
		p.log.Warn("decode helpers cannot be started: images are decoded in this process, where an error of a decoder can end it and nothing limits the time", "event", "decode_in_process", "reason", err)
	}
}

// Version is that of package preprocess.
func (p *Preprocessor) Version() string { return p.local.Version() }

// Fit is that of package preprocess.
func (p *Preprocessor) Fit() edgelens.Fit { return p.local.Fit() }

// Memory returns how many bytes decoding an image takes at most. Errors are those of Plan
// in package preprocess, and that of a quarantined image.
func (p *Preprocessor) Memory(encoded []byte) (int64, error) {
	plan, err := p.local.Plan(encoded)
	if err != nil {
		return 0, err
	}
	return plan.Memory, p.quarantine.check(encoded)
}

// Tensors is Tensors of package preprocess, which the same process decides about: its header
// checks are in Go. An error may also be an *edgelens.Busy where no helper is up in time, and
// edgelens.ErrBadImage for an image that takes longer than Config.Timeout or ends a
// helper, now and when it is sent again.
func (p *Preprocessor) Tensors(encoded []byte, into ...models.InputBuffer) (models.Filled, error) {
	if filled, ok, err := p.Ahead(background.IsLow(), encoded, into...); ok || err != nil {
		return filled, err
	}
	return p.local.Tensors(encoded, into...)
}

// DecodesAhead reports whether helpers decode.
func (p *Preprocessor) DecodesAhead() bool { return p.helpers != nil && !p.inProcess.Load() }

// Ahead is Tensors in a helper. ok is false, and nothing was done, where this process decodes.
// low is for work that no client waits for: it has helpers of low thread priority.
func (p *Preprocessor) Ahead(low bool, encoded []byte, into ...models.InputBuffer) (filled models.Filled, ok bool, err error) {
	if !p.DecodesAhead() {
		return models.Filled{}, false, nil
	}
	begin := time.Now()
	plan, err := p.local.Plan(encoded, into...)
	if err != nil {
		return models.Filled{}, false, err
	}
	if err := p.quarantine.check(encoded); err != nil {
		return models.Filled{}, false, err
	}
	filled, err = p.helpers.decode(low, plan, encoded, into)
	var end *death
	switch {
	case err == nil:
		filled.Timings.Decode = max(0, time.Since(begin)-filled.Timings.Preprocess)
		return filled, true, nil
	case errors.Is(err, errNeverStarted) && p.config.Isolation == IsolationAuto:
		p.fallBack(err)
		return models.Filled{}, false, nil
	case errors.Is(err, errNeverStarted):
		err = notStarted(err)
	case errors.As(err, &end):
		err = p.ended(end, plan.Image, encoded)
	}
	return models.Filled{}, false, err
}

// notStarted is the error of an image for which no helper could be started.
func notStarted(err error) error {
	return fmt.Errorf("decode the image: %w", &edgelens.Busy{RetryAfter: time.Second, Reason: fmt.Sprintf("no decode helper could be started (%v)", err)})
}

// ended quarantines the image that ended a helper, and returns its error.
func (p *Preprocessor) ended(end *death, image edgelens.ImageInfo, encoded []byte) error {
	var what string
	switch end.reason {
	case timedOut:
		what = fmt.Sprintf("it takes longer than %v to decode; save it as a baseline JPEG, or smaller, and send that", p.config.Timeout)
	case outOfMemory:
		what = "decoding it took more memory than images of its kind and size do; save it as a baseline JPEG, or smaller, and send that"
	default:
		what = "its decoder crashed, so it is damaged or malicious; save the image again and send that"
	}
	err := fmt.Errorf("decode %s: %w: %s", image.Format, edgelens.ErrBadImage, what)
	p.kills[end.reason].Add(1)
	p.quarantine.add(encoded, err)
	p.log.Warn("decode helper ended, image quarantined", "event", "decode_helper_ended", "reason", end.reason.String(), "format", image.Format,
		"width", image.Width, "height", image.Height, "bytes", len(encoded), "detail", end.detail)
	return err
}

// freshHelper is what a helper takes of its own when it starts, and helperMemory what it may have after some images, besides
// the present one.
const freshHelper, helperMemory = 18 << 20, 28 << 20

// Overhead returns how many bytes helpers may take besides their images, beyond what the one takes that
// stays when it starts.
func (p *Preprocessor) Overhead() int64 {
	if p.helpers == nil {
		return 0
	}
	s := p.helpers.states()
	return max(0, helperMemory*int64(s.idle+s.busy+s.starting)-freshHelper)
}

// Relieve ends helpers that have nothing to do, but for the one that stays: an image needs their memory.
func (p *Preprocessor) Relieve() {
	if p.helpers != nil {
		p.helpers.relieve()
	}
}

// Close ends the helpers, and closes the Preprocessor of this process. Calls of Tensors in
// progress may fail; later ones return an error that wraps edgelens.ErrStopping.
func (p *Preprocessor) Close() error {
	if p.helpers != nil {
		p.helpers.close()
	}
	return p.local.Close()
}

package app

import (
	"errors"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens/internal/cgroup"
	"edgelens/internal/config"
	"edgelens/preprocess"
	"edgelens/preprocess/sandbox"
	"edgelens/recognize"
)

const (
	// serviceMemory is what the rest takes once it has started: models, the runtime's heap,
	// helpers without an image, Redis and mosquitto.
	serviceMemory = 160 << 20
	// goMemory is the part of that, and of what is allocated in C, that Go's heap cannot have.
	goMemory = 96 << 20
	// besideUploads is what Go's runtime may have besides uploads until it collects more often.
	besideUploads = 64 << 20
	// spareMemory is left where a control group's memory is nearly used up.
	spareMemory = 32 << 20
	// minDecodeMemory is had by decoding in any case: some images of the usual size.
	minDecodeMemory = 32 << 20
	// memoryStep is what the memory for decoding is rounded down to, so that it is the same
	// at each start.
	memoryStep = 16 << 20
	// memoryInterval is how long a reading of the control group's memory is used.
	memoryInterval = 50 * time.Millisecond
	// reliefThreshold is how much memory beyond the usual is returned to the kernel.
	reliefThreshold = 32 << 20
	// starvation is how long images wait for memory that this process has before one gets it
	// anyhow.
	starvation = time.Second
)

// decodeMemory is how much memory decoding may take, in a control group with a limit or
// without. It is safe for concurrent use.
type decodeMemory struct {
	// most is decode.memory, or what the control group has for it.
	most   int64
	groups cgroup.Reader
	// limited is whether the control group has less than decode.memory and all the rest.
	limited bool
	heap    goHeap
	// above returns what Go's runtime has beyond the usual; nil for nothing.
	above func() int64
	// helpers returns how much the decode helpers have besides their images; nil for nothing.
	helpers func() int64
	// endHelpers ends those that have nothing to do; nil where there are none.
	endHelpers func()

	mu sync.Mutex
	// ours is what this process has for decoding, and free what the control group has, when that was read.
	ours, free int64
	read       time.Time
	// inUse is what decoding takes, and wanted what it would have taken since with an image that had to wait.
	inUse, wanted int64
	// again is set while look is scheduled.
	again *time.Timer
	// starving is since when nothing was decoded although something waited, and asked when that
	// was last noticed.
	starving, asked time.Time
}

// newDecodeMemory works out the memory for decoding, and limits Go's heap to what that leaves, or
// to what uploads may take, unless GOMEMLIMIT is set.
func newDecodeMemory(c *config.Config, log *slog.Logger) *decodeMemory {
	return readDecodeMemory(c, cgroup.Reader{Root: "/"}, log)
}

func readDecodeMemory(c *config.Config, groups cgroup.Reader, log *slog.Logger) *decodeMemory {
	m := &decodeMemory{most: c.Decode.Memory, groups: groups}
	m.above = m.heap.above
	group, ok := groups.Memory()
	if !ok {
		if os.Getenv("GOMEMLIMIT") == "" {
			debug.SetMemoryLimit(besideUploads + c.HTTP.MaxUploadBytes)
		}
		return m
	}
	m.limited = true
	m.most = decodeShare(c.Decode.Memory, group)
	goLimit := max(goMemory, group.Limit-m.most-goMemory)
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(goLimit)
	}
	log.Info("the control group limits the memory", "limit", group.Limit, "used", group.Used, "decode_memory", m.most, "go_memory", debug.SetMemoryLimit(-1))
	return m
}

// decodeShare returns how much of decode.memory can be used in a control group.
func decodeShare(setting int64, group cgroup.Memory) int64 {
	left := (group.Free() - serviceMemory) / memoryStep * memoryStep
	return min(setting, max(minDecodeMemory, left))
}

// now returns how much memory decoding may take now, beside inUse bytes that it takes. wanted is what it would have taken
// with the largest image for which there was not enough; 0 where there was for all. What
// uploads have left in Go's heap, and helpers take besides their images, is not there for
// it; but where nothing could be decoded because of that for a while, one image may have all.
func (m *decodeMemory) now(inUse, wanted int64) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	m.inUse, m.wanted = inUse, max(m.wanted, wanted)
	if now.Sub(m.read) >= memoryInterval {
		m.look(now)
	}
	if !m.limited && m.isStarving(now, inUse) {
		return m.most
	}
	return m.available()
}

// available is what decoding may take by the last look. It must be called with the lock held.
func (m *decodeMemory) available() int64 {
	if m.limited {
		return min(m.ours, max(0, m.free)+m.inUse)
	}
	return max(m.ours, m.inUse)
}

// look reads what others have.
func (m *decodeMemory) look(now time.Time) {
	var above int64
	if m.above != nil {
		above = m.above()
	}
	taken := above + m.overhead()
	m.read, m.free, m.ours = now, m.most, max(m.most-taken, min(m.most, minDecodeMemory))
	if m.limited {
		if group, ok := m.groups.Memory(); ok {
			m.free = group.Free() - spareMemory
		}
	}
	lacking := m.wanted > m.available()
	m.wanted = 0
	if lacking && m.endHelpers != nil {
		m.endHelpers()
	}
	if above < reliefThreshold {
		return
	}
	m.heap.relieve(now, above, lacking)
	if m.again == nil { // until uploads are gone and what they had is returned
		m.again = time.AfterFunc(reliefInterval, m.lookAgain)
	}
}

func (m *decodeMemory) lookAgain() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.again = nil
	m.look(time.Now())
}

// overhead is what decode helpers take besides their images, beyond the first of them.
func (m *decodeMemory) overhead() int64 {
	if m.helpers == nil {
		return 0
	}
	return m.helpers()
}

// isStarving reports whether nothing was decoded for starvation although something waited. It
// must be called with the lock held.
func (m *decodeMemory) isStarving(now time.Time, inUse int64) bool {
	if inUse > 0 || now.Sub(m.asked) > starvation {
		m.starving = now
	}
	m.asked = now
	return now.Sub(m.starving) > starvation
}

// newDecoder returns what decodes images, in helper processes or not, and the part of it that
// is in this process. One image may have so much of the memory that others of the usual size
// can be decoded beside it.
func newDecoder(c *config.Config, memory *decodeMemory, log *slog.Logger, metrics prometheus.Registerer) (*preprocess.Preprocessor, *sandbox.Preprocessor, error) {
	settings := c.Preprocess
	if largest := sandbox.LargestImage(memory.most); settings.MaxMemory == 0 || settings.MaxMemory > largest {
		settings.MaxMemory = largest
	}
	local, err := preprocess.New(settings)
	if err != nil {
		return nil, nil, err
	}
	decoder, err := sandbox.New(c.Decode, sandbox.Parts{Local: local, Settings: settings, Helpers: recognize.MostAtOnce(c.Recognize.Slots), Log: log, Metrics: metrics})
	if err != nil {
		return nil, nil, errors.Join(err, local.Close())
	}
	memory.mu.Lock()
	defer memory.mu.Unlock()
	memory.helpers, memory.endHelpers = decoder.Overhead, decoder.Relieve
	return local, decoder, nil
}

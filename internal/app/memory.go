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
	// spareMemory is left where a control group's memory is nearly used up.
	spareMemory = 32 << 20
	// minDecodeMemory is had by decoding in any case: some images of the usual size.
	minDecodeMemory = 32 << 20
	// memoryStep is what the memory for decoding is rounded down to, so that it is the same
	// at each start.
	memoryStep = 16 << 20
	// memoryInterval is how long a reading of the control group's memory is used.
	memoryInterval = 50 * time.Millisecond
)

// decodeMemory is how much memory decoding may take, in a control group with a limit or
// without. It is safe for concurrent use.
type decodeMemory struct {
	// most is decode.memory, or what the control group has for it.
	most   int64
	groups cgroup.Reader
	// limited is whether the control group has less than decode.memory and all the rest.
	limited bool

	mu   sync.Mutex
	free int64
	read time.Time
}

// newDecodeMemory works out the memory for decoding, and limits Go's heap to what that leaves,
// unless GOMEMLIMIT is set.
func newDecodeMemory(c *config.Config, log *slog.Logger) *decodeMemory {
	return readDecodeMemory(c, cgroup.Reader{Root: "/"}, log)
}

func readDecodeMemory(c *config.Config, groups cgroup.Reader, log *slog.Logger) *decodeMemory {
	m := &decodeMemory{most: c.Decode.Memory, groups: groups}
	group, ok := groups.Memory()
	if !ok {
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

// now returns how much memory decoding may take now, beside inUse bytes that it takes.
func (m *decodeMemory) now(inUse int64) int64 {
	if !m.limited {
		return m.most
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := time.Now(); now.Sub(m.read) >= memoryInterval {
		m.read, m.free = now, m.most
		if group, ok := m.groups.Memory(); ok {
			m.free = group.Free() - spareMemory
		}
	}
	return min(m.most, max(0, m.free)+inUse)
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
	return local, decoder, nil
}

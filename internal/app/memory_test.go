package app

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"edgelens/internal/cgroup"
	"edgelens/internal/config"
	"edgelens/internal/testutil"
)

const megabyte = 1 << 20

// In a control group decoding has what the service leaves, and never nothing.
func TestDecodeShare(t *testing.T) {
	for name, test := range map[string]struct {
		setting, limit, used, want int64
	}{
		"plenty":          {400, 2048, 50, 400},
		"a small group":   {400, 512, 50, 288},
		"rounded down":    {400, 512, 50 + 15, 272},
		"a smaller value": {100, 512, 50, 100},
		"hardly any":      {400, 200, 50, 32},
		"all in use":      {400, 512, 512, 32},
	} {
		t.Run(name, func(t *testing.T) {
			if got := decodeShare(test.setting*megabyte, cgroup.Memory{Limit: test.limit * megabyte, Used: test.used * megabyte}); got != test.want*megabyte {
				t.Errorf("%d MB, want %d", got/megabyte, test.want)
			}
		})
	}
}

// group writes the files of a control group.
func group(t *testing.T, root string, limit, used int64) {
	t.Helper()
	for name, text := range map[string]string{
		"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": fmt.Sprint(limit * megabyte), "sys/fs/cgroup/memory.current": fmt.Sprint(used * megabyte),
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// What others take of the control group is not there for decoding, until they give it back.
func TestDecodeMemoryFollowsTheControlGroup(t *testing.T) {
	root := t.TempDir()
	m := &decodeMemory{most: 400 * megabyte, limited: true, groups: cgroup.Reader{Root: root}}
	for _, test := range []struct{ used, inUse, want int64 }{{50, 0, 400}, {300, 0, 180}, {300, 100, 280}, {500, 0, 0}, {500, 60, 60}, {100, 0, 380}} {
		group(t, root, 512, test.used)
		m.read = time.Time{}
		if got := m.now(test.inUse*megabyte, 0); got != test.want*megabyte {
			t.Errorf("with %d MB in use, %d of them by decoding: %d MB, want %d", test.used, test.inUse, got/megabyte, test.want)
		}
	}
	if got := m.now(0, m.most); got != 380*megabyte {
		t.Errorf("at once again: %d MB", got/megabyte)
	}
	unlimited := &decodeMemory{most: 400 * megabyte}
	if got := unlimited.now(300*megabyte, 0); got != 400*megabyte {
		t.Errorf("without a group: %d MB", got/megabyte)
	}
}

// Go's heap is limited to what the control group leaves, unless the user has limited it.
func TestGoMemoryLimit(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	root := t.TempDir()
	group(t, root, 512, 50)
	c := config.Default()
	for variable, want := range map[string]int64{"": 512*megabyte - 288*megabyte - goMemory, "1GiB": before} {
		debug.SetMemoryLimit(before)
		t.Setenv("GOMEMLIMIT", variable)
		m := readDecodeMemory(&c, cgroup.Reader{Root: root}, slog.New(slog.DiscardHandler))
		if got := debug.SetMemoryLimit(-1); got != want || m.most != 288*megabyte || !m.limited {
			t.Errorf("GOMEMLIMIT=%q: the limit is %d, want %d; decoding has %d MB", variable, got, want, m.most/megabyte)
		}
	}
	if m := readDecodeMemory(&c, cgroup.Reader{Root: t.TempDir()}, slog.New(slog.DiscardHandler)); m.limited || m.most != c.Decode.Memory {
		t.Errorf("without a group: %+v", m)
	}
}

// What uploads have left in Go's heap is not there for decoding, and is returned to the kernel; but one
// image gets its memory in the end.
func TestDecodeMemoryLeavesRoomForUploads(t *testing.T) {
	m := &decodeMemory{most: 400 * megabyte, helpers: func() int64 { return 36 * megabyte }}
	m.above = m.heap.above
	uploads := make([]byte, 300*megabyte)
	for i := 0; i < len(uploads); i += 4096 {
		uploads[i] = 1
	}
	const inUse = 50 * megabyte
	if got := m.now(inUse, m.most); got > 400*megabyte-(300+36-usualHeap/megabyte)*megabyte || got < inUse {
		t.Errorf("beside 300 MB of uploads: %d MB", got/megabyte)
	}
	begin := time.Now()
	testutil.Eventually(t, "an image that waits alone gets all", func() bool { return m.now(0, m.most) == m.most })
	if waited := time.Since(begin); waited < starvation-100*time.Millisecond {
		t.Errorf("after %v, want it to wait for %v", waited, starvation)
	}
	runtime.KeepAlive(uploads)
	uploads = nil
	testutil.Eventually(t, "what uploads had is there again", func() bool { return m.now(inUse, m.most) >= (400-36)*megabyte-64*megabyte })
}

// Helpers that have nothing to do end where an image lacks what they take, and only there.
func TestDecodeMemoryEndsIdleHelpers(t *testing.T) {
	helpers := int64(112 * megabyte)
	m := &decodeMemory{most: 400 * megabyte, helpers: func() int64 { return helpers }, endHelpers: func() { helpers = 0 }}
	for _, test := range []struct{ inUse, wanted, want int64 }{{0, 0, 288}, {100, 280, 288}, {0, 380, 288}, {0, 0, 400}} {
		m.read = time.Time{}
		if got := m.now(test.inUse*megabyte, test.wanted*megabyte); got != test.want*megabyte {
			t.Errorf("with %d MB in use, %d wanted: %d MB, want %d", test.inUse, test.wanted, got/megabyte, test.want)
		}
	}
}

// Memory that many clients have in use is not collected once a second in vain; what is left of uploads is returned soon.
func TestReliefThatReturnsLittleIsRare(t *testing.T) {
	const inUse = 40 * megabyte
	now := time.Unix(1_800_000_000, 0)
	h := &goHeap{}
	var intervals []time.Duration
	for range 6 {
		begin := now
		for !h.isDue(now, inUse, true) {
			now = now.Add(100 * time.Millisecond)
		}
		intervals = append(intervals, now.Sub(begin))
		h.noteRelief(now, inUse, inUse-megabyte)
	}
	if want := []time.Duration{0, 2 * time.Second, 4 * time.Second, 4 * time.Second, 4 * time.Second, 4 * time.Second}; !slices.Equal(intervals, want) {
		t.Errorf("memory in use is collected after %v, want %v", intervals, want)
	}
	if now = now.Add(time.Second); h.isDue(now, inUse, true) || !h.isDue(now, inUse+reliefThreshold, true) {
		t.Error("after a second, only what is beyond the last time is to be returned")
	}
	h.noteRelief(now, inUse+reliefThreshold, inUse)
	if now = now.Add(time.Second); !h.isDue(now, inUse, true) {
		t.Error("where the last time returned much, there may be more after a second")
	}
	if rest := now.Add(restInterval - 2*time.Second); h.isDue(rest, inUse+reliefThreshold, false) || !h.isDue(rest, lavish, false) || !h.isDue(rest.Add(2*time.Second), inUse, false) {
		t.Error("where no image lacks it, memory is to be returned every ten seconds")
	}
}

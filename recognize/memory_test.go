package recognize_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/internal/testutil"
	"edgelens/models"
	"edgelens/recognize"
)

// budgeted is a bench whose images take as much memory as the number says that they begin
// with, and a second to decode.
type budgeted struct {
	*bench
	total      atomic.Int64
	inUse, top atomic.Int64
	// wanted is the most that was wanted in vain.
	wanted atomic.Int64
}

func newBudgeted(slots int, total int64) *budgeted {
	b := &budgeted{bench: &bench{
		preprocessor: &preprocessor{version: "1"}, runner: &runner{spec: newSpec(models.Uint8, 2), raw: []byte{64, 128}}, cache: &memory{}, metrics: prometheus.NewRegistry(),
	}}
	b.total.Store(total)
	b.runner.spec.Output.Scale = 1.0 / 256
	takes := func(encoded []byte) (bytes int64) {
		fmt.Sscan(string(encoded), &bytes)
		return bytes
	}
	b.preprocessor.memory = func(encoded []byte) (int64, error) {
		if takes(encoded) > 200 {
			return 0, fmt.Errorf("check png: %w: it takes too much", edgelens.ErrTooLarge)
		}
		return takes(encoded), nil
	}
	b.preprocessor.work = func(encoded []byte) error {
		bytes := takes(encoded)
		b.top.Store(max(b.top.Load(), b.inUse.Add(bytes)))
		time.Sleep(time.Second)
		b.inUse.Add(-bytes)
		return nil
	}
	b.Service = recognize.New(recognize.Config{Slots: slots, Timeout: time.Minute}, recognize.Parts{
		Preprocessor: b.preprocessor, Runner: b.runner, Cache: b.cache, Log: slog.New(slog.DiscardHandler), Metrics: b.metrics,
		DecodeMemory: func(inUse, wanted int64) int64 { b.wanted.Store(max(b.wanted.Load(), wanted)); return b.total.Load() },
	})
	return b
}

// unlimited lets each image have as much memory as its number says.
func (b *budgeted) unlimited() *budgeted {
	b.preprocessor.memory = func(encoded []byte) (bytes int64, err error) {
		_, err = fmt.Sscan(string(encoded), &bytes)
		return bytes, err
	}
	return b
}

// after starts a recognition of each image when the one before waits, and returns in which second
// each was answered.
func (b *budgeted) after(t *testing.T, images ...string) string {
	t.Helper()
	begin, done := time.Now(), make(map[int]<-chan answer)
	for n, content := range images {
		req := image(fmt.Sprint(content, " ", n))
		if strings.HasPrefix(content, "door ") {
			req.Image, req.Priority = []byte(strings.TrimPrefix(content, "door ")+fmt.Sprint(" ", n)), edgelens.PriorityDevice
		}
		done[n] = b.start(t.Context(), req)
		synctest.Wait()
	}
	var seconds []string
	for n := range images {
		a := <-done[n]
		if a.err != nil {
			t.Errorf("%s: %v", images[n], a.err)
		}
		seconds = append(seconds, fmt.Sprint(int(a.after.Round(time.Second)/time.Second)))
	}
	t.Logf("answered after %v in all", time.Since(begin))
	return strings.Join(seconds, " ")
}

// Images share the memory for decoding: those that do not fit wait, small ones pass them,
// and none waits forever.
func TestDecodeMemory(t *testing.T) {
	for name, test := range map[string]struct {
		images []string
		want   string
	}{
		"all fit":                        {[]string{"30", "30", "40"}, "1 1 1"},
		"one after the other":            {[]string{"90", "90", "90"}, "1 2 3"},
		"small ones pass a large one":    {[]string{"80", "80", "10", "10"}, "1 2 1 1"},
		"but do not delay it":            {[]string{"60", "90", "30", "30", "5", "5"}, "1 2 3 3 1 1"},
		"in a row, they never do":        {[]string{"60", "95", "40", "40", "40", "40"}, "1 2 3 3 4 4"},
		"the largest of all":             {[]string{"10", "100", "10"}, "1 2 3"},
		"a door passes others that wait": {[]string{"100", "50", "50", "door 50"}, "1 2 3 2"},
		"nothing":                        {[]string{"100", "0", "0"}, "1 1 1"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBudgeted(8, 100)
				if got := b.after(t, test.images...); got != test.want {
					t.Errorf("answered after %s seconds, want %s", got, test.want)
				}
				if top := b.top.Load(); top > 100 {
					t.Errorf("%d bytes in use at a time", top)
				}
				if m := testutil.Metrics(t, b.metrics); m["edgelens_decode_memory_bytes"] != 0 || m["edgelens_decode_memory_limit_bytes"] != 100 {
					t.Errorf("afterwards the metrics are %v", m)
				}
			})
		})
	}
}

// Ordinary images do not wait for a heavy one, also where the memory becomes less while it is decoded; but no more of them
// than fit into what it leaves.
func TestHeavyImagesLeaveMemory(t *testing.T) {
	const mb = 1 << 20
	for name, test := range map[string]struct {
		total, later int64
		megabytes    []int
		want         string
	}{
		"it fits":                            {300, 300, []int{250, 3, 3}, "1 1 1"},
		"the memory becomes less":            {300, 250, []int{250, 3, 3}, "1 1 1"},
		"and less than it has":               {300, 200, []int{250, 3}, "1 2"},
		"five fit, and two wait":             {300, 252, []int{250, 3, 3, 3, 3, 3, 3, 3}, "1 1 1 1 1 1 2 2"},
		"a photograph waits":                 {300, 252, []int{250, 30, 3}, "1 2 1"},
		"two heavy ones leave what one does": {300, 300, []int{142, 142, 142, 3}, "1 1 2 1"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBudgeted(8, test.total*mb).unlimited()
				var done []<-chan answer
				for n, size := range test.megabytes {
					done = append(done, b.start(t.Context(), image(fmt.Sprint(size*mb, " ", n))))
					synctest.Wait()
					b.total.Store(test.later * mb)
				}
				var seconds []string
				for _, d := range done {
					a := <-d
					if a.err != nil {
						t.Error(a.err)
					}
					seconds = append(seconds, fmt.Sprint(int(a.after.Round(time.Second)/time.Second)))
				}
				if got := strings.Join(seconds, " "); got != test.want {
					t.Errorf("answered after %s seconds, want %s", got, test.want)
				}
			})
		})
	}
}

// A heavy image that would leave too little waits until there is more, and ordinary ones go on.
func TestHeavyImageWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudgeted(8, 300<<20).unlimited()
		heavy := b.start(t.Context(), image(fmt.Sprint(290<<20)))
		synctest.Wait()
		for n := range 3 {
			if a := <-b.start(t.Context(), image(fmt.Sprint(3<<20, " ", n))); a.err != nil || a.after != time.Second {
				t.Errorf("an ordinary image: %v after %v", a.err, a.after)
			}
		}
		if wanted, least := b.wanted.Load(), int64(300<<20); wanted <= least {
			t.Errorf("%d bytes were wanted in vain, want more than %d", wanted, least)
		}
		b.total.Store(310 << 20)
		if a := <-heavy; a.err != nil || a.after < 4*time.Second || a.after > 5*time.Second {
			t.Errorf("the heavy one: %v after %v", a.err, a.after)
		}
	})
}

// An image that can never be decoded is refused at once, whatever waits.
func TestImageBeyondAllMemoryIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudgeted(1, 100)
		first := b.start(t.Context(), image("100"))
		synctest.Wait()
		if a := <-b.start(t.Context(), image("201")); !errors.Is(a.err, edgelens.ErrTooLarge) || a.after > 0 {
			t.Errorf("%v after %v", a.err, a.after)
		}
		if a := <-first; a.err != nil {
			t.Error(a.err)
		}
	})
}

// Work that does not fit because other processes have the memory goes on when they give it
// back, and does not keep small images from their memory meanwhile.
func TestDecodeMemoryThatShrinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudgeted(4, 50)
		large := b.start(t.Context(), image("90"))
		synctest.Wait()
		if a := <-b.start(t.Context(), image("40")); a.err != nil || a.after != time.Second {
			t.Errorf("the small one: %v after %v", a.err, a.after)
		}
		if got := b.wanted.Load(); got != 90+40 {
			t.Errorf("%d bytes were wanted in vain, want those of the large one beside the small one", got)
		}
		b.total.Store(100)
		if a := <-large; a.err != nil || a.after > 3*time.Second {
			t.Errorf("the large one: %v after %v", a.err, a.after)
		}
	})
}

// Those who give up give back what they waited for.
func TestWithdrawnWorkLeavesMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudgeted(4, 100)
		running := b.start(t.Context(), image("60"))
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		large := b.start(ctx, image("90"))
		synctest.Wait()
		waits := b.start(t.Context(), image("30"))
		synctest.Wait()
		cancel()
		if a := <-large; !errors.Is(a.err, edgelens.ErrCanceled) {
			t.Errorf("the canceled one: %v", a.err)
		}
		if a := <-waits; a.err != nil || a.after > time.Second {
			t.Errorf("the one behind it: %v after %v", a.err, a.after)
		}
		if a := <-running; a.err != nil {
			t.Error(a.err)
		}
	})
}

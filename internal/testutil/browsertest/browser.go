// Package browsertest runs pages in Debian's Chromium for tests.
package browsertest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"edgelens/internal/testutil"
)

const (
	// lifetime bounds a browser's test.
	lifetime = 3 * time.Minute
	// timeout bounds the wait for a condition on a page, on a busy machine, too.
	timeout      = 30 * time.Second
	pollInterval = 20 * time.Millisecond
)

// New starts a browser in which every name under .example resolves to this machine, and returns a context for chromedp.
// The test is skipped where Chromium is absent.
func New(t testing.TB) context.Context {
	t.Helper()
	testutil.SkipIfShort(t, "it starts a browser")
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed, so this is not tested in a browser (apt-get install chromium)")
	}
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("enable-precise-memory-info", true),
		chromedp.Flag("host-resolver-rules", "MAP *.example 127.0.0.1"),
	)...)
	ctx, cancelBrowser := chromedp.NewContext(allocator)
	ctx, cancelTimeout := context.WithTimeout(ctx, lifetime)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // ends the browser and waits for it
		cancelTimeout()
		cancelBrowser()
		cancel()
	})
	return ctx
}

// Open shows a page, and waits until it is loaded.
func Open(t testing.TB, ctx context.Context, page string) {
	t.Helper()
	if err := chromedp.Do(ctx, chromedp.Navigate(page)); err != nil {
		t.Fatalf("open %s: %v", page, err)
	}
}

// Evaluate returns what an expression gives on the page; a promise is awaited.
func Evaluate[T any](t testing.TB, ctx context.Context, script string) T {
	t.Helper()
	got, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: %v", firstLine(script), err)
	}
	return got
}

// Run runs statements on the page, of which the value does not matter.
func Run(t testing.TB, ctx context.Context, script string) {
	t.Helper()
	Evaluate[bool](t, ctx, "(async () => { "+script+"; return true })()")
}

// Until waits until an expression is true on the page, which may load another document meanwhile. It returns how long
// that took.
func Until(t testing.TB, ctx context.Context, what, script string) time.Duration {
	t.Helper()
	began := time.Now()
	var last error
	for time.Since(began) < timeout {
		is, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+script+")"))
		if err == nil && is {
			return time.Since(began)
		}
		last = err
		time.Sleep(pollInterval)
	}
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText.slice(0, 1500)"))
	t.Fatalf("after %v it is still not so that %s (%v). The page has:\n%s", timeout, what, last, text)
	return 0
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}

// Watch collects what a page writes to the console as an error, exceptions that nothing catches, and how much it
// transfers. It is safe for concurrent use.
type Watch struct {
	mu          sync.Mutex
	errors      []string
	transferred int64
}

// NewWatch starts to watch the pages of a browser.
func NewWatch(t testing.TB, ctx context.Context) *Watch {
	t.Helper()
	w := &Watch{}
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Listen(ctx, w.note); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *Watch) note(event any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		w.errors = append(w.errors, fmt.Sprintf("exception: %s %v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception))
	case *runtime.EventConsoleAPICalled:
		if e.Type == "error" || e.Type == "warning" || e.Type == "assert" {
			var texts []string
			for _, argument := range e.Args {
				texts = append(texts, argument.Description+string(argument.Value))
			}
			w.errors = append(w.errors, string(e.Type)+": "+strings.Join(texts, " "))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == "error" {
			w.errors = append(w.errors, fmt.Sprintf("log: %s %s", e.Entry.Text, e.Entry.URL))
		}
	case *network.EventLoadingFinished:
		w.transferred += int64(e.EncodedDataLength)
	}
}

// Errors returns what there was since the last call, but for lines with one of the expected texts.
func (w *Watch) Errors(expected ...string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []string
	for _, line := range w.errors {
		isExpected := false
		for _, text := range expected {
			isExpected = isExpected || strings.Contains(line, text)
		}
		if !isExpected {
			found = append(found, line)
		}
	}
	w.errors = nil
	return found
}

// Transferred returns the bytes of all responses so far, as they were sent.
func (w *Watch) Transferred() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.transferred
}

// Memory returns the bytes of the page's objects that are in use.
func Memory(t testing.TB, ctx context.Context) int64 {
	t.Helper()
	if _, err := chromedp.Call(ctx, heapprofiler.CollectGarbage, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	return Evaluate[int64](t, ctx, "performance.memory.usedJSHeapSize")
}

// handheld is the width in CSS pixels below which a window is that of a phone, with a touch screen.
const handheld = 600

// Size sets the size of the window in CSS pixels. Scroll bars take no space.
func Size(t testing.TB, ctx context.Context, width, height int64) {
	t.Helper()
	var options []chromedp.EmulateViewportOption
	if width < handheld {
		options = append(options, chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, height, options...)); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, emulation.SetScrollbarsHidden, emulation.SetScrollbarsHiddenParams{Hidden: true}); err != nil {
		t.Fatal(err)
	}
	// Observers of sizes run after the next layout, and what they change is laid out in the one behind it.
	Run(t, ctx, "await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(done))))")
}

// maxScreenshot is the maximum size of a screenshot in bytes: the documentation has some.
const maxScreenshot = 200_000

// webpQuality is from 0 to 100.
const webpQuality = 88

// Screenshot writes what the window shows to a file, whose name ends in .png or .webp, once its images are there and what
// moves has come to rest.
func Screenshot(t testing.TB, ctx context.Context, name string) {
	t.Helper()
	Until(t, ctx, "the images are there", "[...document.images].filter(i => i.getBoundingClientRect().top < innerHeight).every(i => i.complete)")
	Run(t, ctx, "await new Promise(done => setTimeout(done, 600))")
	params := page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormat(strings.TrimPrefix(filepath.Ext(name), "."))}
	if params.Format == "webp" {
		quality := int64(webpQuality)
		params.Quality = &quality
	}
	content, err := chromedp.Call(ctx, page.CaptureScreenshot, params)
	if err != nil {
		t.Fatalf("screenshot %s: %v", name, err)
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, content.Data, 0o644); err != nil {
		t.Fatal(err)
	}
	if params.Format == "webp" && len(content.Data) > maxScreenshot {
		t.Errorf("%s is %d bytes, want at most %d", name, len(content.Data), maxScreenshot)
	}
}

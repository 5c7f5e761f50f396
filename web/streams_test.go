package web_test

import (
	"context"
	"os"
	"testing"
	"time"

	"edgelens/internal/testutil"
	"edgelens/internal/testutil/browsertest"
)

const (
	eventsPath  = "/api/events"
	sensorsPath = "/api/sensors/stream"
)

func hide(t *testing.T, ctx context.Context, hidden bool) {
	t.Helper()
	value := "false"
	if hidden {
		value = "true"
	}
	browsertest.Run(t, ctx, "Object.defineProperty(document, 'hidden', { value: "+value+", configurable: true }); document.dispatchEvent(new Event('visibilitychange'))")
}

// A hidden tab has no streams, and resumes after the last event when it is shown again.
func TestHiddenTabHasNoStreams(t *testing.T) {
	ctx := browsertest.New(t)
	f := newFake(t)
	f.fill()
	show(t, ctx, f.URL+"/?view=sensors")
	testutil.Eventually(t, "both streams are open", func() bool { return f.openStreams(eventsPath) == 1 && f.openStreams(sensorsPath) == 1 })
	f.emit(eventsPath, "recognition", object{"id": "x"})
	browsertest.Run(t, ctx, "await new Promise(done => setTimeout(done, 300))")
	hide(t, ctx, true)
	testutil.Eventually(t, "no stream is open", func() bool { return f.openStreams(eventsPath) == 0 && f.openStreams(sensorsPath) == 0 })
	hide(t, ctx, false)
	testutil.Eventually(t, "both streams are open again", func() bool { return f.openStreams(eventsPath) == 1 && f.openStreams(sensorsPath) == 1 })
	f.mu.Lock()
	defer f.mu.Unlock()
	resumed := false
	for _, id := range f.resumed {
		resumed = resumed || id == "1"
	}
	if !resumed {
		t.Errorf("the streams were opened with the ids %q, want 1 among them", f.resumed)
	}
}

// A point of a sensor is on the chart within a second.
func TestPointIsShown(t *testing.T) {
	ctx := browsertest.New(t)
	f := newFake(t)
	f.fill()
	id := f.sensors[0]["id"].(string)
	show(t, ctx, f.URL+"/?view=sensors&window=1m&ids="+id)
	testutil.Eventually(t, "the stream is open", func() bool { return f.openStreams(sensorsPath) == 1 })
	browsertest.Until(t, ctx, "the chart is drawn", "document.querySelector('.chart canvas')")
	browsertest.Until(t, ctx, "the present value is shown", "/^\\d/.test(document.querySelector('.legend b').textContent)")
	began := time.Now()
	f.emit(sensorsPath, "point", object{"id": id, "at": now(0), "value": 31.5, "anomaly": true})
	browsertest.Until(t, ctx, "the value is shown", "document.querySelector('.legend b').textContent === '31.5 °C'")
	if took := time.Since(began); took > time.Second {
		t.Errorf("the point was shown after %v, want at most a second", took)
	}
}

// 2,000 points a second leave the page responsive, by the browser's own trace: the chart is drawn ten times a second, and no
// task keeps the page from what the user does.
func TestManyPointsDoNotFreezeThePage(t *testing.T) {
	ctx := browsertest.New(t)
	watch := browsertest.NewWatch(t, ctx)
	f := newFake(t)
	f.fill()
	ids := []string{f.sensors[0]["id"].(string), f.sensors[1]["id"].(string)}
	browsertest.Size(t, ctx, 1280, 800)
	show(t, ctx, f.URL+"/?view=sensors&window=1m&ids="+ids[0]+","+ids[1])
	testutil.Eventually(t, "the stream is open", func() bool { return f.openStreams(sensorsPath) == 1 })
	const perSecond, seconds = 2000, 6
	sent := 0
	got := browsertest.Trace(t, ctx, func() {
		for began := time.Now(); time.Since(began) < seconds*time.Second; time.Sleep(10 * time.Millisecond) {
			for due := int(time.Since(began).Seconds() * perSecond); sent < due; sent++ {
				f.emit(sensorsPath, "point", object{"id": ids[sent%2], "at": now(0), "value": 20 + float64(sent%50)/10, "anomaly": sent%500 == 0})
			}
		}
	})
	t.Logf("%d points in %d s: %d frames, 95%% of them within %v, the longest after %v; the longest task took %v", sent, seconds, got.Count, got.P95, got.Longest, got.Task)
	if got.Count < 5*seconds || got.P95 > 300*time.Millisecond || got.Longest > time.Second || got.Task > 250*time.Millisecond {
		t.Errorf("%+v: the page freezes", got)
	}
	noErrors(t, watch, "many points")
}

// As many events and points as a day brings do not make the page grow: its elements and its memory stay.
func TestPageDoesNotGrow(t *testing.T) {
	t.Parallel() // it waits more than it computes
	for name, address := range map[string]func(sensor string) string{
		"now":     func(string) string { return "/" },
		"sensors": func(sensor string) string { return "/?view=sensors&window=1m&ids=" + sensor },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := browsertest.New(t)
			f := newFake(t)
			f.fill()
			id := f.sensors[0]["id"].(string)
			elements := func() int { return browsertest.Evaluate[int](t, ctx, "document.querySelectorAll('*').length") }
			show(t, ctx, f.URL+address(id))
			testutil.Eventually(t, "the stream is open", func() bool { return f.openStreams(eventsPath) == 1 })
			burst := func() {
				for i := range 4000 {
					f.emit(eventsPath, "recognition", object{"id": i, "device": "1026700", "outcome": "recognized"})
					f.emit(sensorsPath, "point", object{"id": id, "at": now(0), "value": float64(i % 40)})
					if i%500 == 0 {
						f.edit(func() { // another result is the newest
							f.results = append([]object{{"id": now(0), "created_at": now(0), "source": "http", "outcome": "recognized", "result": recognition("umbrella", 0.9)}}, f.results...)
						})
						time.Sleep(100 * time.Millisecond)
					}
				}
				browsertest.Run(t, ctx, "await new Promise(done => setTimeout(done, 1500))")
			}
			burst() // what is compiled and cached once is there now
			before, size := elements(), browsertest.Memory(t, ctx)
			for range 4 {
				burst()
			}
			after, grown := elements(), browsertest.Memory(t, ctx)
			t.Logf("%d elements and %.2f MB, after 16,000 events more %d and %.2f MB", before, float64(size)/1e6, after, float64(grown)/1e6)
			if after > before+20 {
				t.Errorf("it grew from %d to %d elements", before, after)
			}
			if grown > size+1_000_000 {
				t.Errorf("it grew from %d to %d bytes", size, grown)
			}
		})
	}
}

// axe-core finds nothing in any view, in both themes.
func TestAccessibility(t *testing.T) {
	axe, err := os.ReadFile("../build/axe/axe.min.js")
	if err != nil {
		t.Skip("axe-core is not in build/axe, so accessibility is not checked (scripts/setup-axe)")
	}
	ctx := browsertest.New(t)
	f := newFake(t)
	f.fill()
	for theme, width := range map[string]int64{"light": 390, "dark": 1440} {
		prefer(t, ctx, f.URL, "theme", theme)
		browsertest.Size(t, ctx, width, 900)
		for name, address := range views {
			show(t, ctx, f.URL+address)
			browsertest.Run(t, ctx, string(axe))
			found := browsertest.Evaluate[string](t, ctx, `axe.run(document, { resultTypes: ['violations'] }).then(r => r.violations.map(v => v.id + ': ' + v.help + '\n' + v.nodes.slice(0, 4).map(n => '  ' + n.html.slice(0, 160) + ' ' + (n.any[0]?.message ?? '')).join('\n')).join('\n'))`)
			if found != "" {
				t.Errorf("%s, %s, %d px: %s", name, theme, width, found)
			}
		}
	}
}

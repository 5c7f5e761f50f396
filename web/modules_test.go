package web_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"edgelens/internal/testutil/browsertest"
)

// inModules evaluates statements with modules of the page, by their names; they return a text.
func inModules(t *testing.T, ctx context.Context, statements string, names ...string) string {
	t.Helper()
	var imports strings.Builder
	for _, name := range names {
		fmt.Fprintf(&imports, "const %s = await import(new URL('%s.js', document.querySelector('script[type=module]').src));\n", strings.ReplaceAll(name, "/", "_"), name)
	}
	return browsertest.Evaluate[string](t, ctx, "(async () => {\n"+imports.String()+statements+"\n})()")
}

func newModules(t *testing.T) context.Context {
	t.Helper()
	ctx := browsertest.New(t)
	show(t, ctx, newFake(t).URL)
	return ctx
}

// However a network cuts the stream, the events are the same.
func TestStreamIsParsedInAnyParts(t *testing.T) {
	ctx := newModules(t)
	got := inModules(t, ctx, `
		const text = ': hello\n\nid: 1\nevent: point\ndata: {"a":\ndata: 1}\n\r\nid:2\r\ndata: x\r\n\r\ndata\n\nevent: empty\n\nid: 3\ndata: ends\n\nid: 4\ndata: cut off'
		const all = new Set()
		for (let cut = 0; cut <= text.length; cut++) for (const size of [1, 7, text.length]) {
			const events = []
			const parser = new stream.Parser(event => events.push([event.id, event.type, event.data]))
			parser.add(text.slice(0, cut))
			for (let i = cut; i < text.length; i += size) parser.add(text.slice(i, i + size))
			all.add(JSON.stringify(events))
		}
		return [...all].join('\n')`, "stream")
	if want := `[["1","point","{\"a\":\n1}"],["2","message","x"],["","message",""],["3","message","ends"]]`; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// A stream that ends is resumed after its last event, and an event that comes again is passed on once.
func TestStreamResumesWithoutRepeating(t *testing.T) {
	ctx := newModules(t)
	got := inModules(t, ctx, `
		const connections = [[1, 2], 'fails', [2, 3, 3], 503, [1, 4]], asked = [], events = []
		const real = window.fetch
		window.fetch = async (url, options) => {
			asked.push(options.headers['Last-Event-ID'] ?? '')
			const next = connections.shift()
			if (next === 'fails') throw new TypeError('network')
			if (typeof next === 'number') return new Response('', { status: next })
			const text = (next ?? []).map(id => 'id: ' + id + '\ndata: d\n\n').join('')
			return new Response(next ? text : new ReadableStream(), { headers: { 'Content-Type': 'text/event-stream' } })
		}
		const one = new stream.Stream('/api/events', event => events.push(event.id))
		one.start()
		one.start() // already runs
		for (let i = 0; i < 200 && asked.length < 6; i++) {
			await new Promise(done => setTimeout(done, 10))
			one.retry()
		}
		one.stop()
		window.fetch = real
		return events.join(',') + ' asked ' + asked.slice(0, 6).join(',')`, "stream")
	if want := "1,2,3,4 asked ,2,2,3,3,4"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A series takes a fixed number of places, whatever comes.
func TestBucketsAreBounded(t *testing.T) {
	ctx := newModules(t)
	got := inModules(t, ctx, `
		const series = new buckets.Buckets(60_000, 60)
		const start = 1_800_000_000_000
		for (let i = 0; i < 100_000; i++) series.add(start + i * 10, { value: i % 7 })
		for (const bad of [NaN, Infinity, -Infinity, undefined, null, 'x']) series.add(start + 999_000, { value: bad })
		series.add(NaN, { value: 1 })
		series.add(0, { value: 1e308 })
		series.add(start, { value: 1e308 }) // older than the window
		series.add(start + 999_500, { mean: 3, min: -5, max: 50, count: 100, anomaly: true })
		const c = series.columns(start + 1_000_000 - 1)
		return [c.times.length, c.means.every(Number.isFinite), Math.max(...c.highs), Math.min(...c.lows), c.anomalies.join(), c.counts[0], c.counts.at(-1), series.sums.length].join(' ')`, "buckets")
	if want := "60 true 50 -5 59 100 200 60"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A command to copy, and a cell of a table to save, do no more than they show.
func TestTextsThatLeaveThePageAreQuoted(t *testing.T) {
	ctx := newModules(t)
	got := inModules(t, ctx, `
		return [upload.curl('http://h', 'a b.jpg', true), upload.curl('http://h', "$(rm -rf ~)'.jpg", false), upload.curl('http://h', 'cat.jpg', false), upload.curl('http://h', 'a;type=text/x.jpg', false),
			...['=1+1', '-x', '@x', 'a,"b"', 'plain', '+1'].map(views_sensor_detail.cell)].join('\n')`, "upload", "views/sensor_detail")
	want := `curl -H 'Authorization: Bearer elk_...' -F file=@'a b.jpg' 'http://h/api/recognize?top_k=5'
curl -F file=@'$(rm -rf ~)'\''.jpg' 'http://h/api/recognize?top_k=5'
curl -F file=@cat.jpg 'http://h/api/recognize?top_k=5'
curl -F file=@photo.jpg 'http://h/api/recognize?top_k=5'
'=1+1
'-x
'@x
"a,""b"""
plain
'+1`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// The first value of a sensor, and one between gaps, is a dot on the chart: a line needs two.
func TestLonelyValuesAreDots(t *testing.T) {
	ctx := newModules(t)
	got := inModules(t, ctx, `
		return [[], [5], [null, 5, null], [1, 2, null, 3, null, null, 4], [1, 2, 3], [null, undefined]].map(values => chart.alone(values).join()).join(' ')`, "chart")
	if want := " 0 1 3,6  "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

//go:build cgo

package page

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"edgelens/internal/testutil/browsertest"
	"edgelens/models/modeltest"
)

// browserAccept is what Chromium and Firefox send for a page.
const browserAccept = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"

// Browsers get the page at the address where clients of old get what they always got.
func TestFrontDoor(t *testing.T) {
	s := newService(t).start()
	for accept, isPage := range map[string]bool{browserAccept: true, "text/html": true, "*/*": false, "application/json": false, "application/json, text/html;q=0.5": false, "": false, "text/html;q=nonsense": false, "text/html;q=0": false} {
		response, body := s.get("/", accept)
		if isPage && (response.StatusCode != 200 || !strings.Contains(body, `<div id="app"`) || response.Header.Get("ETag") == "") {
			t.Errorf("Accept: %s: %d", accept, response.StatusCode)
		}
		if !isPage && (response.StatusCode != 302 || response.Header.Get("Location") != "/docs") {
			t.Errorf("Accept: %s: %d to %q", accept, response.StatusCode, response.Header.Get("Location"))
		}
		if !strings.Contains(strings.Join(response.Header.Values("Vary"), ","), "Accept") {
			t.Errorf("Accept: %s: Vary is %q", accept, response.Header.Values("Vary"))
		}
	}
}

func open(t *testing.T, ctx context.Context, url string) {
	t.Helper()
	browsertest.Open(t, ctx, url)
	browsertest.Until(t, ctx, "the page is there and all is well", "document.querySelector('.pill-ok') && !document.querySelector('.skeleton')")
}

// drop drops a file on the page.
func drop(t *testing.T, ctx context.Context, name, contentType string, content []byte) {
	t.Helper()
	browsertest.Run(t, ctx, fmt.Sprintf(`const bytes = Uint8Array.from(atob(%q), c => c.charCodeAt(0))
		const transfer = new DataTransfer()
		transfer.items.add(new File([bytes], %q, { type: %q }))
		document.querySelector('.drop').dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }))`,
		base64.StdEncoding.EncodeToString(content), name, contentType))
}

func noErrors(t *testing.T, watch *browsertest.Watch, expected ...string) {
	t.Helper()
	for _, line := range watch.Errors(expected...) {
		t.Errorf("the console has %s", line)
	}
}

// A dropped image is recognized; what is none is refused with a sentence. All of it is small.
func TestDroppedImageIsRecognized(t *testing.T) {
	s := newService(t).start()
	ctx := browsertest.New(t)
	watch := browsertest.NewWatch(t, ctx)
	open(t, ctx, s.url)
	if bytes := watch.Transferred(); bytes > 200_000 || bytes < 20_000 {
		t.Errorf("the first view transferred %d bytes, want at most 200,000", bytes)
	} else {
		t.Logf("the first view transferred %d bytes", bytes)
	}
	drop(t, ctx, "it's red.png", "image/png", modeltest.Image(modeltest.Red, 64, 48))
	browsertest.Until(t, ctx, "the image is recognized", "document.querySelector('.answer-label')?.textContent.startsWith('red')")
	browsertest.Run(t, ctx, "document.querySelector('.answer details').open = true")
	browsertest.Size(t, ctx, 320, 700)
	if width := browsertest.Evaluate[int](t, ctx, "document.documentElement.scrollWidth"); width > 320 {
		t.Errorf("with an answer, the page is %d px wide on a phone of 320: %s", width, browsertest.Evaluate[string](t, ctx, "[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > 321 && !e.closest('.visually-hidden')).slice(0, 5).map(e => e.outerHTML.slice(0, 150)).join('\\n')"))
	}
	if text := browsertest.Evaluate[string](t, ctx, "document.querySelector('.answer').innerText"); !strings.Contains(text, "64 × 48 PNG") || !strings.Contains(text, `-F file=@'it'\''s red.png' '`+s.url+"/api/recognize") {
		t.Errorf("the answer has %q", text)
	}
	noErrors(t, watch)
	drop(t, ctx, "nothing.png", "image/png", []byte("no image at all"))
	browsertest.Until(t, ctx, "the error is shown", "document.querySelector('.answer [role=alert]')?.innerText.includes('Request id')")
	drop(t, ctx, "blue.png", "image/png", modeltest.Image(modeltest.Blue, 64, 48))
	browsertest.Until(t, ctx, "the next image is recognized", "document.querySelector('.answer-label')?.textContent.startsWith('blue')")
	noErrors(t, watch, "415", "Failed to load resource", "400", "422")
}

// A large photo is scaled down in the browser, unless the user wants the original to be sent.
func TestLargeImageIsScaledDown(t *testing.T) {
	s := newService(t).start()
	ctx := browsertest.New(t)
	open(t, ctx, s.url)
	const dropLarge = `const canvas = document.createElement('canvas'); canvas.width = 3000; canvas.height = 2000
		const c = canvas.getContext('2d'), data = c.createImageData(3000, 2000)
		for (let i = 0; i < data.data.length; i += 4) { data.data[i] = 255; data.data[i + 1] = Math.random() * 40; data.data[i + 3] = 255 }
		c.putImageData(data, 0, 0)
		const blob = await new Promise(done => canvas.toBlob(done, 'image/jpeg', 0.9))
		const transfer = new DataTransfer(); transfer.items.add(new File([blob], 'large.jpg', { type: 'image/jpeg' }))
		document.querySelector('.answer').replaceChildren()
		document.querySelector('.drop').dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }))`
	for original, want := range map[string]string{"false": "1,600 × 1,067 JPEG", "true": "3,000 × 2,000 JPEG"} {
		browsertest.Run(t, ctx, "document.querySelector('.drop .switch input').checked = "+original+"; "+dropLarge)
		browsertest.Until(t, ctx, "it is recognized", "document.querySelector('.answer-label')?.textContent.startsWith('red')")
		browsertest.Run(t, ctx, "document.querySelector('.answer details').open = true")
		if text := browsertest.Evaluate[string](t, ctx, "document.querySelector('.answer').innerText"); !strings.Contains(text, want) {
			t.Errorf("original %s: the service got something else than %s: %s", original, want, text)
		}
	}
}

// newest returns the newest result that the service has.
func (s *service) newest() (id string, at time.Time) {
	s.t.Helper()
	_, body := s.get("/api/results?limit=1", "application/json")
	var list struct {
		Results []struct {
			ID        string    `json:"id"`
			CreatedAt time.Time `json:"created_at"`
		} `json:"results"`
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		s.t.Fatalf("%v: %s", err, body)
	}
	if len(list.Results) == 0 {
		return "", time.Time{}
	}
	return list.Results[0].ID, list.Results[0].CreatedAt
}

const shownRecords = "[...document.querySelectorAll('.recent-row')].map(e => new URL(e.href).searchParams.get('id'))"

// A terminal's record appears within two seconds of being stored. When the service restarts, the page goes on by itself,
// and shows nothing twice.
func TestRecordsAppear(t *testing.T) {
	s := newService(t).start()
	ctx := browsertest.New(t)
	watch := browsertest.NewWatch(t, ctx)
	open(t, ctx, s.url)
	appears := func(what string) {
		t.Helper()
		s.simulate("--records", "3", "--serial-prefix", "SIM")
		id, at := s.newest()
		if id == "" {
			t.Fatal("the terminal's records are not in the history")
		}
		browsertest.Until(t, ctx, what, shownRecords+".includes('"+id+"')")
		if took := time.Since(at); took > 2*time.Second {
			t.Errorf("%s after %v, want at most 2 s", what, took)
		}
		if twice := browsertest.Evaluate[bool](t, ctx, "(ids => new Set(ids).size !== ids.length)("+shownRecords+")"); twice {
			t.Error("a record is shown twice")
		}
	}
	appears("a record is shown")
	noErrors(t, watch)

	s.stop()
	browsertest.Until(t, ctx, "the page shows that the service is away", "!document.querySelector('.banner').hidden")
	s.start()
	browsertest.Until(t, ctx, "the page is well again", "document.querySelector('.banner').hidden && document.querySelector('.pill-ok')")
	appears("a record after the restart is shown")
	noErrors(t, watch, "Failed to load resource", "ERR_", "connection")

	browsertest.Run(t, ctx, "document.querySelector('.nav-link[href*=devices]').click()")
	browsertest.Until(t, ctx, "the terminal has a strip of records", "document.querySelector('.device .strip')?.childElementCount >= 3")
	browsertest.Run(t, ctx, "document.querySelector('.strip-mark:last-child').click()")
	browsertest.Until(t, ctx, "a record is open", "location.search.includes('view=record') && document.querySelector('.facts')?.innerText.includes('SIM')")
}

// With a key, the way leads through the login and back to the view; the page names the key and signs out.
func TestLogin(t *testing.T) {
	s := newService(t).start()
	key := s.run("key", "create", "--data-dir", s.data, "--name", "front <b>door</b>", "--scopes", "page,recognize")
	ctx := browsertest.New(t)
	watch := browsertest.NewWatch(t, ctx)
	browsertest.Open(t, ctx, s.url+"/?view=history&label=red")
	browsertest.Until(t, ctx, "the login is shown", "location.pathname === '/login'")
	if err := chromedp.Do(ctx, chromedp.SendKeys(chromedp.CSS("#key"), key+"\r")); err != nil {
		t.Fatal(err)
	}
	browsertest.Until(t, ctx, "the view is shown", "location.search === '?view=history&label=red' && document.querySelector('[name=label]')?.value === 'red'")
	browsertest.Until(t, ctx, "the key is named", "document.querySelector('.account b').textContent === 'front <b>door</b>'")
	browsertest.Run(t, ctx, "document.querySelector('.nav-link').click()")
	drop(t, ctx, "red.png", "image/png", modeltest.Image(modeltest.Red, 64, 48))
	browsertest.Until(t, ctx, "a change by the session is permitted", "document.querySelector('.answer-label')?.textContent.startsWith('red')")
	noErrors(t, watch)
	browsertest.Run(t, ctx, "document.querySelector('.account form').requestSubmit()")
	browsertest.Until(t, ctx, "the session has ended", "location.pathname === '/login'")
}

// Without a sensor, the page shows how to publish a first reading.
func TestNoSensorsYet(t *testing.T) {
	s := newService(t).start()
	ctx := browsertest.New(t)
	open(t, ctx, s.url+"/?view=sensors")
	browsertest.Until(t, ctx, "the line is shown", "document.querySelector('main pre')?.textContent === `mosquitto_pub -h 127.0.0.1 -t sensors/room_101/temperature -m 'Temperature: 23.5'`")
}

// What sensors send is on the chart, with the points that came before the page was open, and an insight that is over is shown as such.
func TestSensorsAreCharted(t *testing.T) {
	s := newService(t).start()
	s.run("sensor", "simulate", "--broker", "mqtt://"+s.mqtt, "--sensors", "3", "--rate", "30", "--duration", "4s")
	ctx := browsertest.New(t)
	watch := browsertest.NewWatch(t, ctx)
	open(t, ctx, s.url+"/?view=sensors")
	browsertest.Until(t, ctx, "a series is charted", "document.querySelector('.chart canvas') && /[0-9]/.test(document.querySelector('.legend b')?.textContent)")
	browsertest.Until(t, ctx, "all series are listed", "[...document.querySelectorAll('main')].some(e => ['sensor_001', 'sensor_002', 'sensor_003'].every(name => e.innerText.includes(name)))")
	for _, line := range watch.Errors() {
		t.Error(line)
	}
}

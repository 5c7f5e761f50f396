package web_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"

	"edgelens/internal/testutil"
	"edgelens/internal/testutil/browsertest"
)

// views are the addresses of all views, of which some show an object of fill.
var views = map[string]string{
	"now": "/", "devices": "/?view=devices", "device": "/?view=device&id=1026700", "history": "/?view=history", "record": "/?view=record&id=0197a000-0000-7000-8000-000000000000",
	"sensors": "/?view=sensors", "system": "/?view=system",
}

// settled is true once a view has read what it shows.
const settled = `document.querySelector('main') && document.querySelector('main').childElementCount > 0 && !document.querySelector('.skeleton') && !document.querySelector('.pill-unknown')`

func show(t *testing.T, ctx context.Context, url string) {
	t.Helper()
	browsertest.Open(t, ctx, url)
	browsertest.Until(t, ctx, url+" has settled", settled)
}

// prefer sets preferences of the page's origin.
func prefer(t *testing.T, ctx context.Context, url string, pairs ...string) {
	t.Helper()
	browsertest.Open(t, ctx, url)
	for i := 0; i < len(pairs); i += 2 {
		browsertest.Run(t, ctx, fmt.Sprintf("localStorage.setItem('edgelens.%s', %q)", pairs[i], pairs[i+1]))
	}
}

func noErrors(t *testing.T, watch *browsertest.Watch, where string, expected ...string) {
	t.Helper()
	for _, line := range watch.Errors(expected...) {
		t.Errorf("%s: the console has %s", where, line)
	}
}

// Every view shows itself, empty and with content, in both languages, without an error and without scrolling sideways on
// the narrowest phone and a wall.
func TestViewsRender(t *testing.T) {
	ctx := browsertest.New(t)
	watch := browsertest.NewWatch(t, ctx)
	for _, content := range []string{"empty", "full"} {
		f := newFake(t)
		if content == "full" {
			f.fill()
		}
		for _, language := range map[string][]string{"empty": {"en"}, "full": {"en", "zh"}}[content] {
			prefer(t, ctx, f.URL, "language", language)
			for name, address := range views {
				if content == "empty" && (name == "device" || name == "record") {
					continue
				}
				for _, width := range []int64{320, 3840} {
					browsertest.Size(t, ctx, width, 900)
					show(t, ctx, f.URL+address)
					where := fmt.Sprintf("%s, %s, %s, %d px", name, content, language, width)
					if over := browsertest.Evaluate[int64](t, ctx, "document.documentElement.scrollWidth - innerWidth"); over > 0 {
						t.Errorf("%s: %d px too wide: %s", where, over, browsertest.Evaluate[string](t, ctx, `[...document.querySelectorAll('main *, .top *, .nav *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.visually-hidden')).slice(0, 5).map(e => e.outerHTML.slice(0, 120)).join('\n')`))
					}
					if titles := browsertest.Evaluate[int](t, ctx, "document.querySelectorAll('h1').length"); titles != 1 {
						t.Errorf("%s: %d first headings", where, titles)
					}
					noErrors(t, watch, where)
				}
			}
			if lang := browsertest.Evaluate[string](t, ctx, "document.documentElement.lang"); !strings.HasPrefix(lang, language) {
				t.Errorf("the page's language is %q, want %q", lang, language)
			}
		}
	}
}

// markup would run if anything on the page parsed it.
const markup = `<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>"'&`

// Names and texts from devices and users are shown as text, wherever they appear.
func TestMarkupIsText(t *testing.T) {
	ctx := browsertest.New(t)
	watch := browsertest.NewWatch(t, ctx)
	f := newFake(t)
	f.fill()
	f.edit(func() {
		f.session["key"], f.session["name"] = "k", markup
		f.health = object{"status": "degraded", "reasons": []object{{"name": markup, "severity": "degraded", "reason": markup}}}
		f.devices[0]["display_name"], f.devices[0]["clock_problem"] = markup, markup
		f.devices[0]["not_understood"] = []object{{"topic": markup, "reason": markup, "count": 2, "first": now(0), "last": now(0), "excerpt": markup}}
		f.devices[1]["id"] = markup
		f.datasets[0]["name"], f.datasets[0]["labels"] = markup, []object{{"label": markup, "count": 1}}
		f.results[0]["result"] = recognition(markup, 0.9)
		f.results[0]["reason"], f.results[0]["event"] = markup, object{"data": object{"record": markup}}
		f.results[0]["outcome"] = markup
		f.sensors[0]["device"], f.sensors[0]["field"], f.sensors[0]["unit"], f.sensors[0]["location"] = markup, markup, markup, markup
		f.insights[0]["summary"], f.insights[0]["actions"] = markup, []string{markup}
	})
	for name, address := range views {
		show(t, ctx, f.URL+address)
		if !strings.Contains(browsertest.Evaluate[string](t, ctx, "document.querySelector('#app').textContent"), markup) {
			t.Errorf("%s does not show the text", name)
		}
		if browsertest.Evaluate[bool](t, ctx, "window.hacked === 1 || document.querySelector('#app img[src=x], #app script') !== null") {
			t.Errorf("%s: markup in a name became part of the page", name)
		}
		noErrors(t, watch, name)
	}
	for _, address := range []string{"/?view=" + markup, "/?view=device&id=" + markup, "/?view=record&id=" + markup, "/?view=history&label=" + markup, "/?view=sensors&ids=" + markup + "%E0%A4%A"} {
		show(t, ctx, f.URL+strings.NewReplacer(" ", "%20", `"`, "%22", "<", "%3C", ">", "%3E", "&", "%26").Replace(address[:2])+strings.NewReplacer(" ", "%20", `"`, "%22", "<", "%3C", ">", "%3E").Replace(address[2:]))
		if browsertest.Evaluate[bool](t, ctx, "window.hacked === 1") {
			t.Errorf("%s ran", address)
		}
	}
}

// The page offers what the key permits, and explains what is missing.
func TestReadOnlyKey(t *testing.T) {
	ctx := browsertest.New(t)
	watch := browsertest.NewWatch(t, ctx)
	f := newFake(t)
	f.fill()
	f.edit(func() {
		f.session = object{"key": "abcd", "name": "wall display", "scopes": []string{"page"}, "see_all": true, "csrf_token": "t"}
	})
	show(t, ctx, f.URL)
	if text := browsertest.Evaluate[string](t, ctx, "document.querySelector('.drop').innerText"); !strings.Contains(text, "may not recognize") || browsertest.Evaluate[int](t, ctx, "document.querySelectorAll('.drop button').length") != 0 {
		t.Errorf("the drop zone has %q", text)
	}
	if name := browsertest.Evaluate[string](t, ctx, "document.querySelector('.account').textContent"); !strings.Contains(name, "wall display") {
		t.Errorf("the account has %q", name)
	}
	for _, address := range []string{"/?view=devices", "/?view=device&id=FS-88213", "/?view=system"} {
		show(t, ctx, f.URL+address)
		if found := browsertest.Evaluate[string](t, ctx, "[...document.querySelectorAll('main button, main form')].map(e => e.innerText).join(' ')"); strings.Contains(found, "Accept") || strings.Contains(found, "Send") || strings.Contains(found, "oad") {
			t.Errorf("%s offers %q", address, found)
		}
	}
	noErrors(t, watch, "read-only key")
}

// A session that ends leads to the login and back to the same view.
func TestSessionEnds(t *testing.T) {
	ctx := browsertest.New(t)
	f := newFake(t)
	f.fill()
	show(t, ctx, f.URL+"/?view=history&label=umbrella")
	f.edit(func() { f.failing["/api/results"] = 401 })
	browsertest.Run(t, ctx, "document.querySelector('.filters').requestSubmit(); document.querySelector('[name=label]').value = 'laptop'; document.querySelector('.filters').requestSubmit()")
	browsertest.Until(t, ctx, "the page is signed out", "document.querySelector('main a[href^=\"/login\"]')")
	if got := browsertest.Evaluate[string](t, ctx, "new URL(document.querySelector('main a[href^=\"/login\"]').href).searchParams.get('next')"); got != "/?view=history&label=laptop" {
		t.Errorf("the login leads back to %q", got)
	}
	testutil.Eventually(t, "no stream is open", func() bool { return f.openStreams(eventsPath) == 0 })
	if title := browsertest.Evaluate[string](t, ctx, "document.title"); !strings.Contains(title, "Signed out") {
		t.Errorf("the title is %q", title)
	}
}

// While the service is away, the page shows it and keeps what it shows; then it goes on by itself.
func TestServiceIsAway(t *testing.T) {
	t.Parallel() // it waits more than it computes
	ctx := browsertest.New(t)
	f := newFake(t)
	f.fill()
	var away atomic.Bool
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away.Load() {
			panic(http.ErrAbortHandler)
		}
		f.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
	})
	show(t, ctx, front.URL)
	rows := browsertest.Evaluate[int](t, ctx, "document.querySelectorAll('.recent-row').length")
	away.Store(true)
	front.CloseClientConnections()
	browsertest.Until(t, ctx, "the page shows that the service is away", "!document.querySelector('.banner').hidden && document.querySelector('.pill-unavailable') && document.title.startsWith('(1)')")
	if now := browsertest.Evaluate[int](t, ctx, "document.querySelectorAll('.recent-row').length"); now != rows || rows == 0 {
		t.Errorf("%d recent rows while the service is away, %d before", now, rows)
	}
	away.Store(false)
	browsertest.Until(t, ctx, "the page is well again", "document.querySelector('.banner').hidden && document.querySelector('.pill-ok') && !document.title.startsWith('(')")
	testutil.Eventually(t, "the stream is open again", func() bool { return f.openStreams(eventsPath) == 1 })
}

// The address has the state: the back button returns to it, and a link shows it.
func TestStateIsInTheAddress(t *testing.T) {
	ctx := browsertest.New(t)
	watch := browsertest.NewWatch(t, ctx)
	f := newFake(t)
	f.fill()
	show(t, ctx, f.URL)
	click := func(selector string) {
		t.Helper()
		browsertest.Run(t, ctx, fmt.Sprintf("document.querySelector(%q).click()", selector))
	}
	at := func(search, what, condition string) {
		t.Helper()
		browsertest.Until(t, ctx, what, fmt.Sprintf("location.search === %q && !document.querySelector('.skeleton') && (%s)", search, condition))
	}
	click(".nav-link[href*=history]")
	at("?view=history", "the history is shown", "document.querySelectorAll('.row').length === 50")
	browsertest.Run(t, ctx, "document.querySelector('[name=label]').value = 'umbrella'; document.querySelector('.filters').requestSubmit()")
	at("?view=history&label=umbrella", "the filter is in the address", "[...document.querySelectorAll('.row-label')].every(e => e.textContent === 'umbrella')")
	first := browsertest.Evaluate[string](t, ctx, "document.querySelector('.row').href")
	click(".row")
	browsertest.Until(t, ctx, "the record is shown", "document.querySelector('main h1').textContent === 'umbrella' && document.activeElement.id === 'main'")
	if got := browsertest.Evaluate[string](t, ctx, "location.href"); got != first {
		t.Errorf("the record is at %s, want %s", got, first)
	}
	browsertest.Run(t, ctx, "history.back()")
	at("?view=history&label=umbrella", "back leads to the filter", "document.querySelector('[name=label]').value === 'umbrella'")
	browsertest.Run(t, ctx, "history.back()")
	at("?view=history", "back leads to all", "document.querySelector('[name=label]').value === ''")
	click(".center button")
	browsertest.Until(t, ctx, "there is more", "document.querySelectorAll('.row').length === 100")
	if found := browsertest.Evaluate[int](t, ctx, "new Set([...document.querySelectorAll('.row')].map(e => e.href)).size"); found != 100 {
		t.Errorf("100 rows have %d records", found)
	}
	if href := browsertest.Evaluate[string](t, ctx, "document.querySelector('a[download]').getAttribute('href')"); href != "/api/results/export?format=csv" {
		t.Errorf("the export is %q", href)
	}
	noErrors(t, watch, "the way through the page")
}

// Of many devices, a part is shown, with those that wait for a decision; the others are found by a search.
func TestManyDevices(t *testing.T) {
	ctx := browsertest.New(t)
	watch := browsertest.NewWatch(t, ctx)
	f := newFake(t)
	f.edit(func() {
		for n := range 250 {
			f.devices = append(f.devices, object{"id": fmt.Sprintf("T%03d", n), "dialect": "fungxi", "state": "accepted", "online": n%2 == 0, "apply_clock_offset": false, "counters": object{}, "last_seen": now(0)})
		}
		f.devices[240]["state"] = "quarantined"
		f.devices[249]["display_name"] = "Loading bay"
	})
	show(t, ctx, f.URL+"/?view=devices")
	browsertest.Until(t, ctx, "a page is shown, and the one that waits, first", "document.querySelectorAll('.device').length === 101 && document.querySelector('.device a').textContent === 'T240'")
	browsertest.Until(t, ctx, "all are counted", "document.querySelector('.chip-count').textContent === '250'")
	browsertest.Run(t, ctx, "document.querySelector('.center button').click()")
	browsertest.Until(t, ctx, "there are more", "document.querySelectorAll('.device').length === 201")
	browsertest.Run(t, ctx, "const search = document.querySelector('[name=search]'); search.value = 'loading'; search.dispatchEvent(new Event('input'))")
	browsertest.Until(t, ctx, "one is found", "document.querySelectorAll('.device').length === 1 && document.querySelector('.device a').textContent === 'Loading bay'")
	browsertest.Run(t, ctx, "const again = document.querySelector('[name=search]'); again.value = 'nothing'; again.dispatchEvent(new Event('input'))")
	browsertest.Until(t, ctx, "none is found", "document.querySelector('.state-title') && !document.querySelector('.center button')")
	noErrors(t, watch, "many devices")
}

// By the keyboard alone: the link to the content, the strip of records, a tooltip.
func TestKeyboard(t *testing.T) {
	ctx := browsertest.New(t)
	f := newFake(t)
	f.fill()
	show(t, ctx, f.URL+"/?view=devices")
	browsertest.Until(t, ctx, "the strip has records", "document.querySelectorAll('.device .strip')[1].childElementCount > 20")
	if stops := browsertest.Evaluate[int](t, ctx, "document.querySelectorAll('.device .strip')[1].querySelectorAll('[tabindex=\"0\"]').length"); stops != 1 {
		t.Errorf("a strip has %d stops of the Tab key, want 1", stops)
	}
	browsertest.Run(t, ctx, "document.querySelectorAll('.device .strip')[1].querySelector('[tabindex=\"0\"]').focus()")
	before := browsertest.Evaluate[string](t, ctx, "document.activeElement.href")
	if err := chromedp.Do(ctx, chromedp.KeyEvent("\u0302")); err != nil { // the left arrow
		t.Fatal(err)
	}
	browsertest.Until(t, ctx, "the arrow has moved the focus", fmt.Sprintf("document.activeElement.matches('.strip-mark') && document.activeElement.href !== %q", before))
	browsertest.Until(t, ctx, "focus shows the record", "!document.querySelector('.tip').hidden && document.querySelector('.tip').textContent === document.activeElement.getAttribute('aria-label')")
	browsertest.Run(t, ctx, "document.querySelector('.skip').click()")
	if id := browsertest.Evaluate[string](t, ctx, "document.activeElement.id"); id != "main" {
		t.Errorf("the link to the content moves the focus to %q", id)
	}
}

// What an operator does reaches the API once it is confirmed, and not before.
func TestDeviceActions(t *testing.T) {
	ctx := browsertest.New(t)
	watch := browsertest.NewWatch(t, ctx)
	f := newFake(t)
	f.fill()
	show(t, ctx, f.URL+"/?view=device&id=1026700")
	press := func(scope, text string) {
		t.Helper()
		browsertest.Run(t, ctx, fmt.Sprintf("[...document.querySelectorAll(%q)].find(e => e.textContent.trim() === %q).click()", scope+" button", text))
	}
	calls := func() string {
		f.mu.Lock()
		defer f.mu.Unlock()
		return strings.Join(f.calls, ", ")
	}
	press("main", "Forget")
	browsertest.Until(t, ctx, "the page asks", "document.querySelector('dialog[open]')")
	press("dialog", "Cancel")
	browsertest.Until(t, ctx, "the question is closed", "!document.querySelector('dialog')")
	if got := calls(); got != "" {
		t.Errorf("without consent the page called %s", got)
	}
	browsertest.Run(t, ctx, "const form = document.querySelector('.inline-form'); form.querySelector('input').value = 'Main entrance'; form.requestSubmit()")
	browsertest.Until(t, ctx, "the name is shown", "document.querySelector('h1').textContent === 'Main entrance'")
	browsertest.Until(t, ctx, "the last commands are shown", "document.querySelector('.commands').textContent.includes('The door is stuck.')")
	press("main", "Send")
	browsertest.Until(t, ctx, "the page asks", "document.querySelector('dialog[open]')")
	press("dialog", "Send")
	browsertest.Until(t, ctx, "the command's outcome is shown", "document.querySelector('.commands').textContent.includes('the terminal confirms {\"cmd\":\"open\"}')")
	press("main", "Forget")
	browsertest.Until(t, ctx, "the page asks", "document.querySelector('dialog[open]')")
	press("dialog", "Forget")
	browsertest.Until(t, ctx, "the list is shown", "location.search === '?view=devices'")
	if got := calls(); !strings.HasPrefix(got, "PATCH /api/devices/1026700, POST /api/devices/1026700/commands, ") || !strings.HasSuffix(got, "DELETE /api/devices/1026700") {
		t.Errorf("the page called %s", got)
	}
	noErrors(t, watch, "actions")
}

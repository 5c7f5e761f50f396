package api_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"edgelens/api"
	"edgelens/internal/testutil/browsertest"
)

// tryForm fills in and sends the form of a call, and returns the line with its outcome and the text of the answer.
const tryForm = `(async (id, values, image) => {
	const form = document.querySelector('#' + id + ' .try form')
	form.closest('details').open = true
	for (const field of form.querySelectorAll('[data-where]')) {
		if (field.name in values) field.value = values[field.name]
		if (field.dataset.where === 'body' && values.body) field.value = values.body
		if (field.dataset.where === 'image') {
			const files = new DataTransfer()
			files.items.add(new File([image], 'cat.jpg'))
			field.files = files.files
		}
	}
	form.requestSubmit()
	const line = form.querySelector('.line')
	for (let i = 0; i < 200 && (line.textContent === '' || line.textContent === 'Sending...' || !form.querySelector('.stop').hidden); i++) {
		await new Promise((resolve) => setTimeout(resolve, 25))
	}
	return line.textContent + '\n' + form.querySelector('.curl').textContent + '\n' + form.querySelector('.body').textContent
})`

// The forms of the page send their calls, with its policy in force, and show answers as text.
func TestDocsFormsInBrowser(t *testing.T) {
	ctx := browsertest.New(t)
	doors := &devices{}
	log := &activityLog{}
	page := "http://" + listen(t, func(_ *api.Config, p *api.Parts) { p.Devices, p.Activity = doors, log }) + "/docs"
	browsertest.Open(t, ctx, page)
	try := func(arguments string) string {
		t.Helper()
		got, err := chromedp.Run(ctx, chromedp.Evaluate[string](tryForm+"("+arguments+")", chromedp.EvalAwaitPromise))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for arguments, want := range map[string][]string{
		`'listModels', {}`:                       {"200 OK", `"name": "m"`, "curl 'http://127.0.0.1:"},
		`'getActivity', {window: '7m'}`:          {"200 OK", `"step_seconds": 5`, "/api/activity?window=7m'"},
		`'getModel', {name: 'a/b c'}`:            {"404 Not Found", "unknown_model", "/api/models/a%2Fb%20c'"},
		`'recognize', {top_k: '2'}, 'an image'`:  {"200 OK", "Egyptian cat", "--data-binary @'cat.jpg'", "?top_k=2'"},
		`'cancelJob', {id: 'x'}`:                 {"400 Bad Request", "must be a UUID", "-X DELETE"},
		`'login', {key: 'elk_x', next: '/docs'}`: {"401 Unauthorized", "This key is not valid", "--data-urlencode key=\"$EDGELENS_KEY\" --data-urlencode 'next=/docs'"},
		`'logout', {}`:                           {"200 OK", "edgelens login", "-X POST"},
		`'getDevice', {id: 'new'}`:               {"200 OK", `"dialect": "camera"`},
		`'changeDevice', {id: 'new', body: '{"display_name":"<img src=x onerror=document.title=1>"}'}`: {"200 OK", `"display_name": "<img src=x onerror=document.title=1>"`, "-X PATCH"},
	} {
		got := try(arguments)
		for _, part := range want {
			if !strings.Contains(got, part) {
				t.Errorf("%s: %q has no %q", arguments, got, part)
			}
		}
	}
	if len(doors.changes) != 1 {
		t.Errorf("the devices were changed %d times", len(doors.changes))
	}
	const facts = `JSON.stringify([document.title, document.querySelectorAll('.outcome img[src^=x]').length, getComputedStyle(document.querySelector('.operation')).borderTopWidth])`
	if got, err := chromedp.Run(ctx, chromedp.Evaluate[string](facts)); err != nil || got != `["edgelens API",0,"1px"]` {
		t.Errorf("the page is %s, %v", got, err)
	}
}

// The page fits a phone: nothing is wider than it.
func TestDocsOnAPhone(t *testing.T) {
	ctx := browsertest.New(t)
	page := "http://" + listen(t, nil) + "/docs"
	if _, err := chromedp.Run(ctx, chromedp.EmulateViewport(320, 640)); err != nil {
		t.Fatal(err)
	}
	const widths = `(async () => {
		for (const details of document.querySelectorAll('details')) details.open = true
		await new Promise(requestAnimationFrame)
		const wide = [...document.querySelectorAll('main *')].filter((e) => e.getBoundingClientRect().right > 321 && !e.closest('pre, .wide'))
		return document.documentElement.scrollWidth + ' ' + wide.slice(0, 3).map((e) => e.outerHTML.slice(0, 120)).join(' | ')
	})()`
	if got := evaluate(t, ctx, page, widths); got != "320 " {
		t.Errorf("the page is wider than a phone: %s", got)
	}
}

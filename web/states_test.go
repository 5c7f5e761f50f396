package web_test

import (
	"strings"
	"testing"

	"edgelens/internal/testutil"
	"edgelens/internal/testutil/browsertest"
)

// States are shown with the part of the latest image that they are about; a change arrives as an event, and is announced once.
func TestStatesAreShown(t *testing.T) {
	ctx := browsertest.New(t)
	watch := browsertest.NewWatch(t, ctx)
	f := newFake(t)
	f.fill()
	show(t, ctx, f.URL+"/")
	text := func() string {
		return browsertest.Evaluate[string](t, ctx, "document.querySelector('.places').innerText")
	}
	browsertest.Until(t, ctx, "the image is shown", "document.querySelector('.place-crop img')?.naturalWidth > 0")
	for _, want := range []string{"gate", "open", "94%", "Yard", "Perhaps closed: 1 of 3 equal answers", "stale: no new image", "unknown", "images over HTTP", "edgelens model verify bin"} {
		if got := text(); !strings.Contains(got, want) {
			t.Errorf("%q is not in:\n%s", want, got)
		}
	}
	// The crop has half the width and half the height of a 320x200 image.
	if got := browsertest.Evaluate[string](t, ctx, "(i => [i.style.width, i.style.left, i.style.top, i.parentElement.style.aspectRatio, i.alt].join('|'))(document.querySelector('.place-crop img'))"); got != "200%|-50%|0%|160 / 100|The latest image of gate" {
		t.Errorf("the image is %s", got)
	}
	testutil.Eventually(t, "the stream is open", func() bool { return f.openStreams(eventsPath) == 1 })
	f.edit(func() { f.states[0] = state("gate", "cam-yard", "closed", 0.99) })
	f.emit(eventsPath, "state", object{"state": "gate", "device": "cam-yard"})
	browsertest.Until(t, ctx, "the change is shown", "document.querySelector('.place-label').textContent === 'closed'")
	if got := browsertest.Evaluate[string](t, ctx, "document.querySelector('.card:has(.places) [role=status]').textContent"); got != "gate is closed now." {
		t.Errorf("announced is %q", got)
	}
	f.edit(func() { f.states = nil })
	f.emit(eventsPath, "state", object{"state": "gate"})
	browsertest.Until(t, ctx, "what makes one is shown", "document.querySelector('.now-recent').textContent.includes('--states-list')")
	noErrors(t, watch, "states")
}

package terminal

import (
	"testing"

	"edgelens"
)

// The latest presence is published, however often it changes before it was: a device that
// is back must not stay offline.
func TestLatestPresenceIsPublished(t *testing.T) {
	device := func(online bool) []edgelens.Device { return []edgelens.Device{{ID: "F1", Online: online}} }
	next := func(a *availabilities, want presenceState) {
		t.Helper()
		if id, state, ok := a.next(); !ok || id != "F1" || state != want {
			t.Errorf("next is %q, %q, %v, want %q", id, state, ok, want)
		}
	}
	a := newAvailabilities(nil, nil)
	a.changed(device(true))
	next(a, statusOnline)
	a.published("F1", statusOnline)
	if _, _, ok := a.next(); ok {
		t.Error("it is published twice")
	}

	// It is back before "offline" was published.
	a.changed(device(false))
	a.changed(device(true))
	next(a, statusOnline)
	a.published("F1", statusOnline)

	// It is back while "offline" is being published.
	a.changed(device(false))
	next(a, statusOffline)
	a.changed(device(true))
	a.published("F1", statusOffline)
	next(a, statusOnline)
	a.published("F1", statusOnline)
	if _, _, ok := a.next(); ok {
		t.Error("it is published once more")
	}

	// It is forgotten, and so is what was published.
	a.remove([]string{"F1", "F2"})
	next(a, removed)
	a.published("F1", removed)
	if id, _, ok := a.next(); ok {
		t.Errorf("%q was not published, and is removed", id)
	}
}

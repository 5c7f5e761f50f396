package terminal

import (
	"testing"

	"edgelens"
)

// The latest presence is published, however often it changes before it was: a device that
// is back must not stay offline.
func TestLatestPresenceIsPublished(t *testing.T) {
	device := func(online bool) []edgelens.Device { return []edgelens.Device{{ID: "F1", Online: online}} }
	next := func(a *availabilities, want bool) {
		t.Helper()
		if id, online, ok := a.next(); !ok || id != "F1" || online != want {
			t.Errorf("next is %q, online %v, %v, want online %v", id, online, ok, want)
		}
	}
	a := newAvailabilities(nil, nil)
	a.changed(device(true))
	next(a, true)
	a.published("F1", true)
	if _, _, ok := a.next(); ok {
		t.Error("it is published twice")
	}

	// It is back before "offline" was published.
	a.changed(device(false))
	a.changed(device(true))
	next(a, true)
	a.published("F1", true)

	// It is back while "offline" is being published.
	a.changed(device(false))
	next(a, false)
	a.changed(device(true))
	a.published("F1", false)
	next(a, true)
	a.published("F1", true)
	if _, _, ok := a.next(); ok {
		t.Error("it is published once more")
	}
}

package testutil

import "testing"

// Rounds is how often a test repeats what it checks: full, or with -short a number that takes a fraction of a second.
func Rounds(full, short int) int {
	if testing.Short() {
		return short
	}
	return full
}

// SkipIfShort skips the test with -short, for the reason given: it starts a server or a browser, or kills many processes.
func SkipIfShort(t testing.TB, why string) {
	t.Helper()
	if testing.Short() {
		t.Skip("not with -short: " + why)
	}
}

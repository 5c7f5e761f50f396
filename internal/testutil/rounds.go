package testutil

import (
	"os"
	"strconv"
	"testing"
)

// Rounds is how often a test repeats what it checks: full, or with -short a number that takes a fraction of a second.
func Rounds(full, short int) int {
	if testing.Short() {
		return short
	}
	return full
}

// turnVariable is a number that is another one with each commit: make test sets it.
const turnVariable = "EDGELENS_TEST_TURN"

// EveryNth is each n-th of the items, others with each commit, so that all of them have their turn; all of them at once where
// EDGELENS_TEST_TURN is not set, as with plain go test. It is for items that repeat one check, and cost much.
func EveryNth[T any](t testing.TB, n int, items []T) (part []T) {
	t.Helper()
	text := os.Getenv(turnVariable)
	if text == "" {
		return items
	}
	turn, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		t.Fatalf("%s: %v", turnVariable, err)
	}
	for i := int(turn % uint64(n)); i < len(items); i += n {
		part = append(part, items[i])
	}
	return part
}

// SkipIfShort skips the test with -short, for the reason given: it starts a server or a browser, or kills many processes.
func SkipIfShort(t testing.TB, why string) {
	t.Helper()
	if testing.Short() {
		t.Skip("not with -short: " + why)
	}
}

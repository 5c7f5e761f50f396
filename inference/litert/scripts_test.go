package litert

import (
	"os"
	"strings"
	"testing"
)

// The script fetches the library that New accepts.
func TestScriptFetchesThisLibrary(t *testing.T) {
	script, err := os.ReadFile("../../scripts/setup-litert")
	if err != nil {
		t.Fatal(err)
	}
	for arch, sum := range libraryDigests {
		if !strings.Contains(string(script), "["+arch+"]="+sum) {
			t.Errorf("scripts/setup-litert has another SHA-256 of the library for %s", arch)
		}
	}
	if !strings.Contains(string(script), "\nversion="+Version+" ") {
		t.Errorf("scripts/setup-litert fetches another version than %s", Version)
	}
}

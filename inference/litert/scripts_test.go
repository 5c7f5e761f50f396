package litert

import (
	"os"
	"strings"
	"testing"
)

// The script fetches the libraries that New accepts.
func TestScriptFetchesTheseLibraries(t *testing.T) {
	script, err := os.ReadFile("../../scripts/setup-litert")
	if err != nil {
		t.Fatal(err)
	}
	for _, arch := range []string{"amd64", "arm64"} {
		if len(Digests(arch)) != 2 {
			t.Errorf("%d libraries for %s, want 2", len(Digests(arch)), arch)
		}
		for file, sum := range Digests(arch) {
			if !strings.Contains(string(script), "["+arch+"]="+sum) || !strings.Contains(string(script), "="+file+"\n") {
				t.Errorf("scripts/setup-litert has another SHA-256 of %s for %s", file, arch)
			}
		}
	}
	if !strings.Contains(string(script), "\nversion="+Version+" ") || !strings.Contains(string(script), "\npackage="+Package+"\n") {
		t.Errorf("scripts/setup-litert fetches another package than %s %s", Package, Version)
	}
}

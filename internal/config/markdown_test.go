package config_test

import (
	"bytes"
	"os"
	"testing"

	"edgelens/internal/config"
)

// docs/configuration.md is what the settings are.
func TestConfigurationPageIsCurrent(t *testing.T) {
	const page = "../../docs/configuration.md"
	var want bytes.Buffer
	if err := config.WriteMarkdown(&want); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(page, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%s is out of date (%v): go test ./internal/config -update", page, err)
	}
}

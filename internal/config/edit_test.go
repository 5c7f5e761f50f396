package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/pflag"

	"edgelens/internal/config"
)

func TestSetInFile(t *testing.T) {
	for name, tt := range map[string]struct{ before, after string }{
		"an empty file":             {"", "terminal:\n  min_score: 0.35\n"},
		"only comments":             {"# mine\n", "# mine\nterminal:\n  min_score: 0.35\n"},
		"no end of line":            {"model: a", "model: a\nterminal:\n  min_score: 0.35\n"},
		"another value":             {"terminal:\n  min_score: 0.2 # low\n  top_k: 3\n", "terminal:\n  min_score: 0.35 # low\n  top_k: 3\n"},
		"a quoted value":            {"terminal: \n  min_score: \"0.2\"\n", "terminal: \n  min_score: 0.35\n"},
		"a section with others":     {"# a\nterminal:\n    # b\n    top_k: 3\nmodel: m\n", "# a\nterminal:\n    # b\n    min_score: 0.35\n    top_k: 3\nmodel: m\n"},
		"an empty section":          {"terminal:\nmodel: m\n", "terminal:\n  min_score: 0.35\nmodel: m\n"},
		"a dotted key":              {"terminal.min_score: 0.1\n", "terminal.min_score: 0.35\n"},
		"a section of another name": {"recognize:\n  quality_min_score: 0.2\n", "recognize:\n  quality_min_score: 0.2\nterminal:\n  min_score: 0.35\n"},
		"flow style, with it":       {"terminal: {top_k: 3, min_score: 0.2}\n", "terminal: {top_k: 3, min_score: 0.35}\n"},
		"flow style, without it":    {"terminal: {top_k: 3}\n", ""},
		"indented settings":         {"  model: m\n", ""},
		"no YAML":                   {"terminal: [\n", ""},
		"a value twice":             {"terminal:\n  min_score: 0.1\nterminal.min_score: 0.2\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "settings.yaml")
			if err := os.WriteFile(path, []byte(tt.before), 0o600); err != nil {
				t.Fatal(err)
			}
			err := config.SetInFile(path, "terminal.min_score", "0.35")
			want := tt.after
			if want == "" {
				want = tt.before
			}
			got, readErr := os.ReadFile(path)
			if string(got) != want || readErr != nil || (err != nil) != (tt.after == "") {
				t.Errorf("error %v, got\n%s\nwant\n%s", err, got, want)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the mode was changed: %v, %v", info.Mode(), err)
			}
		})
	}
	t.Run("a pipe", func(t *testing.T) { // is not waited for
		path := filepath.Join(t.TempDir(), "settings.yaml")
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := config.SetInFile(path, "terminal.min_score", "0.35"); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Error(err)
		}
	})
	t.Run("a new file", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "new.yaml")
		if err := config.SetInFile(path, "terminal.min_score", "0.35"); err != nil {
			t.Fatal(err)
		}
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		config.AddFlags(flags)
		c, err := config.Load(flags, []string{"EDGELENS_CONFIG=" + path})
		if err != nil || c.Terminal.MinScore != 0.35 {
			t.Errorf("%v, %v", c, err)
		}
	})
}

func TestFileInUse(t *testing.T) {
	t.Chdir(t.TempDir())
	use := func(environ []string, args ...string) string {
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		config.AddFlags(flags)
		if err := flags.Parse(args); err != nil {
			t.Fatal(err)
		}
		return config.FileInUse(flags, environ)
	}
	if got := use(nil); got != "" {
		t.Errorf("without a file: %q", got)
	}
	if err := os.WriteFile("edgelens.yaml", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	environ := []string{"EDGELENS_CONFIG=of_environ.yaml"}
	for want, got := range map[string]string{"edgelens.yaml": use(nil), "of_environ.yaml": use(environ), "of_flag.yaml": use(environ, "--config=of_flag.yaml")} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

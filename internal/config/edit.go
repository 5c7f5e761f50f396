package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"gopkg.in/yaml.v3"

	"edgelens/internal/atomicfile"
)

// FileInUse returns the configuration file that Load reads with these flags and this environment; "" where there is none.
func FileInUse(flags *pflag.FlagSet, environ []string) string {
	path, named := fileOf(flags, environ)
	if _, err := os.Stat(path); err != nil && !named {
		return ""
	}
	return path
}

// fileOf returns the configuration file, and whether a flag or the environment names it.
func fileOf(flags *pflag.FlagSet, environ []string) (path string, named bool) {
	return currentAccount().fileOf(flags, environ, systemFile)
}

// fileOf is the same for a user, where the machine's service has its file at system.
func (a account) fileOf(flags *pflag.FlagSet, environ []string, system string) (path string, named bool) {
	path = defaultFile
	if isMissing(path) && a.isSystem() && !isMissing(system) {
		path = system
	}
	for _, pair := range environ {
		if name, text, _ := strings.Cut(pair, "="); name == envFile && text != "" {
			path, named = text, true
		}
	}
	if f := flags.Lookup(flagFile); f != nil && f.Changed {
		path, named = f.Value.String(), true
	}
	return path, named
}

// SetInFile sets one setting in a configuration file and leaves the rest of the file as it is, comments too. It creates
// the file where there is none. A file that it cannot change without changing more is left alone, with an error.
func SetInFile(path, key, text string) error {
	mode := fs.FileMode(0o644)
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if info, err := os.Stat(path); err == nil {
		if !info.Mode().IsRegular() { // reading a pipe might never end
			return fmt.Errorf("write %s to the settings in %s: it is not a regular file; set it by hand: %s: %s", key, path, key, text)
		}
		mode = info.Mode().Perm()
	}
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write %s to the settings: %w", key, err)
	}
	changed, err := edited(data, key, text)
	if err == nil {
		err = atomicfile.Write(path, changed, mode)
	}
	if err != nil {
		return fmt.Errorf("write %s to the settings in %s: %w; set it there by hand: %s: %s", key, path, err, key, text)
	}
	return nil
}

var errForm = errors.New("the file has a form in which it cannot be changed safely")

// edited returns a YAML file with one more or one other setting.
func edited(data []byte, key, text string) ([]byte, error) {
	before, err := flatten(data)
	if err != nil {
		return nil, err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		return nil, err
	}
	lines := strings.SplitAfter(string(data), "\n")
	if last := len(lines) - 1; lines[last] != "" {
		lines[last] += "\n"
	}
	lines, err = withSetting(lines, &document, key, text)
	if err != nil {
		return nil, err
	}
	changed := []byte(strings.Join(lines, ""))
	after, err := flatten(changed)
	want := valuesOf(before)
	want[key] = text
	if err != nil || !maps.Equal(valuesOf(after), want) || len(after) != len(want) {
		return nil, errForm
	}
	return changed, nil
}

// valuesOf are the texts of settings, by key.
func valuesOf(found []scalar) map[string]string {
	values := map[string]string{}
	for _, f := range found {
		if !f.empty {
			values[f.key] = f.text
		}
	}
	return values
}

// withSetting changes the lines of a document.
func withSetting(lines []string, document *yaml.Node, key, text string) ([]string, error) {
	section, name, nested := strings.Cut(key, ".")
	var root *yaml.Node
	if len(document.Content) > 0 {
		root = document.Content[0]
	}
	if value := valueAt(root, key); value != nil {
		return replaced(lines, value, text)
	}
	if !nested {
		return append(lines, fmt.Sprintf("%s: %s\n", key, text)), nil
	}
	below := valueAt(root, section)
	if value := valueAt(below, name); value != nil {
		return replaced(lines, value, text)
	}
	switch {
	case below == nil:
		return append(lines, fmt.Sprintf("%s:\n  %s: %s\n", section, name, text)), nil
	case below.Kind == yaml.ScalarNode && below.Value == "":
		return slices.Insert(lines, below.Line, fmt.Sprintf("  %s: %s\n", name, text)), nil
	case below.Kind != yaml.MappingNode || below.Style&yaml.FlowStyle != 0:
		return nil, errForm
	}
	first := below.Content[0]
	return slices.Insert(lines, first.Line-1, fmt.Sprintf("%s%s: %s\n", strings.Repeat(" ", first.Column-1), name, text)), nil
}

// valueAt is the value of a key in a mapping; nil where there is none.
func valueAt(mapping *yaml.Node, key string) *yaml.Node {
	if mapping == nil || mapping.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

// replaced puts another text in the place of a value that stands on one line.
func replaced(lines []string, value *yaml.Node, text string) ([]string, error) {
	line, at := lines[value.Line-1], value.Column-1
	for _, quote := range []string{"", `"`, "'"} {
		if old := quote + value.Value + quote; value.Value != "" && at < len(line) && strings.HasPrefix(line[at:], old) {
			lines[value.Line-1] = line[:at] + text + line[at+len(old):]
			return lines, nil
		}
	}
	return nil, errForm
}

package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sort"
	"strings"

	"github.com/spf13/pflag"
	"gopkg.in/yaml.v3"

	"edgelens"
	"edgelens/internal/similar"
)

const (
	envPrefix = "EDGELENS_"
	// envTest starts the names that are only read by tests.
	envTest = envPrefix + "TEST_"
	// envFile and flagFile name the configuration file.
	envFile     = envPrefix + "CONFIG"
	flagFile    = "config"
	defaultFile = "edgelens.yaml"
)

// EnvKey and EnvServer are the environment variables with the key and the address of commands that call a service. They are no settings.
const (
	EnvKey    = envPrefix + "KEY"
	EnvServer = envPrefix + "SERVER"
)

// AddFlags registers the flags of the settings that start with one of the
// prefixes, and --config. No prefix means every setting.
func AddFlags(flags *pflag.FlagSet, prefixes ...string) {
	defaults := Default()
	for _, s := range defaults.settings() {
		if matches(s.key, prefixes) {
			f := flags.VarPF(&rawValue{text: s.String(), kind: s.Type()}, s.flag(), "", s.help)
			if s.Type() == "bool" {
				f.NoOptDefVal = "true" // a switch: --flag, or --flag=false
			}
		}
	}
	for _, s := range defaults.secretFiles() {
		if matches(s.key, prefixes) {
			flags.VarPF(&rawValue{kind: s.Type()}, s.flag(), "", s.help)
		}
	}
	for _, s := range defaults.retiredSettings() {
		if matches(s.key, prefixes) {
			flags.VarPF(&rawValue{kind: s.Type()}, s.flag(), "", s.help).Hidden = true
		}
	}
	flags.String(flagFile, "", "configuration file (default: "+defaultFile+" in this folder, or, for root and system users, "+systemFile+", if there is one)")
}

// rawValue keeps the text of a flag, so that Load can report an invalid one
// together with all other errors.
type rawValue struct{ text, kind string }

// Set implements pflag.Value.
func (v *rawValue) Set(text string) error { v.text = text; return nil }

// String implements pflag.Value.
func (v *rawValue) String() string { return v.text }

// Type implements pflag.Value.
func (v *rawValue) Type() string { return v.kind }

func matches(key string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(key, p) {
			return true
		}
	}
	return len(prefixes) == 0
}

// Load returns the configuration by flags over environment over file over
// defaults. environ has the form of os.Environ(). The error is a *Errors that
// lists the errors of all sources.
func Load(flags *pflag.FlagSet, environ []string) (*Config, error) {
	c := Default()
	settings := slices.Concat(c.settings(), c.secretFiles(), c.retiredSettings())
	var errs []error
	errs = append(errs, applyFile(c.from(settings, edgelens.SettingFile), flags, environ)...)
	errs = append(errs, applyEnviron(c.from(settings, edgelens.SettingEnviron), environ)...)
	errs = append(errs, applyFlags(c.from(settings, edgelens.SettingFlag), flags)...)
	errs = append(errs, c.checkSecretFiles()...)
	if _, set := c.sources["data_dir"]; !set {
		var err error
		c.DataDir, err = currentAccount().dataDir(environ)
		errs = append(errs, split(err)...)
		c.derived = append(c.derived, "data_dir")
	}
	c.Complete()
	errs = append(errs, split(c.Validate())...)
	if len(errs) > 0 {
		return nil, &Errors{List: errs}
	}
	return &c, nil
}

func applyFlags(settings []setting, flags *pflag.FlagSet) []error {
	var errs []error
	for _, s := range settings {
		f := flags.Lookup(s.flag())
		if f == nil || !f.Changed {
			continue
		}
		if err := s.Set(f.Value.String()); err != nil {
			errs = append(errs, fmt.Errorf("--%s %w", s.flag(), err))
		}
	}
	return errs
}

func applyEnviron(settings []setting, environ []string) []error {
	byName := map[string]setting{}
	for _, s := range settings {
		byName[s.env()] = s
	}
	var errs []error
	for _, pair := range environ {
		name, text, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, envPrefix) || strings.HasPrefix(name, envTest) || name == envFile || name == EnvKey || name == EnvServer {
			continue
		}
		s, known := byName[name]
		if !known {
			errs = append(errs, fmt.Errorf("the environment variable %s is not a setting%s", name, meant(name, keys(byName))))
			continue
		}
		if err := s.Set(text); err != nil {
			errs = append(errs, fmt.Errorf("%s %w", name, err))
		}
	}
	return errs
}

// applyFile reads the file that the flag or the environment names, else the
// default one if it exists.
func applyFile(settings []setting, flags *pflag.FlagSet, environ []string) []error {
	path, named := fileOf(flags, environ)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return nil
	}
	if err != nil {
		return []error{fmt.Errorf("the configuration file cannot be read: %w", err)}
	}
	found, err := flatten(data)
	if err != nil {
		return []error{fmt.Errorf("%s is not valid YAML: %w", path, err)}
	}
	return applyFound(settings, path, found)
}

func applyFound(settings []setting, path string, found []scalar) []error {
	byKey := map[string]setting{}
	for _, s := range settings {
		byKey[s.key] = s
	}
	lines := map[string]int{} // where each key was set
	var errs []error
	for _, f := range found {
		s, known := byKey[f.key]
		line, twice := lines[f.key]
		lines[f.key] = f.line
		switch {
		case twice:
			errs = append(errs, fmt.Errorf("%s:%d: %s was set before, in line %d; keep one of them", path, f.line, f.key, line))
		case f.empty && isSection(f.key, settings):
			// All of its settings are commented out.
		case !known:
			errs = append(errs, fmt.Errorf("%s:%d: %s is not a setting%s", path, f.line, f.key, meant(f.key, keys(byKey))))
		case f.notScalar:
			errs = append(errs, fmt.Errorf("%s:%d: %s must be one value", path, f.line, f.key))
		default:
			if err := s.Set(f.text); err != nil {
				errs = append(errs, fmt.Errorf("%s:%d: %s %w", path, f.line, f.key, err))
			}
		}
	}
	return errs
}

// isSection reports whether there are settings below the key.
func isSection(key string, settings []setting) bool {
	return slices.ContainsFunc(settings, func(s setting) bool { return strings.HasPrefix(s.key, key+".") })
}

// scalar is one value of the file with the keys on the way to it.
type scalar struct {
	key, text string
	line      int
	notScalar bool
	empty     bool // nothing after the colon, or {}
}

// flatten returns every value of a YAML document by its dotted key.
func flatten(data []byte) ([]scalar, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) {
		return nil, nil // an empty file
	}
	if err != nil {
		return nil, err
	}
	switch err := decoder.Decode(new(yaml.Node)); {
	case err == nil:
		return nil, errors.New("it must be one document, but a line of --- starts a second one")
	case !errors.Is(err, io.EOF):
		return nil, err
	}
	root := document.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil, nil // nothing but comments
	}
	if root.Kind != yaml.MappingNode {
		return nil, errors.New("it must be a list of `setting: value`")
	}
	return flattenMapping("", root), nil
}

func flattenMapping(prefix string, node *yaml.Node) []scalar {
	var list []scalar
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := prefix+node.Content[i].Value, node.Content[i+1]
		if value.Kind == yaml.MappingNode && len(value.Content) > 0 {
			list = append(list, flattenMapping(key+".", value)...)
			continue
		}
		found := scalar{key: key, text: value.Value, line: node.Content[i].Line, notScalar: value.Kind != yaml.ScalarNode}
		found.empty = value.Kind == yaml.MappingNode
		if value.ShortTag() == "!!null" {
			found.text, found.empty = "", true // in any spelling: ~ is no folder
		}
		list = append(list, found)
	}
	return list
}

func keys(m map[string]setting) []string {
	list := make([]string, 0, len(m))
	for k := range m {
		list = append(list, k)
	}
	sort.Strings(list)
	return list
}

// meant suggests the known name closest to an unknown one, as the end of a
// sentence.
func meant(name string, known []string) string {
	if best := similar.Name(name, known); best != "" {
		return "; did you mean " + best + "?"
	}
	return ""
}

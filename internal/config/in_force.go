package config

import (
	"slices"
	"strings"

	"edgelens"
)

// sources are where the settings were set, by key; one that is not in it has its default.
type sources map[string]edgelens.SettingSource

// InForce returns every setting with its value and where that was set, in the order of docs/configuration.md. Secrets are
// masked, and so are the names of files with secrets.
func (c *Config) InForce() []edgelens.Setting {
	defaults := Default()
	byDefault := defaults.settings()
	var all []edgelens.Setting
	for i, s := range c.settings() {
		shown := shownOf(s.value)
		all = append(all, edgelens.Setting{
			Key: s.key, Help: s.help, Type: s.Type(), Value: shown, Default: shownOf(byDefault[i].value),
			Masked: strings.Contains(shown, mask), Source: c.sourceOf(s, s.String() == byDefault[i].String()),
		})
	}
	return all
}

// sourceOf returns where a setting was set.
func (c *Config) sourceOf(s setting, isDefault bool) edgelens.SettingSource {
	set, ok := c.sources[s.key]
	switch {
	case slices.Contains(c.derived, s.key):
		return edgelens.SettingDerived
	case ok:
		return set
	case !isDefault: // by another setting, such as a retired one
		return edgelens.SettingDerived
	}
	return edgelens.SettingDefault
}

// from returns the settings as they are set by a source, which is noted.
func (c *Config) from(settings []setting, source edgelens.SettingSource) []setting {
	noted := slices.Clone(settings)
	for i, s := range noted {
		noted[i].value = notedValue{s.value, func() { c.note(s.key, source) }}
	}
	return noted
}

func (c *Config) note(key string, source edgelens.SettingSource) {
	if c.sources == nil {
		c.sources = sources{}
	}
	c.sources[key] = source
}

// notedValue notes that it was set.
type notedValue struct {
	value
	note func()
}

// Set implements value.
func (v notedValue) Set(text string) error {
	err := v.value.Set(text)
	if err == nil {
		v.note()
	}
	return err
}

// shownOf returns a value as others than the operator may see it.
func shownOf(v value) string {
	if _, ok := v.(secretFileValue); ok && v.String() != "" {
		return mask
	}
	return v.String()
}

// secretFileValue is the name of a file with a secret: an operator's configuration has it, and others do not see it.
type secretFileValue struct{ textValue }

func secretFile(p *string) value { return secretFileValue{textValue{p}} }

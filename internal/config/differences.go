package config

// Differences returns the keys of the settings that are others in another configuration, in the order of
// docs/configuration.md. Derived ones follow from those.
func (c *Config) Differences(other *Config) (keys []string) {
	theirs := other.settings()
	for i, s := range c.settings() {
		if rawOf(s.value) != rawOf(theirs[i].value) {
			keys = append(keys, s.key)
		}
	}
	return keys
}

// rawOf is a value with its secrets, for comparison alone.
func rawOf(v value) string {
	switch v := v.(type) {
	case secretValue:
		return v.textValue.String()
	case secretURLValue:
		return v.textValue.String()
	}
	return v.String()
}

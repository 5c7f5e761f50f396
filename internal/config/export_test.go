package config

import "fmt"

// SetForTest sets one setting, whether the whole is valid or not.
func SetForTest(c *Config, key, text string) error {
	for _, s := range c.settings() {
		if s.key == key {
			return s.Set(text)
		}
	}
	return fmt.Errorf("there is no setting %s", key)
}

// ForgetSources forgets where the settings were set, so that the values of two configurations can be compared.
func ForgetSources(configs ...*Config) {
	for _, c := range configs {
		c.sources = nil
	}
}

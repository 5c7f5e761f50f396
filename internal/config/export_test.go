package config

import (
	"fmt"

	"github.com/spf13/pflag"
)

// DataDirOf returns the default data folder of a user.
func DataDirOf(id int, home string, environ []string) (string, error) {
	return account{id, home}.dataDir(environ)
}

// FileOf returns the configuration file of a user.
func FileOf(flags *pflag.FlagSet, environ []string, id int, system string) string {
	path, _ := account{id: id}.fileOf(flags, environ, system)
	return path
}

// CheckOwnDataOf is CheckOwnData for a user.
func CheckOwnDataOf(c *Config, id int, system string) error {
	return c.checkOwnData(account{id: id}, system)
}

// AsDefaultFolder makes the data folder of a configuration the default one.
func AsDefaultFolder(c *Config) { c.derived = append(c.derived, "data_dir") }

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

package config

import (
	"fmt"
	"os"
	"strings"

	"edgelens"
)

// maxSecretBytes is more than any secret needs.
const maxSecretBytes = 64 << 10

// secretFiles lists a setting for each one that may hold a secret: KEY_file has the name of a file with its value. So secrets
// stay out of environments and command lines; orchestrators and systemd mount them as files.
func (c *Config) secretFiles() (list []setting) {
	for _, s := range c.settings() {
		switch s.value.(type) {
		case secretValue, secretURLValue:
			list = append(list, setting{s.key + "_file", "file with the value of " + s.key, secretInFile{s.value}})
		}
	}
	return list
}

// secretInFile sets another value by what is in a file.
type secretInFile struct{ of value }

// Set implements value.
func (v secretInFile) Set(path string) error {
	if path == "" {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("names a file that cannot be read: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxSecretBytes {
		return fmt.Errorf("must name a file of at most %d bytes, and %s is none", maxSecretBytes, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("names a file that cannot be read: %w", err)
	}
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" {
		return fmt.Errorf("names %s, which is empty", path)
	}
	return v.of.Set(secret)
}

// String implements value.
func (secretInFile) String() string { return "" }

// Type implements value.
func (secretInFile) Type() string { return "string" }

// checkSecretFiles reports settings that the same source sets twice, by their value and by a file; and notes where those were set
// that files set.
func (c *Config) checkSecretFiles() (errs []error) {
	for _, s := range c.secretFiles() {
		key := strings.TrimSuffix(s.key, "_file")
		of, byFile := c.sources[s.key]
		direct, byValue := c.sources[key]
		switch {
		case byFile && byValue && of == direct:
			errs = append(errs, fmt.Errorf("%s and %s are both set: %w; keep one of them", key, s.key, edgelens.ErrInvalid))
		case byFile && (!byValue || order(of) > order(direct)):
			c.note(key, of)
		}
	}
	return errs
}

// order is the precedence of a source.
func order(of edgelens.SettingSource) int {
	switch of {
	case edgelens.SettingFlag:
		return 3
	case edgelens.SettingEnviron:
		return 2
	case edgelens.SettingFile:
		return 1
	}
	return 0
}

package config

import "log/slog"

// retired are settings without effect, which former versions had. They are accepted for
// one version, so that an upgrade starts with the file as it is, and reported as
// warnings. Each has what to do about it.
var retired = []struct{ key, advice string }{
	{"recognize.workers", "it follows from inference.interpreters"},
	{"recognize.queue", "how many may wait follows from recognize.timeout and http.max_upload_bytes"},
}

// retiredValue records that a retired setting was set.
type retiredValue struct {
	c   *Config
	key string
}

func (v retiredValue) Set(string) error {
	if v.c.retired == nil {
		v.c.retired = map[string]bool{}
	}
	v.c.retired[v.key] = true
	return nil
}
func (retiredValue) String() string { return "" }
func (retiredValue) Type() string   { return "string" }

// retiredSettings lists the retired settings.
func (c *Config) retiredSettings() []setting {
	var list []setting
	for _, r := range retired {
		list = append(list, setting{r.key, "has no effect any more: " + r.advice, retiredValue{c, r.key}})
	}
	return list
}

// Retired describes each setting that was set and has no effect any more.
func (c *Config) Retired() []string {
	var list []string
	for _, r := range retired {
		if c.retired[r.key] {
			list = append(list, r.key+" has no effect any more; remove it: "+r.advice)
		}
	}
	return list
}

// WarnOfRetired logs them.
func (c *Config) WarnOfRetired(log *slog.Logger) {
	for _, text := range c.Retired() {
		log.Warn("setting without effect", "event", "setting_retired", "reason", text)
	}
}

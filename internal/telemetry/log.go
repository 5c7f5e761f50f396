// Package telemetry sets up logs and metrics and observes recognitions. Its logs and metrics never contain an image or
// a secret.
package telemetry

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
)

// Config is the configuration of logs.
type Config struct {
	// LogLevel is "debug", "info", "warn" or "error".
	LogLevel string
	// LogFormat is "text" or "json".
	LogFormat string

	// inForce is the level of the loggers that were made with this configuration.
	inForce *slog.LevelVar
}

// DefaultConfig logs text from level info on.
func DefaultConfig() Config {
	return Config{LogLevel: "info", LogFormat: "text", inForce: &slog.LevelVar{}}
}

// SetLevel changes the level of the configuration, which must be valid, and of the loggers that were made with it. It is not safe
// for concurrent use with itself.
func (c *Config) SetLevel(name string) {
	c.LogLevel = name
	if level, err := c.level(); err == nil && c.inForce != nil {
		c.inForce.Set(level)
	}
}

// Validate reports all errors at once, each with its setting's name.
func (c Config) Validate() error {
	var errs []error
	if _, err := c.level(); err != nil {
		errs = append(errs, err)
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		errs = append(errs, fmt.Errorf(`log_format must be "text" or "json", not %q`, c.LogFormat))
	}
	return errors.Join(errs...)
}

func (c Config) level() (slog.Level, error) {
	switch c.LogLevel {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, fmt.Errorf(`log_level must be "debug", "info", "warn" or "error", not %q`, c.LogLevel)
}

// words makes JSON use the words of an enumeration, as text does: the handler writes the number of a type that has only
// a String method.
func words(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() != slog.KindAny {
		return a
	}
	value := a.Value.Any()
	word, ok := value.(fmt.Stringer)
	if !ok {
		return a
	}
	switch value.(type) {
	case json.Marshaler, encoding.TextMarshaler, error:
		return a
	}
	switch kind := reflect.TypeOf(value).Kind(); kind {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		a.Value = slog.StringValue(word.String())
	}
	return a
}

// durationKey is the key of the duration of what a line is about. Other durations have it at the end of theirs.
const durationKey = "ms"

// milliseconds writes every duration in one unit, as a number: "ms" as it is, and "timeout" as timeout_ms.
func milliseconds(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() != slog.KindDuration {
		return a
	}
	if a.Key != durationKey {
		a.Key += "_" + durationKey
	}
	a.Value = slog.Float64Value(float64(a.Value.Duration().Microseconds()) / 1000)
	return a
}

// NewLogger returns a logger that writes to w; config must be valid.
func NewLogger(config Config, w io.Writer) *slog.Logger {
	level, err := config.level()
	if err != nil {
		level = slog.LevelInfo
	}
	var inForce slog.Leveler = level
	if config.inForce != nil {
		config.inForce.Set(level)
		inForce = config.inForce
	}
	options := &slog.HandlerOptions{Level: inForce, ReplaceAttr: milliseconds}
	if config.LogFormat == "json" {
		options.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr { return words(groups, milliseconds(groups, a)) }
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

package telemetry_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"edgelens/internal/telemetry"
)

// color is an enumeration, shade one that has words for JSON too.
type (
	color int8
	shade uint
)

func (c color) String() string               { return [...]string{"red", "green"}[c] }
func (s shade) String() string               { return "text" }
func (s shade) MarshalText() ([]byte, error) { return []byte("json"), nil }

// JSON logs have the same words as text logs.
func TestJSONLogsHaveEnumNames(t *testing.T) {
	var log bytes.Buffer
	logger := telemetry.NewLogger(telemetry.Config{LogLevel: "info", LogFormat: "json"}, &log)
	green := color(1)
	logger.With("with", color(0)).WithGroup("group").Info("m", "plain", color(1), slog.Group("inner", "deep", color(1)),
		"any", any(color(0)), "pointer", &green, "marshaled", shade(0), "number", 7, "level", slog.LevelWarn, "took", 1500*time.Millisecond, "error", errors.New("no"))
	var got map[string]any
	if err := json.Unmarshal(log.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	group, _ := got["group"].(map[string]any)
	inner, _ := group["inner"].(map[string]any)
	for name, pair := range map[string][2]any{
		"with": {got["with"], "red"}, "plain": {group["plain"], "green"}, "deep": {inner["deep"], "green"}, "any": {group["any"], "red"},
		"marshaled": {group["marshaled"], "json"}, "number": {group["number"], 7.0}, "level": {group["level"], "WARN"}, "own level": {got["level"], "INFO"},
		"took": {group["took_ms"], 1500.0}, "error": {group["error"], "no"},
	} {
		if fmt.Sprint(pair[0]) != fmt.Sprint(pair[1]) {
			t.Errorf("%s: %v, want %v", name, pair[0], pair[1])
		}
	}
}

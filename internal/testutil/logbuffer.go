package testutil

import (
	"log/slog"
	"strings"
	"sync"
)

// LogBuffer keeps what is written to it: the output of a slog.Handler or of a child process. The zero value is empty.
// It is safe for use by many goroutines.
type LogBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write appends p; it never fails.
func (b *LogBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String returns all that was written so far.
func (b *LogBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// Contains reports whether text was written so far.
func (b *LogBuffer) Contains(text string) bool { return strings.Contains(b.String(), text) }

// Logger returns a logger that writes lines of text of every level to the buffer.
func (b *LogBuffer) Logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

package supervise

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"sync"
)

const (
	// keptLines is how many of a child's last lines are kept for errors.
	keptLines = 20
	// maxLine is where a line of a child is cut, in bytes.
	maxLine = 1 << 10
)

// lines receives a child's output, logs it line by line and keeps the last lines.
type lines struct {
	log *slog.Logger
	// hide are secrets to be removed from the lines, and observe is called for each.
	hide    []string
	observe func(line string)

	mu      sync.Mutex
	partial []byte // of the incomplete line, at most maxLine
	kept    []string
}

// Write implements io.Writer; it never fails.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for rest := p; len(rest) > 0; {
		line, after, ended := bytes.Cut(rest, []byte{'\n'})
		l.partial = append(l.partial, line[:min(len(line), maxLine-len(l.partial))]...)
		if ended {
			l.keep()
		}
		rest = after
	}
	return len(p), nil
}

// keep ends the partial line.
func (l *lines) keep() {
	line := strings.TrimSpace(strings.ToValidUTF8(string(l.partial), "\uFFFD"))
	l.partial = l.partial[:0]
	for _, secret := range l.hide {
		line = strings.ReplaceAll(line, secret, "<hidden>")
	}
	if line == "" {
		return
	}
	l.log.Debug("private server output", "line", line)
	l.observe(line)
	if len(l.kept) == keptLines {
		l.kept = slices.Delete(l.kept, 0, 1)
	}
	l.kept = append(l.kept, line)
}

// flush keeps an incomplete last line.
func (l *lines) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keep()
}

// last returns the last lines, oldest first.
func (l *lines) last() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.kept)
}

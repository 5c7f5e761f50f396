package worker

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// asynqReminder is how often asynq may say the same thing again: it says
	// several times a second that Redis is away.
	asynqReminder = time.Minute
	// asynqMemory is how many things that it said are remembered.
	asynqMemory = 64
)

// asynqLog brings asynq's few lines into the service's log. It is safe for use
// by many goroutines.
type asynqLog struct {
	log *slog.Logger

	mu   sync.Mutex
	said map[string]time.Time
}

func newAsynqLog(log *slog.Logger) *asynqLog {
	return &asynqLog{log: log, said: map[string]time.Time{}}
}

func (l *asynqLog) Debug(args ...any) { l.log.Debug("asynq", "says", fmt.Sprint(args...)) }
func (l *asynqLog) Info(args ...any)  { l.log.Debug("asynq", "says", fmt.Sprint(args...)) }
func (l *asynqLog) Warn(args ...any)  { l.once(slog.LevelWarn, fmt.Sprint(args...)) }
func (l *asynqLog) Error(args ...any) { l.once(slog.LevelWarn, fmt.Sprint(args...)) }
func (l *asynqLog) Fatal(args ...any) { l.log.Error("asynq", "says", fmt.Sprint(args...)) }

// once logs what was not said lately; else it is for whoever wants all.
func (l *asynqLog) once(level slog.Level, text string) {
	if l.saidLately(text) {
		level = slog.LevelDebug
	}
	l.log.Log(context.Background(), level, "asynq", "says", text)
}

func (l *asynqLog) saidLately(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if now.Sub(l.said[text]) < asynqReminder {
		return true
	}
	if len(l.said) >= asynqMemory {
		clear(l.said)
	}
	l.said[text] = now
	return false
}

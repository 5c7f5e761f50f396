package worker

import (
	"fmt"
	"log/slog"
)

// asynqLog writes asynq's own log lines at level DEBUG: while Redis is unreachable, asynq logs several errors a second,
// and availability logs what an operator needs. It is safe for use by many goroutines.
type asynqLog struct{ log *slog.Logger }

func (l asynqLog) Debug(args ...any) { l.pass(args) }
func (l asynqLog) Info(args ...any)  { l.pass(args) }
func (l asynqLog) Warn(args ...any)  { l.pass(args) }
func (l asynqLog) Error(args ...any) { l.pass(args) }
func (l asynqLog) Fatal(args ...any) { l.pass(args) }

func (l asynqLog) pass(args []any) { l.log.Debug("asynq", "message", fmt.Sprint(args...)) }

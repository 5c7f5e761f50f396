//go:build !linux

package session

import "time"

// sinceBoot is how long the process has run, perhaps without times of suspension: the
// wall clock shows those.
func sinceBoot() time.Duration { return time.Since(begun) }

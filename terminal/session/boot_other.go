//go:build !linux

package session

import "time"

// sinceBoot returns the running time of the process, perhaps without suspension: the
// wall clock shows that.
func sinceBoot() time.Duration { return time.Since(processStart) }

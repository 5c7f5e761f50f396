package wire

import (
	"errors"
	"fmt"
	"time"
)

// CheckSilence returns an error for invalid settings of a dialect's Policy.
func CheckSilence(heartbeat, offlineAfter time.Duration) error {
	var errs []error
	if heartbeat < 0 {
		errs = append(errs, fmt.Errorf("heartbeat must be at least 0s, not %v", heartbeat))
	}
	if offlineAfter < 0 || offlineAfter > 0 && offlineAfter <= heartbeat {
		errs = append(errs, fmt.Errorf("offline_after must be 0s (never) or more than heartbeat (%v), not %v", heartbeat, offlineAfter))
	}
	return errors.Join(errs...)
}

package wire

import (
	"errors"
	"fmt"
	"time"
)

// CheckSilence reports settings of a dialect's Policy that cannot be.
func CheckSilence(heartbeat, offlineAfter time.Duration) error {
	var faults []error
	if heartbeat < 0 {
		faults = append(faults, fmt.Errorf("heartbeat must be at least 0s, not %v", heartbeat))
	}
	if offlineAfter < 0 || offlineAfter > 0 && offlineAfter <= heartbeat {
		faults = append(faults, fmt.Errorf("offline_after must be 0s (never) or more than heartbeat (%v), not %v", heartbeat, offlineAfter))
	}
	return errors.Join(faults...)
}

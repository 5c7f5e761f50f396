package edgelens

import (
	"encoding/json"
	"time"
)

// Event is a change that clients may follow, in the order in which the changes
// were stored.
type Event struct {
	// Seq grows by at least one from event to event.
	Seq int64
	// Type is "job", "recognition", "device", "insight" or "state".
	Type string
	// Subject is the id of the job, result, device or insight that changed, or of the change of a state.
	Subject string
	// Owner and Device are those of the job or result; a device's own event has its ID
	// as Device.
	Owner, Device string
	At            time.Time
	// Data is a JSON object.
	Data json.RawMessage
}

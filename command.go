package edgelens

import (
	"encoding/json"
	"time"
)

// CommandStatus is the progress of a command. Three of the states are terminal.
type CommandStatus string

// The states of a command.
const (
	CommandQueued       CommandStatus = "queued"       // waits for the broker
	CommandSent         CommandStatus = "sent"         // the broker has it; the device has not replied
	CommandAcknowledged CommandStatus = "acknowledged" // terminal: the device has done it
	CommandFailed       CommandStatus = "failed"       // terminal: the device refused it, or it could not be sent
	CommandExpired      CommandStatus = "expired"      // terminal: not sent by its deadline, and never will be
)

// Terminal reports whether a command in this state has ended. A command that
// was sent to a device which never replies stays CommandSent.
func (s CommandStatus) Terminal() bool {
	return s == CommandAcknowledged || s == CommandFailed || s == CommandExpired
}

// Command is an order to a device.
type Command struct {
	// ID is a UUIDv7.
	ID     string
	Device string
	// Body is a JSON object in the device's format.
	Body   json.RawMessage
	Status CommandStatus
	// Detail adds a sentence about the status, if there is more to report.
	Detail    string
	CreatedAt time.Time
	// Deadline is when it expires if it was not sent.
	Deadline time.Time
	// SentAt and FinishedAt are zero until then.
	SentAt, FinishedAt time.Time
}

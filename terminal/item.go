package terminal

import (
	"time"

	"edgelens/terminal/dialect"
	"edgelens/terminal/dialect/wire"
	"edgelens/terminal/session"
)

// item is a received message on its way to the ledger.
type item struct {
	session.Message
	dialect dialect.Dialect
	// device is the device in the topic, or empty.
	device     string
	receivedAt time.Time
	// sealed is set where the payload is an envelope, until that is opened, and proven is the device that signed it then.
	sealed bool
	proven string
	// decoded is set where the message is decoded already.
	decoded *wire.Reading
}

func (i item) size() int64 { return int64(len(i.Payload)) }

// stale reports whether the broker had kept the message: as a retained one, or for us
// while we were disconnected for longer than fresh. It proves nothing about now.
func (i item) stale(fresh time.Duration) bool { return i.Retained || i.Waited > fresh }

// stored returns in a sentence how the message came out of the broker's store; empty
// where it came at once.
func (i item) stored() string {
	switch {
	case i.Retained:
		return "The MQTT broker had retained the message."
	case i.Waited > 0:
		return "The message may have waited at the MQTT broker while edgelens was disconnected."
	case i.Duplicate:
		return "The MQTT broker has resent the message."
	default:
		return ""
	}
}

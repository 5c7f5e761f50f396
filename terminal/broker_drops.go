package terminal

import (
	"strconv"
	"sync/atomic"

	"edgelens/terminal/session"
)

// brokerDrops accounts for the messages that the broker has dropped.
type brokerDrops struct {
	common
	// total is the number of messages, as last reported.
	total atomic.Uint64
}

// onMessage is called for each message on topicDropped: the total since the broker started.
func (b *brokerDrops) onMessage(m session.Message) {
	total, err := strconv.ParseUint(string(m.Payload), 10, 64)
	if err != nil {
		return
	}
	before := b.total.Swap(total)
	if total < before {
		before = 0 // the broker has restarted
	}
	if total == before {
		return
	}
	b.traffic.dropMany(dropAtBroker, total-before)
	if suppressed, ok := b.limiter.Pass("dropped at the broker", b.now()); ok {
		b.log.Error("the MQTT broker dropped messages because its queue for a client was full; records are lost where a terminal did not wait for our acknowledgement",
			"event", "mqtt_messages_dropped", "messages", total-before, "suppressed", suppressed)
	}
}

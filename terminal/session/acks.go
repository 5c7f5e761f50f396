package session

import (
	"io"
	"sync"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
	"github.com/eclipse/paho.golang/paho/session"
)

// acks acknowledges messages when they are done, in the order in which they came, as MQTT demands (version 5.0, section
// 4.6). paho does that by looking at an interval, which took most of what an idle service did; so it believes to
// acknowledge at once, and this session ignores it. It is safe for concurrent use.
type acks struct {
	session.SessionManager

	mu sync.Mutex
	// pending are the messages of this connection that are not acknowledged, the oldest first.
	pending []*pendingAck
}

type pendingAck struct {
	packet *packets.Publish
	done   bool
}

// ConAckReceived implements session.SessionManager. It is called when there is a new connection: what came by the one
// before must not be acknowledged on it, as the broker sends it again, or has given its number to another message.
func (a *acks) ConAckReceived(conn io.Writer, connect *packets.Connect, answer *packets.Connack) error {
	a.mu.Lock()
	a.pending = nil
	a.mu.Unlock()
	return a.SessionManager.ConAckReceived(conn, connect, answer)
}

// Ack implements session.SessionManager. paho calls it when the message was passed on.
func (*acks) Ack(*packets.Publish) error { return nil }

// expect returns what acknowledges a message that has just arrived. It must be called for each, in order.
func (a *acks) expect(message *paho.Publish) func() {
	p := &pendingAck{packet: message.Packet()}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pending = append(a.pending, p)
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		p.done = true
		for len(a.pending) > 0 && a.pending[0].done {
			_ = a.SessionManager.Ack(a.pending[0].packet) // an error: the connection is lost, and the broker sends it again
			a.pending = a.pending[1:]
		}
	}
}

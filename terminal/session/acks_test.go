package session

import (
	"bytes"
	"slices"
	"testing"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
	"github.com/eclipse/paho.golang/paho/session/state"
)

// connection stores what is written to it.
type connection struct{ bytes.Buffer }

// acknowledged returns the packet ids of the acknowledgements that were written, and forgets them.
func (c *connection) acknowledged(t *testing.T) (ids []uint16) {
	t.Helper()
	for c.Len() > 0 {
		packet, err := packets.ReadPacket(c)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, packet.Content.(*packets.Puback).PacketID)
	}
	return ids
}

func message(id uint16) *paho.Publish {
	return paho.PublishFromPacketPublish(&packets.Publish{PacketID: id, QoS: 1, Properties: &packets.Properties{}})
}

func connect(t *testing.T, a *acks) *connection {
	t.Helper()
	conn := &connection{}
	if err := a.ConAckReceived(conn, &packets.Connect{Properties: &packets.Properties{}}, &packets.Connack{Properties: &packets.Properties{}}); err != nil {
		t.Fatal(err)
	}
	return conn
}

// Messages are acknowledged in the order in which they came, each as soon as those before it are done, and never on
// another connection.
func TestAcksAreInOrder(t *testing.T) {
	a := &acks{SessionManager: state.NewInMemory()}
	conn := connect(t, a)
	var done []func()
	for id := range uint16(4) {
		done = append(done, a.expect(message(id+1)))
	}
	for _, step := range []struct {
		message int
		want    []uint16
	}{{1, nil}, {0, []uint16{1, 2}}, {3, nil}} {
		done[step.message]()
		if got := conn.acknowledged(t); !slices.Equal(got, step.want) {
			t.Errorf("after message %d: acknowledged %v, want %v", step.message+1, got, step.want)
		}
	}
	if err := a.ConnectionLost(nil); err != nil {
		t.Fatal(err)
	}
	next := connect(t, a)
	again := a.expect(message(3)) // the broker sends it again
	done[2]()
	if conn.Len()+next.Len() > 0 {
		t.Error("acknowledged after the connection was lost")
	}
	again()
	if got := next.acknowledged(t); !slices.Equal(got, []uint16{3}) {
		t.Errorf("acknowledged %v, want 3", got)
	}
}

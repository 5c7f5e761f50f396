package homeassistant_test

import (
	"testing"

	"edgelens/homeassistant"
)

func peer(node, state string) homeassistant.Incoming {
	return homeassistant.Incoming{Topic: homeassistant.PeerTopic(node), Payload: []byte(state)}
}

// Of a group, the node with the smallest name makes known what all of them know; each makes known itself.
func TestGroup(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.group = "g"
		h.run()
		h.receive(peer("n0", "online"))
		h.receive(peer("n2", "online"))
		h.settle()
		same(t, "beside n0", h.broker.ids(), []string{node})
		h.receive(peer("n0", "offline"))
		h.settle()
		same(t, "without n0", h.broker.ids(), []string{door, node, hall})
		// It is back, and makes all known by itself: nothing is removed.
		h.receive(peer("n0", "online"))
		h.settle()
		same(t, "known", h.broker.ids(), []string{door, node, hall})
		before := len(h.broker.all)
		h.receive(birth())
		h.settle()
		if more := h.broker.all[before:]; len(more) != 1 || more[0].topic != configTopic(node) {
			t.Errorf("after a birth: %v", more)
		}
	})
}

// A deletion by a user counts for the whole group, until another node makes the device known.
func TestGroupRespectsDeletion(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.group = "g"
		h.run()
		h.receive(peer("n0", "online"))
		h.settle()
		h.delete(door)
		h.receive(peer("n0", "offline"))
		h.settle()
		same(t, "known", h.broker.ids(), []string{node, hall})
		h.receive(homeassistant.Incoming{Topic: configTopic(door), Payload: []byte(`{"dev":{}}`)})
		h.settle()
		same(t, "known", h.broker.ids(), []string{door, node, hall})
	})
}

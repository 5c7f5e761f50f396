package session

import (
	"errors"
	"fmt"

	"github.com/eclipse/paho.golang/paho"

	"edgelens"
)

// ErrRefused: the broker has understood the message and will never take it.
var ErrRefused = errors.New("the MQTT broker refuses the message")

// ErrLost: the connection was lost while a message was on its way.
var ErrLost = errors.New("the connection was lost before the message was confirmed")

// Reasons of PUBACK (MQTT 5, 3.4.2.1), besides reasonNoSubscribers and reasonTooLarge.
const (
	reasonNotAuthorized = 0x87
	reasonTopicName     = 0x90
	reasonQuota         = 0x97
	reasonPayloadFormat = 0x99
)

// PacketBytes is the size of a PUBLISH packet (MQTT 5, 3.3).
func (m Outgoing) PacketBytes() int {
	const topicLength, packetID, expiry = 2, 2, 1 + 4
	properties := 0
	if m.Expiry > 0 {
		properties = expiry
	}
	rest := topicLength + len(m.Topic) + 1 + properties + len(m.Payload) // 1: the properties' length
	if m.QoS > 0 {
		rest += packetID
	}
	return 1 + variableBytes(rest) + rest
}

// variableBytes is how many bytes a Variable Byte Integer takes (MQTT 5, 1.5.5).
func variableBytes(n int) int {
	bytes := 1
	for ; n > 127; n >>= 7 {
		bytes++
	}
	return bytes
}

// MaxPayload is how many bytes the broker takes as the payload of such a message;
// 0 where it has not said, and less than 0 where not even an empty one fits.
func (s *Session) MaxPayload(m Outgoing) int {
	limit := int(s.maxPacket.Load())
	if limit == 0 {
		return 0
	}
	m.Payload = nil
	payload := limit - m.PacketBytes() - 3 // the length takes up to 3 bytes more with a payload
	if payload == 0 {
		return -1
	}
	return payload
}

// checkSize returns an edgelens.ErrTooLarge for what the broker has said that it
// does not take: it would end the connection.
func (s *Session) checkSize(m Outgoing) error {
	if limit := int(s.maxPacket.Load()); limit > 0 && m.PacketBytes() > limit {
		return fmt.Errorf("publish to the MQTT broker: %w: the packet has %d bytes and the broker takes %d", edgelens.ErrTooLarge, m.PacketBytes(), limit)
	}
	return nil
}

// noteLimit takes down the largest packet that the broker takes, as CONNACK says
// (MQTT 5, 3.2.2.3.6), and returns it; 0 where there is no limit.
func (s *Session) noteLimit(answer *paho.Connack) uint32 {
	var limit uint32
	if answer.Properties != nil && answer.Properties.MaximumPacketSize != nil {
		limit = *answer.Properties.MaximumPacketSize
	}
	s.maxPacket.Store(limit)
	return limit
}

// refusal says what a PUBACK means that does not confirm.
func refusal(reason byte, topic string) error {
	switch reason {
	case reasonTooLarge:
		return fmt.Errorf("publish to the MQTT broker: %w: it says so (reason 0x%02x)", edgelens.ErrTooLarge, reason)
	case reasonTopicName, reasonPayloadFormat:
		return fmt.Errorf("publish to the MQTT broker: %w (reason 0x%02x)", ErrRefused, reason)
	case reasonNotAuthorized:
		return fmt.Errorf("publish on %s: %w (reason 0x%02x)", topic, ErrNotAllowed, reason)
	case reasonQuota:
		return fmt.Errorf("the MQTT broker takes no more at the moment, its quota is used up (reason 0x%02x)", reason)
	}
	return fmt.Errorf("the MQTT broker does not take the message (reason 0x%02x)", reason)
}

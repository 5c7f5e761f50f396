package session

import (
	"errors"
	"fmt"

	"github.com/eclipse/paho.golang/paho"

	"edgelens"
)

// ErrRefused: the broker will never accept the message.
var ErrRefused = errors.New("the MQTT broker rejects the message")

// ErrLost: the connection was lost while a message was in transit.
var ErrLost = errors.New("the connection was lost before the message was confirmed")

// Reason codes of PUBACK (MQTT 5, 3.4.2.1), besides reasonNoSubscribers and reasonTooLarge.
const (
	reasonNotAuthorized = 0x87
	reasonTopicName     = 0x90
	reasonQuota         = 0x97
	reasonPayloadFormat = 0x99
)

// PacketBytes returns the size of the PUBLISH packet (MQTT 5, 3.3).
func (m Outgoing) PacketBytes() int {
	const topicLength, packetID, expiry, textLength = 2, 2, 1 + 4, 2
	properties := 0 // less than 128
	if m.Expiry > 0 {
		properties = expiry
	}
	if m.Trace != "" {
		properties += 1 + textLength + len(traceProperty) + textLength + len(m.Trace)
	}
	rest := topicLength + len(m.Topic) + 1 + properties + len(m.Payload) // 1: the properties' length
	if m.QoS > 0 {
		rest += packetID
	}
	return 1 + variableBytes(rest) + rest
}

// variableBytes returns the size of a Variable Byte Integer (MQTT 5, 1.5.5).
func variableBytes(n int) int {
	bytes := 1
	for ; n > 127; n >>= 7 {
		bytes++
	}
	return bytes
}

// MaxPayload returns the maximum payload in bytes of such a message; 0 where the broker
// has no limit, and less than 0 where not even an empty payload fits.
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

// checkSize returns an edgelens.ErrTooLarge for a message above the broker's limit: the
// broker would end the connection.
func (s *Session) checkSize(m Outgoing) error {
	if limit := int(s.maxPacket.Load()); limit > 0 && m.PacketBytes() > limit {
		return fmt.Errorf("publish to the MQTT broker: %w: the packet has %d bytes and the broker accepts %d", edgelens.ErrTooLarge, m.PacketBytes(), limit)
	}
	return nil
}

// noteLimit stores the broker's Maximum Packet Size from CONNACK (MQTT 5, 3.2.2.3.6), and
// returns it; 0 where there is no limit.
func (s *Session) noteLimit(answer *paho.Connack) uint32 {
	var limit uint32
	if answer.Properties != nil && answer.Properties.MaximumPacketSize != nil {
		limit = *answer.Properties.MaximumPacketSize
	}
	s.maxPacket.Store(limit)
	return limit
}

// refusal returns the error of a PUBACK with a failure.
func refusal(reason byte, topic string) error {
	switch reason {
	case reasonTooLarge:
		return fmt.Errorf("publish to the MQTT broker: %w (reason 0x%02x)", edgelens.ErrTooLarge, reason)
	case reasonTopicName, reasonPayloadFormat:
		return fmt.Errorf("publish to the MQTT broker: %w (reason 0x%02x)", ErrRefused, reason)
	case reasonNotAuthorized:
		return fmt.Errorf("publish on %s: %w (reason 0x%02x)", topic, ErrNotAllowed, reason)
	case reasonQuota:
		return fmt.Errorf("the MQTT broker accepts no more messages at present, its quota is exceeded (reason 0x%02x)", reason)
	}
	return fmt.Errorf("the MQTT broker does not accept the message (reason 0x%02x)", reason)
}

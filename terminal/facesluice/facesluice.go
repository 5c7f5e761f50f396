// Package facesluice implements the dialect of face cameras and terminals with topics below
// mqtt/face: HFSecurity, Huifan and brands that sell them under other names.
//
// Source: the vendor's "MQTT Protocol of Intelligent Network Camera V1.25", and messages of
// real cameras in helderdene/fras on GitHub. MQTT 3.1.1, QoS 0. A camera publishes on
// mqtt/face/<id>/Rec, /Snap and /Ack, and on the shared mqtt/face/basic and
// mqtt/face/heartbeat; it subscribes to mqtt/face/<id>. With ResumefromBreakpoint 1 it
// resends a record every 10 s until a PushAck arrives. Firmware deviates from the document:
// numbers are strings, and "persionName" is personName.
package facesluice

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"edgelens/terminal/dialect"
	"edgelens/terminal/dialect/wire"
)

// Name is the name of the dialect.
const Name = "facesluice"

const (
	prefix    = "mqtt/face/"
	basic     = "basic"
	heartbeat = "heartbeat"
	records   = "/Rec"
	snaps     = "/Snap"
	replies   = "/Ack"
)

// The operators of cameras' messages and of messages to them.
const (
	opOnline    = "Online"
	opOffline   = "Offline"
	opHeartbeat = "HeartBeat"
	opRecord    = "RecPush"
	opStranger  = "StrSnapPush"
	opOnlineAck = "Online-Ack"
	opPushAck   = "PushAck"
	opUnlock    = "Unlock"
	ackSuffix   = "-Ack"
	resultOK    = "ok"
	codeOK      = 200
)

// Dialect implements dialect.Dialect.
type Dialect struct{ config Config }

var _ dialect.Dialect = (*Dialect)(nil)

// New returns the dialect; config must be valid.
func New(config Config) *Dialect { return &Dialect{config} }

// Name implements dialect.Dialect.
func (d *Dialect) Name() string { return Name }

// Subscriptions implements dialect.Dialect.
func (d *Dialect) Subscriptions() []dialect.Subscription {
	return []dialect.Subscription{
		{Filter: prefix + "+" + records}, {Filter: prefix + "+" + snaps}, {Filter: prefix + "+" + replies, Everywhere: true},
		{Filter: prefix + basic}, {Filter: prefix + heartbeat},
	}
}

// Topics implements dialect.Dialect. Two are shared by all cameras.
func (d *Dialect) Topics(device string) (writes, reads []string) {
	own := prefix + device
	return []string{own + records, own + snaps, own + replies, prefix + basic, prefix + heartbeat}, []string{own}
}

// Downlink implements dialect.Dialect.
func (d *Dialect) Downlink(topic string) bool {
	device, ok := strings.CutPrefix(topic, prefix)
	return ok && device != basic && device != heartbeat && !strings.Contains(device, "/")
}

// Policy implements dialect.Dialect.
func (d *Dialect) Policy() dialect.Policy {
	return dialect.Policy{Heartbeat: d.config.Heartbeat, OfflineAfter: d.config.OfflineAfter}
}

// Match implements dialect.Dialect.
func (d *Dialect) Match(topic string) (device string, ok bool) {
	device, _, ok = split(topic)
	return device, ok
}

// split returns the camera in a topic, where it is valid, and the kind of topic: basic and
// heartbeat are shared by all cameras.
func split(topic string) (device, kind string, ok bool) {
	rest, ok := strings.CutPrefix(topic, prefix)
	if !ok {
		return "", "", false
	}
	if rest == basic || rest == heartbeat {
		return "", rest, true
	}
	for _, kind := range []string{records, snaps, replies} {
		if device, ok := strings.CutSuffix(rest, kind); ok {
			if !validDevice(device) {
				device = ""
			}
			return device, kind, true
		}
	}
	return "", "", false
}

// validDevice refuses the names of shared topics, too: messages to a camera go to the topic
// of its name.
func validDevice(serial string) bool {
	return dialect.ValidDevice(serial) && serial != basic && serial != heartbeat
}

// Decode implements dialect.Dialect. The camera is the one named by the topic, because the
// rules of a broker can keep other clients from publishing there; only on shared topics is
// it the one named by the message.
func (d *Dialect) Decode(topic string, payload []byte, hints dialect.Hints) (dialect.Message, error) {
	device, kind, ok := split(topic)
	if !ok {
		return dialect.Message{}, fmt.Errorf("%w: the topic is not one of the dialect", dialect.ErrMalformed)
	}
	shared := kind == basic || kind == heartbeat
	if !shared && device == "" {
		return dialect.Message{}, dialect.ErrDevice
	}
	envelope, err := wire.Parse(payload)
	if err != nil {
		return dialect.Message{}, err
	}
	switch {
	case shared:
		return presence(envelope, hints.ReceivedAt)
	case kind == replies:
		return reply(device, envelope), nil
	default:
		return d.records(device, envelope, hints)
	}
}

// presence decodes messages on the shared topics.
func presence(envelope wire.Object, receivedAt time.Time) (dialect.Message, error) {
	operator := envelope.Find("operator")
	message := dialect.Message{Name: operator.Name()}
	info, ok := envelope.Find("info").Object()
	if ok {
		message.Device = info.Get("facesluiceId").Text()
	}
	switch operator.Text() {
	case opOnline:
		message.Kind = dialect.Online
	case opOffline:
		message.Kind = dialect.Offline
	case opHeartbeat:
		message.Kind = dialect.Heartbeat
		message.Times = wire.Times(info, envelope)
	}
	if !validDevice(message.Device) && (message.Device != "" || message.Kind != dialect.Unknown) {
		return dialect.Message{}, dialect.ErrDevice
	}
	if message.Kind == dialect.Online {
		message.Answers = []dialect.Outgoing{onlineAck(message.Device, envelope.Get("messageId").Text(), receivedAt)}
	}
	return message, nil
}

// onlineAck answers on the camera's own topic, which the document allows as well as the
// shared one, to which we subscribe ourselves. Cameras send Online without a messageId; then
// it is the time.
func onlineAck(device, messageID string, now time.Time) dialect.Outgoing {
	if messageID == "" || len(messageID) > maxMessageID {
		messageID = strconv.FormatInt(now.UnixMilli(), 10)
	}
	return outgoing(device, wire.Marshal(command{Operator: opOnlineAck, MessageID: messageID, Info: onlineInfo{device, resultOK}}))
}

const maxMessageID = 128

// command is a message to a camera.
type command struct {
	Operator  string `json:"operator"`
	MessageID string `json:"messageId"`
	Info      any    `json:"info"`
}

type onlineInfo struct {
	Device string `json:"facesluiceId"`
	Result string `json:"result"`
}

// outgoing sends at QoS 0, the only one that cameras are documented to support.
func outgoing(device string, payload []byte) dialect.Outgoing {
	return dialect.Outgoing{Topic: prefix + device, Payload: payload}
}

// Package fungxi implements the dialect of face terminals that publish on
// fungxi_<serial>_upLink and subscribe to fungxi_<serial>_downLink, in JSON with the member
// "cmd".
//
// Source: no specification is public. Topics, commands and fields are those of the
// reference service ("heartU" answered by "heartD", "verifiedRecordU" and "strangerRecordU"
// with data:[{num, name, liveImageBase64, verifiedCode, time, personType}]). What is not
// known of it (acknowledgement, interval of heartbeats, numbers as strings, images as data
// URIs) is a setting, or accepted either way.
package fungxi

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"edgelens"
	"edgelens/terminal/dialect"
	"edgelens/terminal/dialect/wire"
)

// Name is the name of the dialect.
const Name = "fungxi"

const (
	prefix = "fungxi_"
	up     = "_upLink"
	down   = "_downLink"
)

// The commands of terminals' messages and of messages to them.
const (
	heartUp       = "heartU"
	heartDown     = "heartD"
	verifiedUp    = "verifiedRecordU"
	verifiedDown  = "verifiedRecordD"
	strangerUp    = "strangerRecordU"
	strangerDown  = "strangerRecordD"
	qos           = 1
	maxEcho       = 64  // maximum length of a value echoed in an acknowledgement
	maxPersonText = 200 // maximum length of a text about a person
)

// Dialect implements dialect.Dialect.
type Dialect struct{ config Config }

var _ dialect.Dialect = (*Dialect)(nil)

// New returns the dialect; config must be valid.
func New(config Config) *Dialect { return &Dialect{config} }

// Name implements dialect.Dialect.
func (d *Dialect) Name() string { return Name }

// Subscriptions implements dialect.Dialect. MQTT has no wildcard for part of a level, so
// without Config.Devices it is every topic of one level.
func (d *Dialect) Subscriptions() []dialect.Subscription {
	if len(d.config.Devices) == 0 {
		return []dialect.Subscription{{Filter: "+"}}
	}
	topics := make([]dialect.Subscription, len(d.config.Devices))
	for i, device := range d.config.Devices {
		topics[i].Filter = prefix + device + up
	}
	return topics
}

// Topics implements dialect.Dialect.
func (d *Dialect) Topics(device string) (writes, reads []string) {
	return []string{prefix + device + up}, []string{prefix + device + down}
}

// Match implements dialect.Dialect.
func (d *Dialect) Match(topic string) (device string, ok bool) {
	rest, ok := strings.CutPrefix(topic, prefix)
	if !ok {
		return "", false
	}
	device, ok = strings.CutSuffix(rest, up)
	if !ok || !dialect.ValidDevice(device) {
		return "", ok
	}
	return device, true
}

// Downlink implements dialect.Dialect.
func (d *Dialect) Downlink(topic string) bool {
	return strings.HasPrefix(topic, prefix) && strings.HasSuffix(topic, down)
}

// Policy implements dialect.Dialect.
func (d *Dialect) Policy() dialect.Policy {
	return dialect.Policy{Heartbeat: d.config.Heartbeat, OfflineAfter: d.config.OfflineAfter}
}

// Decode implements dialect.Dialect.
func (d *Dialect) Decode(topic string, payload []byte, hints dialect.Hints) (dialect.Message, error) {
	device, ok := d.Match(topic)
	if !ok || device == "" {
		return dialect.Message{}, dialect.ErrDevice
	}
	envelope, err := wire.Parse(payload)
	if err != nil {
		return dialect.Message{}, err
	}
	cmd := envelope.Find("cmd")
	message := dialect.Message{Device: device, Name: cmd.Name()}
	switch cmd.Text() {
	case heartUp:
		message.Kind = dialect.Heartbeat
		message.Answers = []dialect.Outgoing{heartbeatAnswer(device, hints.ReceivedAt)}
		// Heartbeats are not known to have a time; one that has measures the clock.
		message.Times = wire.Times(envelope)
	case verifiedUp:
		message.Kind = dialect.Records
		err = d.entries(&message, edgelens.RecordVerified, verifiedUp, envelope, hints)
	case strangerUp:
		message.Kind = dialect.Records
		err = d.entries(&message, edgelens.RecordStranger, strangerUp, envelope, hints)
	}
	if err != nil {
		return dialect.Message{}, err
	}
	return message, nil
}

func heartbeatAnswer(device string, now time.Time) dialect.Outgoing {
	return outgoing(device, downlink{Cmd: heartDown, Time: quoted(now.Format(wire.LocalTime))})
}

// members are the members of a record.
var members = []string{"num", "name", "time", "liveImageBase64", memberPerson, memberCode}

// entries adds the records of a message to it.
func (d *Dialect) entries(message *dialect.Message, kind, cmd string, envelope wire.Object, hints dialect.Hints) error {
	records, leftOut, err := envelope.Records("data", members...)
	if err != nil {
		return err
	}
	message.LeftOut = leftOut
	for _, record := range records {
		entry := d.entry(message.Device, kind, cmd, record, hints)
		if kind == edgelens.RecordVerified {
			entry.Record.Passed, entry.Record.Doubt = verdict(record)
		}
		message.Entries = append(message.Entries, entry)
	}
	return nil
}

// entry decodes a record. Its identity is that of the received bytes, whatever its character
// set.
func (d *Dialect) entry(device, kind, cmd string, written wire.Found, hints dialect.Hints) dialect.Entry {
	data, known := written.Decoded(hints.Charset)
	num, at := written.Find("num"), written.Get("time")
	image, reason := written.Find("liveImageBase64").Image(d.config.MaxImageBytes)
	entry := dialect.Entry{Image: image, Undecoded: !known, Record: edgelens.Record{
		Kind: kind,
		Person: edgelens.Person{
			ID:   data.Find("num").Line(maxPersonText),
			Name: data.Find("name").Line(maxPersonText),
			Type: data.Get(memberPerson).Line(maxPersonText),
			Code: data.Get(memberCode).Line(maxPersonText),
		},
		Verdict: data.Verdict(),
		Reason:  reason,
	}}
	entry.Times, entry.Record.Freshness, entry.Record.FreshnessReason = written.In(data).Proof()
	entry.Record.Key = key(cmd, written, image)
	entry.FormerKey = formerKey(cmd, num.Text(), at.Text(), entry)
	if d.config.Ack == AckEcho {
		entry.Acks = []dialect.Outgoing{outgoing(device, downlink{Cmd: downOf(cmd), Num: echo(num), Time: echo(at)})}
	}
	return entry
}

// identity are the members that identify a record, besides its times, its image and
// wire.Found.Particulars: a terminal restarts its numbers.
var identity = []string{"num", "name", memberPerson, memberCode}

// key returns the key of a record: the digest of the received record where it has neither a
// number nor a time.
func key(cmd string, data wire.Found, image []byte) string {
	times := data.TimeIdentity()
	if times == "" && data.Find("num").Identity() == "" {
		return wire.Key(cmd, wire.Digest([]byte(data.Value())))
	}
	parts := append([]string{cmd, times}, data.Identities(identity...)...)
	if particulars := data.Particulars(append([]string{"liveImageBase64"}, identity...)...); particulars != "" {
		parts = append(parts, particulars)
	}
	return wire.Key(append(parts, wire.Unread(data.Find("liveImageBase64"), image))...)
}

// formerKey returns the key of earlier versions.
func formerKey(cmd, num, at string, entry dialect.Entry) string {
	switch {
	case num != "" || at != "":
		return wire.Key(cmd, num, at)
	case entry.Image != nil:
		return ""
	default:
		return wire.Digest([]byte(entry.Record.Verdict))
	}
}

// Command implements dialect.Dialect. The body is the vendor's JSON, an object with "cmd",
// and is sent unchanged. Replies are not known to refer to id.
func (d *Dialect) Command(device, _ string, body json.RawMessage, _ time.Time) (dialect.Outgoing, error) {
	object, err := wire.Command(device, body)
	if err != nil {
		return dialect.Outgoing{}, err
	}
	if object.Get("cmd").Text() == "" {
		return dialect.Outgoing{}, fmt.Errorf(`%w: send the terminal's own JSON, an object with "cmd"`, dialect.ErrNoSuchCommand)
	}
	return dialect.Outgoing{Topic: prefix + device + down, Payload: object.Value(), QoS: qos}, nil
}

// downlink is a message to a terminal.
type downlink struct {
	Cmd  string          `json:"cmd"`
	Num  json.RawMessage `json:"num,omitempty"`
	Time json.RawMessage `json:"time,omitempty"`
}

func outgoing(device string, message downlink) dialect.Outgoing {
	return dialect.Outgoing{Topic: prefix + device + down, Payload: wire.Marshal(message), QoS: qos}
}

func quoted(text string) json.RawMessage { return wire.Marshal(text) }

// echo returns a short number or text as received; nil for anything else.
func echo(v wire.Value) json.RawMessage {
	if v.Text() == "" || len(v) > maxEcho || !utf8.Valid(v) {
		return nil
	}
	return json.RawMessage(v)
}

// downOf returns the answering command: "heartD" for "heartU".
func downOf(cmd string) string { return strings.TrimSuffix(cmd, "U") + "D" }

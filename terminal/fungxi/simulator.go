package fungxi

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"edgelens"
	"edgelens/terminal/clock"
	"edgelens/terminal/dialect"
	"edgelens/terminal/dialect/wire"
)

// Simulator implements dialect.Simulator.
type Simulator struct{ zone clock.Zone }

var _ dialect.Simulator = (*Simulator)(nil)

// NewSimulator returns a simulator of terminals whose clocks are in the zone.
func NewSimulator(zone clock.Zone) *Simulator { return &Simulator{zone} }

// Name implements dialect.Simulator.
func (s *Simulator) Name() string { return Name }

// Subscriptions implements dialect.Simulator.
func (s *Simulator) Subscriptions(device string) []string { return []string{prefix + device + down} }

// Heartbeat implements dialect.Simulator.
func (s *Simulator) Heartbeat(device string, _ time.Time) (dialect.Outgoing, bool) {
	return encode(device, map[string]string{"cmd": heartUp}), true
}

// Online implements dialect.Simulator: these terminals start with a heartbeat.
func (s *Simulator) Online(string, time.Time) (dialect.Outgoing, bool) {
	return dialect.Outgoing{}, false
}

// uplink is a message with one record.
type uplink struct {
	Cmd  string      `json:"cmd"`
	Data []simulated `json:"data"`
}

type simulated struct {
	Num          string          `json:"num"`
	Name         string          `json:"name"`
	Image        string          `json:"liveImageBase64,omitempty"`
	VerifiedCode json.RawMessage `json:"verifiedCode"`
	Time         string          `json:"time,omitempty"`
	PersonType   string          `json:"personType"`
}

// Record implements dialect.Simulator. The record's Key becomes "num", which is the number of
// the person, too; without a Key it is Person.ID. A RecordSnapshot is sent as a stranger.
func (s *Simulator) Record(device string, record edgelens.Record, image []byte) dialect.Outgoing {
	data := simulated{
		Num: record.Key, Name: record.Person.Name, PersonType: record.Person.Type,
		Image:        base64.StdEncoding.EncodeToString(image),
		VerifiedCode: numberOrText(record.Person.Code),
	}
	if data.Num == "" {
		data.Num = record.Person.ID
	}
	if data.PersonType == "" {
		data.PersonType = map[bool]string{true: "1", false: "0"}[record.Passed]
	}
	if record.Person.Code == "" {
		data.VerifiedCode = numberOrText(map[bool]string{true: "0", false: "1"}[record.Passed])
	}
	if !record.CapturedAt.IsZero() {
		data.Time = record.CapturedAt.In(s.zone.Of(device)).Format(wire.LocalTime)
	}
	cmd := strangerUp
	if record.Kind == edgelens.RecordVerified {
		cmd = verifiedUp
	}
	return encode(device, uplink{cmd, []simulated{data}})
}

// Reply implements dialect.Simulator: no reply is known.
func (s *Simulator) Reply(string, []byte, time.Time) (dialect.Outgoing, bool) {
	return dialect.Outgoing{}, false
}

// Read implements dialect.Simulator.
func (s *Simulator) Read(topic string, payload []byte) dialect.Answer {
	if !strings.HasPrefix(topic, prefix) || !strings.HasSuffix(topic, down) {
		return dialect.Answer{}
	}
	message, err := wire.Parse(payload)
	if err != nil {
		return dialect.Answer{}
	}
	switch message.Get("cmd").Text() {
	case "":
		return dialect.Answer{}
	case heartDown:
		if _, err := time.Parse(wire.LocalTime, message.Get("time").Text()); err != nil {
			return dialect.Answer{}
		}
		return dialect.Answer{Kind: dialect.HeartbeatAnswer}
	case verifiedDown, strangerDown:
		return dialect.Answer{Kind: dialect.RecordAck, Key: message.Get("num").Text()}
	default:
		return dialect.Answer{Kind: dialect.CommandSent}
	}
}

func encode(device string, message any) dialect.Outgoing {
	return dialect.Outgoing{Topic: prefix + device + up, Payload: wire.Marshal(message), QoS: qos}
}

// numberOrText returns a whole number as such, and any other text as a string.
func numberOrText(text string) json.RawMessage {
	if number := wire.WholeNumber(text); number != nil {
		return number
	}
	return wire.Marshal(text)
}

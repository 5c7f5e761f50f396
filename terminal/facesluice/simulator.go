package facesluice

import (
	"encoding/base64"
	"strings"
	"time"

	"edgelens"
	"edgelens/terminal/clock"
	"edgelens/terminal/dialect"
	"edgelens/terminal/dialect/wire"
)

// Simulator implements dialect.Simulator. It deviates from the document like real cameras.
type Simulator struct{ zone clock.Zone }

var _ dialect.Simulator = (*Simulator)(nil)

// NewSimulator returns a simulator of cameras whose clocks are in the zone.
func NewSimulator(zone clock.Zone) *Simulator { return &Simulator{zone} }

// Name implements dialect.Simulator.
func (s *Simulator) Name() string { return Name }

// Subscriptions implements dialect.Simulator.
func (s *Simulator) Subscriptions(device string) []string { return []string{prefix + device} }

// envelope is a message of a camera.
type envelope struct {
	MessageID string `json:"messageId,omitempty"`
	Operator  string `json:"operator"`
	Code      string `json:"code,omitempty"`
	Info      any    `json:"info"`
}

type presenceInfo struct {
	Device string `json:"facesluiceId"`
	Time   string `json:"time"`
}

// Heartbeat implements dialect.Simulator.
func (s *Simulator) Heartbeat(device string, at time.Time) (dialect.Outgoing, bool) {
	return encode(heartbeat, envelope{Operator: opHeartbeat, Info: presenceInfo{device, s.local(device, at)}}), true
}

// Online implements dialect.Simulator.
func (s *Simulator) Online(device string, at time.Time) (dialect.Outgoing, bool) {
	return encode(basic, envelope{Operator: opOnline, Info: presenceInfo{device, s.local(device, at)}}), true
}

type recordInfo struct {
	CustomID     string `json:"customId"`
	PersonID     string `json:"personId"`
	RecordID     string `json:"RecordID"`
	VerifyStatus string `json:"VerifyStatus"`
	PersonType   string `json:"PersonType"`
	Similarity   string `json:"similarity1"`
	SendInTime   int    `json:"Sendintime"`
	PersonName   string `json:"personName"`
	Device       string `json:"facesluiceId"`
	Telephone    string `json:"telnum"`
	Time         string `json:"time,omitempty"`
	NoMask       string `json:"isNoMask"`
	PushType     int    `json:"PushType"`
	Position     [4]int `json:"targetPosInScene"`
	Image        string `json:"pic,omitempty"`
}

type snapInfo struct {
	Device   string `json:"facesluiceId"`
	SnapID   string `json:"SnapID"`
	Time     string `json:"time,omitempty"`
	NoMask   string `json:"isNoMask"`
	PushType int    `json:"PushType"`
	Position [4]int `json:"targetPosInScene"`
	Image    string `json:"pic,omitempty"`
}

// Record implements dialect.Simulator. A RecordSnapshot is sent as a stranger.
func (s *Simulator) Record(device string, record edgelens.Record, image []byte) dialect.Outgoing {
	var encoded, at string
	if len(image) > 0 {
		encoded = "data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(image)
	}
	if !record.CapturedAt.IsZero() {
		at = s.local(device, record.CapturedAt)
	}
	position := [4]int{346, 0, 1572, 1080}
	if record.Kind != edgelens.RecordVerified {
		return encode(device+snaps, envelope{Operator: opStranger, Info: snapInfo{
			Device: device, SnapID: record.Key, Time: at, NoMask: "1", Position: position, Image: encoded,
		}})
	}
	info := recordInfo{
		PersonID: record.Person.ID, RecordID: record.Key, VerifyStatus: record.Person.Code,
		PersonType: record.Person.Type, Similarity: "83.000000", SendInTime: 1, PersonName: record.Person.Name,
		Device: device, Telephone: " ", Time: at, NoMask: "1", Position: position, Image: encoded,
	}
	if info.VerifyStatus == "" {
		info.VerifyStatus = map[bool]string{true: "1", false: "2"}[record.Passed]
	}
	if info.PersonType == "" {
		info.PersonType = "0"
	}
	return encode(device+records, envelope{Operator: opRecord, Info: info})
}

type replyInfo struct {
	Device string `json:"facesluiceId"`
	Result string `json:"result"`
	Detail string `json:"detail"`
}

// Reply implements dialect.Simulator: a camera executes all commands, and replies to a
// PushAck, too.
func (s *Simulator) Reply(device string, command []byte, _ time.Time) (dialect.Outgoing, bool) {
	message, err := wire.Parse(command)
	if err != nil {
		return dialect.Outgoing{}, false
	}
	operator := message.Get("operator").Text()
	if operator == "" || operator == opOnlineAck {
		return dialect.Outgoing{}, false
	}
	return encode(device+replies, envelope{
		MessageID: message.Get("messageId").Text(), Operator: operator + ackSuffix, Code: "200",
		Info: replyInfo{Device: device, Result: resultOK},
	}), true
}

// Read implements dialect.Simulator.
func (s *Simulator) Read(topic string, payload []byte) dialect.Answer {
	device, found := strings.CutPrefix(topic, prefix)
	message, err := wire.Parse(payload)
	if !found || err != nil || !validDevice(device) {
		return dialect.Answer{}
	}
	info, _ := message.Get("info").Object()
	switch message.Get("operator").Text() {
	case "":
		return dialect.Answer{}
	case opOnlineAck:
		if info.Get("facesluiceId").Text() != device || info.Get("result").Text() != resultOK {
			return dialect.Answer{}
		}
		return dialect.Answer{Kind: dialect.OnlineAnswer}
	case opPushAck:
		if kind := info.Get("PushAckType"); !kind.Is(ackRecord) && !kind.Is(ackStranger) {
			return dialect.Answer{}
		}
		return dialect.Answer{Kind: dialect.RecordAck, Key: info.Get("SnapOrRecordID").Text()}
	default:
		return dialect.Answer{Kind: dialect.CommandSent}
	}
}

func (s *Simulator) local(device string, at time.Time) string {
	return at.In(s.zone.Of(device)).Format(wire.LocalTime)
}

func encode(topic string, message envelope) dialect.Outgoing {
	return dialect.Outgoing{Topic: prefix + topic, Payload: wire.Marshal(message)}
}

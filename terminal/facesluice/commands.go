package facesluice

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"edgelens/internal/clip"
	"edgelens/terminal/dialect"
	"edgelens/terminal/dialect/wire"
)

const (
	// cmdOpen is the only command in our own format.
	cmdOpen   = "open"
	howToSend = `send {"cmd":"open"}, with "uid" and "Showinfo" where the camera is to show something, or the camera's own JSON, an object with "operator" and "info"`
	maxDetail = 200
)

// Command implements dialect.Dialect. {"cmd":"open"} becomes an Unlock; with "uid" or
// "Showinfo" (the text to show) in the first form of the vendor's document, else in its
// second. The camera's own JSON, an object with "operator", is sent with id as its
// messageId.
func (d *Dialect) Command(device, id string, body json.RawMessage, _ time.Time) (dialect.Outgoing, error) {
	object, err := wire.Command(device, body)
	switch {
	case err != nil:
		return dialect.Outgoing{}, err
	case !validDevice(device):
		return dialect.Outgoing{}, fmt.Errorf("%w: %q is the name of a shared topic, not of a camera", dialect.ErrNoSuchCommand, device)
	case object.Get("operator").Text() != "":
		return outgoing(device, withMessageID(object, id)), nil
	case object.Get("cmd").Text() == cmdOpen:
		return outgoing(device, unlock(device, id, object)), nil
	default:
		return dialect.Outgoing{}, fmt.Errorf("%w: %s", dialect.ErrNoSuchCommand, howToSend)
	}
}

// unlockShowing is the first form of Unlock, unlockOnly the second.
type unlockShowing struct {
	UID      string `json:"uid"`
	OpenDoor string `json:"openDoor"`
	Showinfo string `json:"Showinfo"`
}

type unlockOnly struct {
	Device   string `json:"facesluiceId"`
	OpenDoor int    `json:"openDoor"`
}

func unlock(device, id string, body wire.Object) []byte {
	var info any = unlockOnly{device, 1}
	if uid, show := body.Get("uid").Text(), body.Get("Showinfo").Text(); uid != "" || show != "" {
		info = unlockShowing{uid, "1", show}
	}
	return wire.Marshal(command{Operator: opUnlock, MessageID: id, Info: info})
}

// withMessageID returns the command with our messageId and all else unchanged, in its
// order: batches have one member that must be first and one that must be last.
func withMessageID(body wire.Object, id string) []byte {
	out := append([]byte(`{"messageId":`), wire.Marshal(id)...)
	for _, member := range body.Members {
		if member.Name == "messageId" {
			continue
		}
		out = append(append(out, ','), wire.Marshal(member.Name)...)
		out = append(append(out, ':'), member.Value...)
	}
	return append(out, '}')
}

// reply decodes a camera's reply to a command. Its reply to a PushAck refers to no
// command.
func reply(device string, envelope wire.Object) dialect.Message {
	operator := envelope.Get("operator")
	message := dialect.Message{Device: device, Name: operator.Name()}
	if !strings.HasSuffix(operator.Text(), ackSuffix) {
		return message
	}
	message.Kind = dialect.Reply
	message.Outcome = &dialect.Outcome{Name: strings.TrimSuffix(operator.Name(), ackSuffix)}
	if message.Outcome.Name != opPushAck {
		message.Outcome.Command = clip.Line(envelope.Get("messageId").Text(), maxMessageID)
	}
	info, _ := envelope.Get("info").Object()
	message.Outcome.OK = succeeded(envelope, info)
	code := envelope.Get("code")
	message.Outcome.Detail = detail(code.Line(maxDetail), info.Get("result").Line(maxDetail), info.Get("detail").Line(maxDetail))
	return message
}

// succeeded reports whether a camera reports success: by a code, a result, or both, where
// all of its reply is understood and good.
func succeeded(envelope, info wire.Object) bool {
	code, ok := onlyValue(envelope, "code")
	if !ok || code != nil && !code.Is(codeOK) {
		return false
	}
	result, ok := onlyValue(info, "result")
	if !ok || result != nil && !strings.EqualFold(result.Text(), resultOK) {
		return false
	}
	return code != nil || result != nil
}

// onlyValue returns the value of a member, nil where it is missing, null or empty; false
// where it is spelled differently, or appears twice with different values.
func onlyValue(object wire.Object, name string) (wire.Value, bool) {
	members := object.Spelled(name)
	if len(members) > 1 || len(members) == 1 && members[0].Name != name {
		return nil, false
	}
	value := object.Get(name)
	if string(value) == `""` {
		value = nil
	}
	return value, true
}

// detail combines the parts of a reply, as in "code 461, fail: can't find customId".
func detail(code, result, detail string) string {
	var parts []string
	if code != "" {
		parts = append(parts, "code "+code)
	}
	if result != "" {
		parts = append(parts, result)
	}
	text := strings.Join(parts, ", ")
	if detail != "" {
		if text != "" {
			text += ": "
		}
		text += detail
	}
	return clip.Line(text, maxDetail)
}

package facesluice

import (
	"encoding/json"
	"strings"

	"edgelens"
	"edgelens/terminal/dialect"
	"edgelens/terminal/dialect/wire"
)

// The kinds of records in a PushAck, and how its messageId begins: a camera
// refers to it in its PushAck-Ack.
const (
	ackStranger   = 1
	ackRecord     = 2
	ackMessage    = "ack-"
	maxRecordID   = 64
	maxPersonText = 200
	linkOnly      = "The terminal sent only a link to its picture, which is not followed."
)

// records reads what cameras say on the topics for records and snaps; firmware
// may send either on either.
func (d *Dialect) records(device string, envelope wire.Object) (dialect.Message, error) {
	operator := envelope.Get("operator")
	message := dialect.Message{Device: device, Name: operator.Name()}
	var entry func(device string, envelope, info wire.Object) dialect.Entry
	switch operator.Text() {
	case sayRecord:
		entry = d.verified
	case sayStranger:
		entry = d.stranger
	default:
		return message, nil
	}
	infos, err := envelope.Get("info").Objects()
	if err != nil {
		return dialect.Message{}, err
	}
	message.Kind = dialect.Records
	for _, info := range infos {
		message.Entries = append(message.Entries, entry(device, envelope, info))
	}
	return message, nil
}

func (d *Dialect) verified(device string, envelope, info wire.Object) dialect.Entry {
	entry := d.entry(device, envelope, info, info.Get("RecordID"), ackRecord)
	entry.Record.Kind = edgelens.RecordVerified
	entry.Record.Passed, entry.Record.Doubt = verdict(envelope, info)
	entry.Record.Person = edgelens.Person{
		ID:   firstLine(info, "customId", "personId"),
		Name: firstLine(info, "personName", "persionName"),
		Type: info.Get("PersonType").Line(maxPersonText),
		Code: info.Get("VerifyStatus").Line(maxPersonText),
	}
	return entry
}

func (d *Dialect) stranger(device string, envelope, info wire.Object) dialect.Entry {
	entry := d.entry(device, envelope, info, info.Get("SnapID"), ackStranger)
	entry.Record.Kind = edgelens.RecordStranger
	return entry
}

// entry is what records and snaps have in common.
func (d *Dialect) entry(device string, envelope, info wire.Object, id wire.Value, ackType int) dialect.Entry {
	picture, reason := info.Get("pic").Picture(d.config.MaxImageBytes)
	if picture == nil && reason == wire.NoPicture && info.Get("picURI").Text() != "" {
		reason = linkOnly
	}
	// Some firmware has the time beside info.
	entry := dialect.Entry{Image: picture, Times: wire.Times(info, envelope), Record: edgelens.Record{
		Verdict: info.Verdict(),
		Reason:  reason,
	}}
	entry.Record.Freshness, entry.Record.FreshnessReason = sentAtOnce(info)
	entry.Record.Key = key(envelope, info, id, picture)
	switch text := id.Text(); {
	case text != "":
		entry.FormerKey = wire.Key(text)
		entry.Acks = pushAck(device, text, ackType)
	case picture == nil:
		entry.FormerKey = wire.Digest([]byte(entry.Record.Verdict))
	}
	return entry
}

// identity are the members that a record is told from others by, besides its number,
// its times and its image: a camera starts its numbers again. What differs when a
// camera sends the record again (Sendintime, PushType) is none of them.
var identity = []string{"customId", "personId", "personName", "persionName", memberStatus, memberPerson}

// key is the digest of the record as it was written where it has neither a number nor
// a time.
func key(envelope, info wire.Object, id wire.Value, picture []byte) string {
	times := wire.TimeIdentity(info, envelope)
	if times == "" && id.Identity() == "" {
		return wire.Digest([]byte(info.Value()))
	}
	parts := append([]string{id.Identity(), times}, info.Identities(identity...)...)
	return wire.Key(append(parts, wire.Unread(info.Get("pic"), picture))...)
}

type pushAckInfo struct {
	Type int             `json:"PushAckType"`
	ID   json.RawMessage `json:"SnapOrRecordID"`
}

// pushAck says that the record is safe; its id is a number in the document, and
// a string in what cameras send. A camera that uses what no camera can have as
// an id gets none.
func pushAck(device, id string, ackType int) []dialect.Outgoing {
	if len(id) > maxRecordID {
		return nil
	}
	number := wire.WholeNumber(id)
	if number == nil {
		number = wire.Marshal(id)
	}
	return []dialect.Outgoing{tell(device, wire.Marshal(command{
		Operator: tellRecord, MessageID: ackMessage + id, Info: pushAckInfo{ackType, number},
	}))}
}

// firstLine returns the first of the members that says something.
func firstLine(info wire.Object, names ...string) string {
	for _, name := range names {
		if text := strings.TrimSpace(info.Get(name).Line(maxPersonText)); text != "" {
			return text
		}
	}
	return ""
}

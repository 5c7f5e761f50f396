package facesluice

import (
	"encoding/json"
	"strings"

	"edgelens"
	"edgelens/terminal/dialect"
	"edgelens/terminal/dialect/wire"
)

// The kinds of records in a PushAck, and the prefix of its messageId, to which a camera
// refers in its PushAck-Ack.
const (
	ackStranger   = 1
	ackRecord     = 2
	ackMessage    = "ack-"
	maxRecordID   = 64
	maxPersonText = 200
	linkOnly      = "The terminal sent only a link to its image, which is not followed."
)

// members are the members of a record or a snap.
var members = []string{
	"RecordID", "SnapID", memberStatus, memberPerson, "customId", "personId", "personName", "persionName", "facesluiceId", "time", "pic", "picURI", "scene",
}

// records decodes messages on the topics for records and snaps; firmware may send either on
// either.
func (d *Dialect) records(device string, envelope wire.Object, hints dialect.Hints) (dialect.Message, error) {
	operator := envelope.Find("operator")
	message := dialect.Message{Device: device, Name: operator.Name()}
	read := d.verified
	switch operator.Text() {
	case opRecord:
	case opStranger:
		read = d.stranger
	default:
		return message, nil
	}
	infos, leftOut, err := envelope.Records("info", members...)
	if err != nil {
		return dialect.Message{}, err
	}
	message.Kind, message.LeftOut = dialect.Records, leftOut
	for _, info := range infos {
		r := record{device: device, envelope: envelope, written: info}
		r.info, r.known = info.Decoded(hints.Charset)
		message.Entries = append(message.Entries, read(r))
	}
	return message, nil
}

// record is one record, or snap, of a camera.
type record struct {
	device   string
	envelope wire.Object
	// written is the record as received, which identifies it, and info the same in UTF-8,
	// as far as its character set is known.
	written wire.Found
	info    wire.Object
	known   bool
}

func (d *Dialect) verified(r record) dialect.Entry {
	entry := d.entry(r, "RecordID", ackRecord)
	entry.Record.Kind = edgelens.RecordVerified
	entry.Record.Passed, entry.Record.Doubt = verdict(r.written)
	entry.Record.Person = edgelens.Person{
		ID:   firstLine(r.info, "customId", "personId"),
		Name: firstLine(r.info, "personName", "persionName"),
		Type: r.info.Get(memberPerson).Line(maxPersonText),
		Code: r.info.Get(memberStatus).Line(maxPersonText),
	}
	return entry
}

func (d *Dialect) stranger(r record) dialect.Entry {
	entry := d.entry(r, "SnapID", ackStranger)
	entry.Record.Kind = edgelens.RecordStranger
	return entry
}

// entry returns the common parts of records and snaps.
func (d *Dialect) entry(r record, number string, ackType int) dialect.Entry {
	device, info, id := r.device, r.written, r.written.Find(number)
	image, reason := info.Find("pic").Image(d.config.MaxImageBytes)
	if image == nil && reason == wire.NoImage && info.Find("picURI").Text() != "" {
		reason = linkOnly
	}
	entry := dialect.Entry{Image: image, Undecoded: !r.known, Record: edgelens.Record{
		Verdict: r.info.Verdict(),
		Reason:  reason,
	}}
	// Some firmware sends the time beside info.
	entry.Times, entry.Record.Freshness, entry.Record.FreshnessReason = info.In(r.info).Proof(r.envelope)
	if freshness, reason := sentAtOnce(info); freshness != "" {
		entry.Record.Freshness, entry.Record.FreshnessReason = freshness, reason
	}
	entry.Record.Key = key(number, info, id, image)
	switch text := id.Text(); {
	case text != "":
		entry.FormerKey = wire.Key(text)
		entry.Acks = pushAck(device, text, ackType)
	case image == nil:
		entry.FormerKey = wire.Digest([]byte(entry.Record.Verdict))
	}
	return entry
}

// identity are the members that identify a record, besides its number, its times, its image
// and wire.Found.Particulars: a camera restarts its numbers. Members that differ when a
// camera resends the record (Sendintime, PushType) are not among them.
var identity = []string{"customId", "personId", "personName", "persionName", memberStatus, memberPerson}

// key returns the key of a record: the digest of the received record where it has neither a
// number nor a time.
func key(number string, info wire.Found, id wire.Value, image []byte) string {
	times := info.TimeIdentity()
	if times == "" {
		times = info.Beside.TimeIdentity()
	}
	if times == "" && id.Identity() == "" {
		return wire.Digest([]byte(info.Value()))
	}
	parts := append([]string{id.Identity(), times}, info.Identities(identity...)...)
	if particulars := info.Particulars(append([]string{number, "facesluiceId"}, identity...)...); particulars != "" {
		parts = append(parts, particulars)
	}
	return wire.Key(append(parts, wire.Unread(info.Find("pic"), image))...)
}

type pushAckInfo struct {
	Type int             `json:"PushAckType"`
	ID   json.RawMessage `json:"SnapOrRecordID"`
}

// pushAck confirms that the record is stored; its id is a number in the document, and a
// string in the messages of cameras. An id that no camera can have gets none.
func pushAck(device, id string, ackType int) []dialect.Outgoing {
	if len(id) > maxRecordID {
		return nil
	}
	number := wire.WholeNumber(id)
	if number == nil {
		number = wire.Marshal(id)
	}
	return []dialect.Outgoing{outgoing(device, wire.Marshal(command{
		Operator: opPushAck, MessageID: ackMessage + id, Info: pushAckInfo{ackType, number},
	}))}
}

// firstLine returns the first of the members that is not empty.
func firstLine(info wire.Object, names ...string) string {
	for _, name := range names {
		if text := strings.TrimSpace(info.Find(name).Line(maxPersonText)); text != "" {
			return text
		}
	}
	return ""
}

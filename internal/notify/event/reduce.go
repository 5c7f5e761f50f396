package event

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"edgelens/internal/clip"
)

const (
	// smallMember is the size in bytes up to which a member of a record is kept
	// unless the whole record is left out.
	smallMember = 128
	// namedMembers is the maximum number of omitted members that are named, and
	// memberName the maximum length of a name in bytes.
	namedMembers, memberName = 16, 64
)

// Reduce leaves out the large parts of an event and names them in Data.Reduced: the
// largest members of the record, then all predictions but the first, then the
// whole record, until the JSON has at most limit bytes, or nothing is left to
// leave out. A limit of 0 is unknown: then every member of more than 128 bytes is
// left out. An event within the limit is returned unchanged.
func Reduce(e CloudEvent, limit int) CloudEvent {
	if limit > 0 && size(e) <= limit {
		return e
	}
	bare := e
	bare.Data.Record = nil
	rest := size(bare)
	record, names := reduceRecord(e.Data.Record, func(kept int) bool { return limit != 0 && rest+kept <= limit })
	e.Data.Record, e.Data.Reduced = record, append(e.Data.Reduced, names...)
	if limit == 0 || size(e) <= limit {
		return e
	}
	if len(e.Data.Predictions) > 1 {
		e.Data.Predictions = e.Data.Predictions[:1:1]
		e.Data.Reduced = append(e.Data.Reduced, "predictions")
	}
	if size(e) > limit && len(e.Data.Record) > len("null") {
		e.Data.Record, e.Data.Reduced = json.RawMessage("null"), append(slices.DeleteFunc(e.Data.Reduced, ofRecord), "record")
	}
	return e
}

func ofRecord(name string) bool { return len(name) > 7 && name[:7] == "record." }

func size(e CloudEvent) int {
	text, err := json.Marshal(e)
	if err != nil { // never for an event of Compose
		return 0
	}
	return len(text)
}

// member is a member of a record, in order.
type member struct {
	name  string
	value json.RawMessage
	gone  bool
}

func (m member) bytes() int { return len(m.name) + len(m.value) + len(`"":,`) }

// reduceRecord leaves the largest members of more than 128 bytes out of a record
// until enough accepts the bytes that are left, and returns the rest of the record
// and the names of the omitted members. Anything but a JSON object is kept.
func reduceRecord(record json.RawMessage, enough func(kept int) bool) (json.RawMessage, []string) {
	members, ok := membersOf(record)
	if !ok {
		return record, nil
	}
	order := make([]*member, len(members))
	for i := range members {
		order[i] = &members[i]
	}
	slices.SortStableFunc(order, func(a, b *member) int { return cmp.Compare(b.bytes(), a.bytes()) })
	kept, names := len(record), []string(nil)
	for _, m := range order {
		// 32: for the name of the member in Data.Reduced
		if m.bytes() <= smallMember || enough(kept+(memberName+32)*min(len(names), namedMembers)) {
			break
		}
		m.gone = true
		kept -= m.bytes()
		if len(names) < namedMembers {
			names = append(names, "record."+clip.Text(m.name, memberName, "…"))
		}
	}
	if names == nil {
		return record, nil
	}
	return written(members), names
}

func membersOf(record json.RawMessage) (members []member, ok bool) {
	decoder := json.NewDecoder(bytes.NewReader(record))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil, false
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, false
		}
		m := member{name: fmt.Sprint(name)}
		if err := decoder.Decode(&m.value); err != nil {
			return nil, false
		}
		members = append(members, m)
	}
	return members, true
}

func written(members []member) json.RawMessage {
	var b bytes.Buffer
	b.WriteByte('{')
	for _, m := range members {
		if m.gone {
			continue
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(m.name)
		if err != nil { // never for a string
			continue
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(m.value)
	}
	b.WriteByte('}')
	return b.Bytes()
}

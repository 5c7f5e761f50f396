package camera

import (
	"bytes"

	"edgelens"
	"edgelens/internal/base64image"
	"edgelens/terminal/clock"
	"edgelens/terminal/dialect"
	"edgelens/terminal/dialect/lenient"
	"edgelens/terminal/dialect/wire"
)

// noImage is the reason for JSON without an image.
const noImage = `The message is JSON without an image: send the image itself, its base64, or {"image":"<base64>"}.`

// sniffed is the number of bytes of a text from which base64 of an image is recognized.
const sniffed = 512

// entries decodes a payload: an image, base64 of one, bare or in a data URI, or JSON with
// such base64. Anything else counts as an image. leftOut is the number of parts of the JSON
// without an image.
func (d *Dialect) entries(payload []byte) (entries []dialect.Entry, leftOut int) {
	if base64image.HasSignature(payload) {
		return []dialect.Entry{d.image(payload)}, 0
	}
	text := bytes.Trim(bytes.TrimPrefix(payload, []byte("\xef\xbb\xbf")), " \t\r\n\x00")
	if n := len(text); n > 1 && text[0] == '"' && text[n-1] == '"' && base64image.Sniff(text[1:min(n, sniffed)]) {
		text = text[1 : n-1]
	}
	if base64image.Sniff(text[:min(len(text), sniffed)]) {
		image, reason := wire.Image(text, d.config.MaxImageBytes)
		return []dialect.Entry{d.read(image, reason, payload)}, 0
	}
	objects, leftOut := objects(payload, text)
	for _, object := range objects {
		found, n, _ := object.Value().Records(wire.ImageNames()...)
		leftOut += n
		for _, record := range found {
			if len(entries) == wire.MaxRecords {
				leftOut++
				continue
			}
			entries = append(entries, d.object(record))
		}
	}
	if entries == nil {
		return []dialect.Entry{d.image(payload)}, leftOut
	}
	return entries, leftOut
}

// image returns the entry of a payload that counts as an image.
func (d *Dialect) image(payload []byte) dialect.Entry {
	switch size := int64(len(payload)); {
	case size == 0:
		return d.read(nil, wire.NoImage, nil)
	case size > d.config.MaxImageBytes:
		return d.read(nil, wire.TooLarge(size, d.config.MaxImageBytes), payload)
	default:
		return d.read(payload, "", payload)
	}
}

// read returns the entry of an image, or of a payload without a readable one.
func (d *Dialect) read(image []byte, reason string, payload []byte) dialect.Entry {
	entry := dialect.Entry{Image: image, Repeats: true, Record: edgelens.Record{Reason: reason}}
	if image == nil && len(payload) > 0 {
		entry.Record.Key = wire.Digest(payload)
	}
	return entry
}

// objects returns the objects of a payload in JSON, or almost valid JSON.
func objects(payload, text []byte) (all []wire.Object, leftOut int) {
	if len(text) == 0 || text[0] != '{' && text[0] != '"' && text[0] != '[' && payload[0] != 0xff && payload[0] != 0xfe {
		return nil, 0
	}
	if object, err := wire.Parse(text); err == nil {
		return []wire.Object{object}, 0
	}
	found, err := lenient.Read(payload)
	if err != nil {
		return nil, 0
	}
	for _, text := range found.Objects {
		if object, err := wire.Parse(text); err == nil {
			all = append(all, object)
		}
	}
	return all, found.LeftOut
}

// object returns the entry of an image in JSON. A time anywhere in the message dates it, and
// is part of its identity.
func (d *Dialect) object(record wire.Found) dialect.Entry {
	value := record.Image()
	if value == nil {
		return d.read(nil, noImage, record.Value())
	}
	image, reason := value.Image(d.config.MaxImageBytes)
	entry := d.read(image, reason, record.Value())
	decoded, known := record.Decoded("")
	entry.Record.Verdict, entry.Undecoded = decoded.Verdict(), !known
	if times, _ := record.In(decoded).Times(); len(times) > 1 || times[0].Kind != clock.Absent {
		entry.Times, entry.Repeats = times, false
		entry.Record.Key = wire.Key(record.TimeIdentity(), record.Beside.TimeIdentity(), entry.Record.Key)
	}
	return entry
}

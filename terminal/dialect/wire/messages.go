package wire

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"edgelens/terminal/dialect"
	"edgelens/terminal/dialect/charset"
	"edgelens/terminal/dialect/lenient"
)

// Reading is the content of a payload.
type Reading struct {
	// Messages has at least one message.
	Messages []dialect.Message
	// Repaired lists the payload's deviations from JSON, where it was read leniently; empty
	// where it was not.
	Repaired string
	// LeftOut is the number of messages that could not be read, or exceeded the limit.
	LeftOut int
}

// Decode decodes a payload with a dialect: strictly and, where it is not JSON, leniently. Errors:
// dialect.ErrMalformed.
func Decode(d dialect.Dialect, topic string, payload []byte, hints dialect.Hints) (Reading, error) {
	message, err := d.Decode(topic, payload, hints)
	if err == nil && charset.HasBackslashes(hints.Charset) && !utf8.Valid(payload) {
		err = dialect.ErrNotJSON // it may be valid by chance: "\n" may be half a character
	}
	if err == nil {
		return Reading{Messages: []dialect.Message{message}}, nil
	}
	if !errors.Is(err, dialect.ErrNotJSON) {
		return Reading{}, err
	}
	found, lax := lenient.Read(payload)
	if lax != nil {
		return Reading{}, fmt.Errorf("%w, and cannot be read leniently: %w", dialect.ErrNotJSON, lax)
	}
	reading := Reading{Repaired: found.Repaired, LeftOut: found.LeftOut}
	for _, object := range found.Objects {
		message, err = d.Decode(topic, object, hints)
		if err != nil {
			reading.LeftOut++
			continue
		}
		reading.Messages = append(reading.Messages, message)
	}
	if len(reading.Messages) == 0 {
		return Reading{}, err
	}
	return reading, nil
}

// Problems returns sentences about the parts of the payload that were not understood, or
// read leniently; none where all of it was understood.
func (r Reading) Problems() (problems []string) {
	if r.Repaired != "" {
		problems = append(problems, fmt.Sprintf("The message is not JSON and was read leniently: it has %s.", r.Repaired))
	}
	leftOut, undecoded := r.LeftOut, 0
	for _, message := range r.Messages {
		leftOut += message.LeftOut
		if message.Kind == dialect.Unknown {
			problems = append(problems, unknownKind(message.Name))
		}
		if message.Kind == dialect.Records && len(message.Entries) == 0 {
			problems = append(problems, fmt.Sprintf("The message %q has no record.", message.Name))
		}
		for _, entry := range message.Entries {
			if entry.Undecoded {
				undecoded++
			}
		}
	}
	if leftOut > 0 {
		problems = append(problems, fmt.Sprintf("%d parts of the message were left out: they are not records, or exceed the limit of %d.", leftOut, MaxRecords))
	}
	if undecoded > 0 {
		problems = append(problems, "A text is not UTF-8, and its character set is unknown: set charset of the device.")
	}
	return problems
}

func unknownKind(name string) string {
	if name == "" {
		return "The message does not name its kind (cmd or operator)."
	}
	return fmt.Sprintf("The message is of the kind %q, which is not known.", name)
}

package wire

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"edgelens/terminal/dialect"
	"edgelens/terminal/dialect/charset"
	"edgelens/terminal/dialect/lenient"
)

// Reading is what a payload consists of.
type Reading struct {
	// Messages are at least one.
	Messages []dialect.Message
	// Repaired says in what the payload is not JSON, where it was read leniently; empty
	// where it was not.
	Repaired string
	// LeftOut is how many messages could not be read, or were beyond those that are
	// taken.
	LeftOut int
}

// Decode reads a payload by a dialect: strictly and, where it is not JSON, leniently. Errors:
// dialect.ErrMalformed.
func Decode(d dialect.Dialect, topic string, payload []byte, hints dialect.Hints) (Reading, error) {
	message, err := d.Decode(topic, payload, hints)
	if err == nil && charset.HasBackslashes(hints.Charset) && !utf8.Valid(payload) {
		err = dialect.ErrNotJSON // it may be by chance: "\n" is half a character
	}
	if err == nil {
		return Reading{Messages: []dialect.Message{message}}, nil
	}
	if !errors.Is(err, dialect.ErrNotJSON) {
		return Reading{}, err
	}
	found, lax := lenient.Read(payload)
	if lax != nil {
		return Reading{}, fmt.Errorf("%w, and nearly so neither: %w", dialect.ErrNotJSON, lax)
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

// Problems are sentences that say what of the payload was not understood, or not read
// as it is; none where all of it was.
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
		problems = append(problems, fmt.Sprintf("%d parts of the message were left out: they are no records, or beyond the %d that are taken.", leftOut, MaxRecords))
	}
	if undecoded > 0 {
		problems = append(problems, "A text is not UTF-8, and its character set is not known: set charset of the device.")
	}
	return problems
}

func unknownKind(name string) string {
	if name == "" {
		return "The message does not name its kind (cmd or operator)."
	}
	return fmt.Sprintf("The message is of the kind %q, which is not known.", name)
}

package lenient

import "strings"

// repair is a kind of deviation from JSON.
type repair uint

const (
	control repair = iota
	comma
	quotes
	comment
	names
	words
	notANumber
	backslash
	several
	inFront
	behind
	inString
	utf16Text
)

// phrases are the texts for a log, by repair.
var phrases = [...]string{
	control: "control characters", comma: "a comma too many", quotes: "single quotes", comment: "a comment", names: "names without quotes",
	words: "values without quotes", notANumber: "NaN or the like", backslash: "backslashes that escape nothing", several: "several messages in one",
	inFront: "text in front", behind: "text behind it", inString: "JSON in a string", utf16Text: "UTF-16",
}

// repairs is the set of repairs of a text.
type repairs uint

func (r *repairs) add(one repair) { *r |= 1 << one }

// String lists the repairs.
func (r repairs) String() string {
	var found []string
	for one, phrase := range phrases {
		if r&(1<<one) != 0 {
			found = append(found, phrase)
		}
	}
	return strings.Join(found, ", ")
}

package payload

import (
	"strings"
	"unicode"

	"edgelens"
	"edgelens/internal/clip"
)

// OwnPrefix begins the fields of edgelens' own streams; messages may not use it.
const OwnPrefix = "edgelens."

// checkName refuses names that are empty, too long, or have control characters. Markup is
// text like any other.
func checkName(what, name string, limit int) error {
	switch {
	case name == "":
		return refuse(BadName, "The name of the %s is empty.", what)
	case len(name) > limit:
		return refuse(BadName, "The name of the %s, %q, has more than %d bytes.", what, clip.Line(name, 40), limit)
	case strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || turnsText(r) }):
		return refuse(BadName, "The name of the %s, %q, has control characters.", what, clip.Line(name, 40))
	}
	return nil
}

// turnsText reports whether a character changes the direction or the line of the text
// around it.
func turnsText(r rune) bool { return unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp) }

// checkField is checkName for a field from outside.
func checkField(field string) error {
	if strings.HasPrefix(field, OwnPrefix) {
		return refuse(BadName, "The name of the field, %q, begins with %q, which is reserved.", clip.Line(field, 40), OwnPrefix)
	}
	return checkName("field", field, edgelens.MaxSensorName)
}

// folded returns a name without case, "_", "-" and spaces: device_id, deviceId and
// "Device ID" are the same.
func folded(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r == ' ' {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
}

// isValue reports whether a member's name only means "the value".
func isValue(fold string) bool {
	return fold == "value" || fold == "val" || fold == "state" || fold == "reading"
}

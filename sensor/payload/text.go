package payload

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"edgelens"
	"edgelens/internal/clip"
)

// maxText is the length of the longest single value, with label and unit, in bytes.
const maxText = 400

var (
	// single is a number, optionally with a label before it and a unit behind it.
	single = regexp.MustCompile(`^(?:([^:=\n]{1,200}?)\s*[:=]\s*)?([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(\s*)([^\s0-9:=,;.+\-"'{}\[\]][^\s:=,;"'{}\[\]]*)?$`)
	// unitText is a unit: no digits but the powers 2 and 3, as in m2 and W/m3.
	unitText = regexp.MustCompile(`^[\p{L}%°℃℉µμΩ‰$€£¥/·²³⁻¹^*]+[23]?(?:/[\p{L}µμ]+[23²³]?)?$`)
	// notFinite are the notations of floating-point values that are no number.
	notFinite = regexp.MustCompile(`(?i)(?:^|[:=]\s*)[+-]?(?:nan|inf|infinity)\b`)
)

// readText reads a single value: 23.5, "23.5", 23.5 °C, Temperature: 23.5, temp=23.5 C.
func readText(text string, at place) (values, error) {
	if unquoted, err := strconv.Unquote(text); err == nil && strings.HasPrefix(text, `"`) {
		text = strings.TrimSpace(unquoted)
	}
	if len(text) > maxText {
		return values{}, notANumber(text)
	}
	found := single.FindStringSubmatch(text)
	if found == nil || found[1] != "" && !strings.ContainsFunc(found[1], unicode.IsLetter) || !validUnit(found[4]) {
		return values{}, notANumber(text)
	}
	value, err := finite(found[2])
	if err != nil {
		return values{}, err
	}
	device, field := at.named(strings.TrimSpace(found[1]))
	return values{device: device, numbers: []number{{field: field, unit: found[4], value: value}}}, nil
}

func validUnit(unit string) bool {
	// 0x2 is no value of 0 in the unit x2.
	return unit == "" || unitText.MatchString(unit) && unit != "x2" && unit != "x3" && unit != "X2" && unit != "X3"
}

// named returns the device and the field of a value with a label, which may be the topic's
// last level, in full or abbreviated.
func (p place) named(label string) (device, field string) {
	fold := folded(label)
	switch {
	case fold == "" || isValue(fold) || strings.HasPrefix(folded(p.field), fold):
		return p.device, p.field
	default:
		return p.whole, label
	}
}

func notANumber(text string) error {
	if notFinite.MatchString(text) {
		return refuse(NotFinite, "The value %q is not finite.", clip.Line(text, 40))
	}
	return refuse(NoNumber, "The payload %q is no number, no label with a number, and no JSON object.", clip.Line(text, 40))
}

// finite parses a decimal number.
func finite(text string) (float64, error) {
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || !(value >= -edgelens.MaxSensorValue && value <= edgelens.MaxSensorValue) {
		return 0, refuse(OutOfRange, "The value %s is beyond ±%g.", clip.Line(text, 40), edgelens.MaxSensorValue)
	}
	return value, nil
}

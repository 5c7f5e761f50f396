package payload

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"edgelens/internal/clip"
)

// The members of an object with a meaning of their own, folded.
var (
	deviceNames   = []string{"deviceid", "device"}
	sensorNames   = []string{"sensorid", "sensor"}
	locationNames = []string{"location", "room"}
	unitNames     = []string{"unit", "units", "unitofmeasurement"}
	// serialNames number the messages, and measure nothing.
	serialNames = []string{"id", "messageid", "msgid", "seq", "sequence"}
	// metadata of zigbee2mqtt: objects that describe the device.
	metadata = []string{"device", "update"}
)

// object reads one JSON object.
type object struct {
	at      place
	decoder *json.Decoder
	values
	sensor string
	// stems are units by the beginning of the fields that they are of.
	stems map[string]string
}

// scope is an object within the object: its values, and the unit for them.
type scope struct {
	prefix  string
	numbers []number // its own, not of objects in it
	unit    string
}

// readObject reads the values of a JSON object, flattening the names of nested ones.
func readObject(content []byte, at place) (values, error) {
	o := &object{at: at, decoder: json.NewDecoder(bytes.NewReader(content)), stems: map[string]string{}}
	o.decoder.UseNumber()
	if _, err := o.decoder.Token(); err != nil { // its brace
		return values{}, o.notJSON(err)
	}
	if err := o.members("", 1); err != nil {
		return values{}, err
	}
	if _, err := o.decoder.Token(); !errors.Is(err, io.EOF) {
		return values{}, refuse(NotJSON, "The payload has more behind its JSON object.")
	}
	if len(o.numbers) == 0 {
		return values{}, refuse(NoNumber, "The JSON object holds no number.")
	}
	o.nameDevice()
	for i, n := range o.numbers {
		if n.unit == "" {
			o.numbers[i].unit = o.unit(n.field)
		}
	}
	return o.values, o.unique()
}

func (o *object) notJSON(err error) error {
	return refuse(NotJSON, "The payload begins like a JSON object, but is none: %s.", clip.Line(strings.TrimPrefix(err.Error(), "json: "), 80))
}

// members reads the members of an object whose brace was read.
func (o *object) members(prefix string, depth int) error {
	if depth > maxDepth {
		return refuse(TooDeep, "The JSON object is nested more than %d deep.", maxDepth)
	}
	in := scope{prefix: prefix}
	for o.decoder.More() {
		key, err := o.decoder.Token()
		if err != nil {
			return o.notJSON(err)
		}
		value, err := o.decoder.Token()
		if err != nil {
			return o.notJSON(err)
		}
		if err := o.member(&in, key.(string), value, depth); err != nil {
			return err
		}
		if len(o.numbers)+len(in.numbers) > MaxReadings {
			return refuse(TooMany, "The JSON object holds more than %d numbers.", MaxReadings)
		}
	}
	if _, err := o.decoder.Token(); err != nil { // its closing brace
		return o.notJSON(err)
	}
	o.close(in)
	return nil
}

// member reads one member.
func (o *object) member(in *scope, key string, value json.Token, depth int) error {
	fold := folded(key)
	isTop := in.prefix == ""
	switch delim, isDelim := value.(json.Delim); {
	case isDelim && delim == '[':
		o.leftOut++
		return o.skip(depth + 1)
	case isDelim && (o.skips(fold, isTop) || slices.Contains(unitNames, fold)):
		o.leftOut++
		return o.skipOrUnits(fold, depth+1)
	case isDelim:
		return o.members(o.inner(in.prefix, key, depth), depth+1)
	case isTop && isTime(fold):
		o.times = append(o.times, readTime(value))
		return nil
	case isTop && slices.Contains(deviceNames, fold):
		return o.name(&o.device, value)
	case isTop && slices.Contains(sensorNames, fold) && !isNumber(value):
		return o.name(&o.sensor, value)
	case isTop && slices.Contains(serialNames, fold):
		o.leftOut++
		return nil
	}
	text, isText := value.(string)
	switch {
	case isText && isTop && slices.Contains(locationNames, fold):
		o.location = text
	case isText && slices.Contains(unitNames, fold):
		in.unit = text
	case isText && strings.HasSuffix(fold, "unit"):
		o.stems[strings.TrimSuffix(fold, "unit")] = text
	case isText && isValue(fold) && single.MatchString(text):
		found, err := readText(text, o.at)
		if err != nil {
			return err
		}
		in.add(key, found.numbers[0].value)
	case isNumber(value):
		parsed, err := finite(value.(json.Number).String())
		if err != nil {
			return err
		}
		in.add(key, parsed)
	default:
		o.leftOut++
	}
	return nil
}

func isNumber(value json.Token) bool {
	_, ok := value.(json.Number)
	return ok
}

func (in *scope) add(key string, value float64) {
	in.numbers = append(in.numbers, number{field: join(in.prefix, key), value: value})
}

func join(prefix, key string) string {
	if prefix == "" {
		return key
	}
	return prefix + "." + key
}

// inner returns the prefix of the members of a nested object. Tasmota's StatusSNS wraps what
// SENSOR has at the top.
func (o *object) inner(prefix, key string, depth int) string {
	if o.at.system == tasmota && depth == 1 && strings.HasPrefix(key, "Status") {
		return ""
	}
	return join(prefix, key)
}

// close moves the values of a scope to the object's. A unit is of the only value beside it:
// with several, it would be a guess.
func (o *object) close(in scope) {
	if len(in.numbers) != 1 {
		o.numbers = append(o.numbers, in.numbers...)
		if in.unit != "" {
			o.leftOut++
		}
		return
	}
	only := in.numbers[0]
	only.unit = in.unit
	if key := strings.TrimPrefix(strings.TrimPrefix(only.field, in.prefix), "."); isValue(folded(key)) {
		only.field, only.unnamed = in.prefix, in.prefix == "" // at the top, the topic names it
	}
	o.numbers = append(o.numbers, only)
}

// nameDevice names the device and the field without a name from the topic, where the object
// does not.
func (o *object) nameDevice() {
	device := o.device
	if device == "" {
		device = o.at.whole
	}
	for i, n := range o.numbers {
		if !n.unnamed {
			continue
		}
		o.numbers[i].field = o.at.field
		if o.device == "" && len(o.numbers) == 1 {
			device = o.at.device
		}
	}
	if o.sensor != "" && o.sensor != o.device {
		device = o.sensor
		if o.device != "" {
			device = o.device + "/" + o.sensor
		}
	}
	o.device = device
}

// name reads the name of a device.
func (o *object) name(into *string, value json.Token) error {
	name := ""
	switch value := value.(type) {
	case string:
		name = value
	case json.Number:
		name = value.String()
	default:
		o.leftOut++
		return nil
	}
	if *into != "" && *into != name {
		return refuse(Ambiguous, "The JSON object names two devices, %q and %q.", clip.Line(*into, 40), clip.Line(name, 40))
	}
	*into = name
	return nil
}

// unique refuses an object with two values for one field.
func (o *object) unique() error {
	seen := make(map[string]bool, len(o.numbers))
	for _, n := range o.numbers {
		if seen[n.field] {
			return refuse(Ambiguous, "The JSON object has two values for %q.", clip.Line(n.field, 40))
		}
		seen[n.field] = true
	}
	return nil
}

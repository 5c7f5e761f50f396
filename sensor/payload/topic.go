package payload

import (
	"slices"
	"strings"

	"edgelens/internal/clip"
)

// system is whose convention a topic follows.
type system int

const (
	plain system = iota
	tasmota
	zigbee2mqtt
)

// place is what a topic contributes to the names.
type place struct {
	system system
	// device and field are of a single value: sensors/room_101/temperature.
	device, field string
	// whole is the device of an object, and of a value with another name: all levels.
	whole string
}

// place returns the names in a topic: by the known systems first, then by its levels behind
// the fixed ones of the filter that it matches.
func (p *Parser) place(topic string) (place, error) {
	if len(topic) > maxTopic {
		return place{}, refuse(BadName, "The topic has %d bytes; the limit is %d.", len(topic), maxTopic)
	}
	levels := strings.Split(topic, "/")
	rest := p.behindFilter(levels)
	for _, from := range [][]string{levels, rest} {
		found, known, err := knownSystem(from)
		if known || err != nil {
			return found, err
		}
	}
	rest = slices.DeleteFunc(slices.Clone(rest), func(level string) bool { return level == "" })
	return plainPlace(rest), nil
}

// plainPlace takes the last level as the field where there are two or more.
func plainPlace(levels []string) place {
	whole := strings.Join(levels, "/")
	if len(levels) < 2 {
		return place{device: whole, field: "value", whole: whole}
	}
	last := len(levels) - 1
	return place{device: strings.Join(levels[:last], "/"), field: levels[last], whole: whole}
}

// behindFilter returns the levels behind the fixed ones of the first filter that matches.
func (p *Parser) behindFilter(levels []string) []string {
	for _, filter := range p.Topics {
		if fixed, ok := match(strings.Split(filter, "/"), levels); ok {
			return levels[fixed:]
		}
	}
	return levels
}

// match reports whether a topic matches an MQTT filter, and how many levels are before its
// first wildcard.
func match(filter, topic []string) (fixed int, ok bool) {
	wild := false
	for i, level := range filter {
		switch {
		case level == "#":
			return min(fixed, len(topic)), true
		case i >= len(topic):
			return 0, false
		case level == "+":
			wild = true
			continue
		case level != topic[i]:
			return 0, false
		}
		if !wild {
			fixed++
		}
	}
	return fixed, len(filter) == len(topic)
}

// tasmotaTopics are the last levels of Tasmota's topics with values.
var tasmotaTopics = []string{"SENSOR", "STATE", "STATUS8", "STATUS10", "STATUS11"}

// noValues are the last levels of topics that ask for or describe values.
var noValues = []string{"set", "get", "availability", "config", "LWT"}

// knownSystem returns the place of a topic of a known system.
func knownSystem(levels []string) (place, bool, error) {
	n := len(levels)
	if n < 2 {
		return place{}, false, nil
	}
	first, last := levels[0], levels[n-1]
	switch {
	case (first == "zigbee2mqtt" || first == "homeassistant") && (slices.Contains(noValues, last) || levels[1] == "bridge"):
		return place{}, false, refuse(NotSensor, "The topic %q carries no values of a sensor.", clip.Line(strings.Join(levels, "/"), 80))
	case first == "zigbee2mqtt":
		found := plainPlace(levels[1:])
		found.system = zigbee2mqtt
		return found, true, nil
	case n >= 3 && slices.Contains(tasmotaTopics, last) && isTasmotaPrefix(first):
		return tasmotaPlace(levels[1 : n-1]), true, nil
	case n >= 3 && slices.Contains(tasmotaTopics, last) && isTasmotaPrefix(levels[n-2]):
		return tasmotaPlace(levels[:n-2]), true, nil
	case n >= 4 && first == "homeassistant" && last == "state": // homeassistant/sensor/[node/]object/state
		return plainPlace(levels[2 : n-1]), true, nil
	case n >= 4 && last == "state" && levels[n-3] == "sensor": // ESPHome: node/sensor/object/state
		return plainPlace(append(slices.Clone(levels[:n-3]), levels[n-2])), true, nil
	}
	return place{}, false, nil
}

func isTasmotaPrefix(level string) bool { return level == "tele" || level == "stat" }

func tasmotaPlace(device []string) place {
	name := strings.Join(device, "/")
	return place{system: tasmota, device: name, field: "value", whole: name}
}

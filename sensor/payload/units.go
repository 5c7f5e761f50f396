package payload

import "strings"

// knownUnits are units that the system of a topic defines and does not send, by the folded
// last part of the field.
var knownUnits = map[system]map[string]string{
	tasmota: {
		"humidity": "%", "illuminance": "lx", "power": "W", "apparentpower": "VA", "reactivepower": "var",
		"voltage": "V", "current": "A", "total": "kWh", "today": "kWh", "yesterday": "kWh", "rssi": "%",
	},
	zigbee2mqtt: {
		"temperature": "°C", "humidity": "%", "pressure": "hPa", "battery": "%", "linkquality": "lqi",
	},
}

// normalUnit writes degrees the same way for all: C is °C for a temperature, not coulomb.
func normalUnit(field, unit string) string {
	switch unit {
	case "℃":
		return "°C"
	case "℉":
		return "°F"
	case "C", "F":
		if fold := folded(field); strings.Contains(fold, "temp") || strings.Contains(fold, "dewpoint") {
			return "°" + unit
		}
	}
	return unit
}

// lastPart returns the folded last part of a flattened field.
func lastPart(field string) string { return folded(field[strings.LastIndexByte(field, '.')+1:]) }

// unitOf returns the unit that a member like TempUnit or temperature_unit gives a field; the
// first part of the member's name must begin the field's.
func unitOf(stems map[string]string, field string) string {
	last, best, unit := lastPart(field), "", ""
	for stem, text := range stems {
		if strings.HasPrefix(last, stem) && len(stem) > len(best) {
			best, unit = stem, text
		}
	}
	if unit == "" && last == "dewpoint" {
		unit = stems["temp"]
	}
	return unit
}

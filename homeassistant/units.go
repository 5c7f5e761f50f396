package homeassistant

import "strings"

// measure is what a series measures, in Home Assistant's terms.
type measure struct {
	class, unit string
	// total is set where Home Assistant accepts no state class measurement for the class.
	total bool
}

// describe sets the members of an entity.
func (m measure) describe(entity *component) {
	entity.DeviceClass, entity.Unit = m.class, m.unit
	if m.total {
		entity.StateClass = ""
	}
}

// classOfUnit has the device class of units that have only one; its value is a class and the unit as Home Assistant
// writes it (homeassistant/components/sensor/const.py, DEVICE_CLASS_UNITS). A unit in Home Assistant's own writing needs
// no other.
var classOfUnit = map[string]measure{
	"°C": {class: "temperature"}, "°F": {class: "temperature"}, "K": {class: "temperature"},
	"Pa": {class: "pressure"}, "hPa": {class: "pressure"}, "kPa": {class: "pressure"}, "bar": {class: "pressure"}, "mbar": {class: "pressure"},
	"mmHg": {class: "pressure"}, "inHg": {class: "pressure"}, "psi": {class: "pressure"},
	"W": {class: "power"}, "kW": {class: "power"},
	"Wh": {class: "energy", total: true}, "kWh": {class: "energy", total: true}, "MWh": {class: "energy", total: true},
	"V": {class: "voltage"}, "mV": {class: "voltage"}, "A": {class: "current"}, "mA": {class: "current"},
	"VA": {class: "apparent_power"}, "Hz": {class: "frequency"}, "kHz": {class: "frequency"},
	"lx": {class: "illuminance"}, "lux": {class: "illuminance", unit: "lx"},
	"dB": {class: "sound_pressure"}, "dBA": {class: "sound_pressure"}, "dBm": {class: "signal_strength"},
	"W/m²": {class: "irradiance"}, "kg": {class: "weight"}, "g": {class: "weight"},
}

// measures returns what a field with a unit measures. Home Assistant rejects a unit that does not fit the device class,
// so a class is given only where the unit is certain; any other unit is text beside the number, and needs no class.
func measures(field, unit string) measure {
	if m, ok := classOfUnit[unit]; ok {
		if m.unit == "" {
			m.unit = unit
		}
		return m
	}
	name := strings.ToLower(field[strings.LastIndexByte(field, '.')+1:])
	switch {
	case unit == "%" && strings.Contains(name, "humid"):
		return measure{class: "humidity", unit: unit}
	case unit == "%" && strings.Contains(name, "batter"):
		return measure{class: "battery", unit: unit}
	case unit == "%" && strings.Contains(name, "moist"):
		return measure{class: "moisture", unit: unit}
	case unit == "ppm" && strings.Contains(name, "co2"):
		return measure{class: "carbon_dioxide", unit: unit}
	}
	return measure{unit: unit}
}

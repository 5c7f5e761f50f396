package payload

import (
	"encoding/json"
	"slices"
)

// unit returns the unit of a field by another member, or by its system.
func (o *object) unit(field string) string {
	if unit := unitOf(o.stems, field); unit != "" {
		return unit
	}
	return knownUnits[o.at.system][lastPart(field)]
}

// skips reports whether an object describes the device, and measures nothing.
func (o *object) skips(fold string, isTop bool) bool {
	return isTop && (fold == "device" || o.at.system == zigbee2mqtt && slices.Contains(metadata, fold))
}

// skipOrUnits reads an object of units by field, or skips another.
func (o *object) skipOrUnits(fold string, depth int) error {
	if !slices.Contains(unitNames, fold) {
		return o.skip(depth)
	}
	for o.decoder.More() {
		key, err := o.decoder.Token()
		if err != nil {
			return o.notJSON(err)
		}
		value, err := o.decoder.Token()
		if err != nil {
			return o.notJSON(err)
		}
		if _, isDelim := value.(json.Delim); isDelim {
			if err := o.skip(depth + 1); err != nil {
				return err
			}
		}
		if text, ok := value.(string); ok && len(o.stems) < 2*MaxReadings {
			o.stems[folded(key.(string))] = text
		}
	}
	if _, err := o.decoder.Token(); err != nil {
		return o.notJSON(err)
	}
	return nil
}

// skip reads the rest of an object or a list whose opening was read.
func (o *object) skip(depth int) error {
	for open := depth; open >= depth; {
		token, err := o.decoder.Token()
		if err != nil {
			return o.notJSON(err)
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			open++
		case json.Delim('}'), json.Delim(']'):
			open--
		}
		if open > maxDepth {
			return refuse(TooDeep, "The JSON object is nested more than %d deep.", maxDepth)
		}
	}
	return nil
}

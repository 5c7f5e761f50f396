package homeassistant

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"

	"edgelens/internal/clip"
)

// maxName is the maximum length of a name in bytes: an entity's state, of which ids are made, has at most 255 characters.
const maxName = 80

// card is a device as Home Assistant shall know it.
type card struct {
	id string
	// mark changes where the device was renamed, or forgotten and is back.
	mark    string
	config  config
	message []byte
	values  []value
	// shared is set for a device that each node of the group knows.
	shared bool
}

// value is a retained message with a value of a device.
type value struct {
	topic   string
	payload []byte
	// urgent values are published at once.
	urgent bool
}

// object returns a JSON object as a payload.
func object(members map[string]any) []byte {
	text, err := json.Marshal(members)
	if err != nil { // a number that JSON does not have
		return []byte("{}")
	}
	return text
}

// add adds an entity to a device, with an id of its own.
func (c *config) add(id, key string, entity component) {
	entity.UniqueID = id + "-" + key
	c.Components[key] = entity
}

// newConfig returns the message of a device without entities.
func (a *Announcer) newConfig(id, name string) config {
	return config{
		Device: device{IDs: []string{id}, Name: name},
		Origin: origin{Name: "edgelens", Software: a.parts.Node.Version}, Availability: []availability{{a.parts.Topics.Status}},
		AvailabilityMode: modeAll, Components: map[string]component{},
	}
}

// newCard returns the card of a complete message.
func newCard(id, mark string, c config, shared bool, values ...value) card {
	return card{id: id, mark: mark, config: c, message: c.text(), values: values, shared: shared}
}

// same reports whether two cards have the same message.
func (c card) same(other card) bool { return bytes.Equal(c.message, other.message) }

// title returns a name for people: "air.co2_level" is "Air co2 level".
func title(name string) string {
	words := strings.Join(strings.FieldsFunc(name, func(r rune) bool { return strings.ContainsRune("._- ", r) }), " ")
	if words == "" {
		words = name
	}
	runes := []rune(clip.Text(words, maxName, "…"))
	runes[0] = unicode.ToUpper(runes[0])
	return string(runes)
}

package homeassistant

import (
	"time"

	"edgelens"
)

// stateCards returns the cards of states, each a device with one entity: a binary sensor where one label means on, else a
// sensor with the labels as its options. It is unavailable while the state is stale, and its value unknown while that is.
// Unlike a recognition, a state is what is the case, also after a restart of Home Assistant: its values are retained.
func (a *Announcer) stateCards(states []edgelens.State) (cards []card) {
	for i := range states {
		cards = append(cards, a.stateCard(&states[i]))
	}
	return cards
}

func (a *Announcer) stateCard(s *edgelens.State) card {
	id := idOf(kindState, s.Name)
	c := a.newConfig(id, title(s.Name))
	c.Device.Model, c.Device.Via = "state", a.via()
	c.Availability = append(c.Availability, availability{presenceTopic(id)})
	entity := component{
		Platform: platformSensor, Name: "State", StateTopic: stateTopic(id), ValueTemplate: "{{ value_json.state if value_json.state is not none else none }}",
		AttributesTopic: stateTopic(id), AttributesTemplate: "{{ {'since': value_json.since, 'confidence': value_json.confidence} | to_json }}", QoS: 1,
	}
	if s.On != "" {
		entity.Platform, entity.DeviceClass = platformBinary, s.Class
		entity.ValueTemplate = "{{ 'None' if value_json.on is none else 'ON' if value_json.on else 'OFF' }}" // None is unknown
	} else if len(s.Labels) > 0 {
		entity.DeviceClass, entity.Options = "enum", optionsOf(s)
	}
	c.add(id, "state", entity)
	values, presence := map[string]any{"state": nil, "on": nil, "since": nil, "confidence": nil}, online
	if s.Label != "" {
		values["state"], values["on"], values["since"], values["confidence"] = s.Label, s.Label == s.On, s.Since.UTC().Format(time.RFC3339), s.Confidence
	}
	if s.Stale {
		presence = offline
	}
	return newCard(id, s.Name, c, true, value{topic: presenceTopic(id), payload: []byte(presence), urgent: true}, value{topic: stateTopic(id), payload: object(values), urgent: true})
}

// optionsOf returns the labels that a state may have, each once: the present one, too, which a former version of the model
// may have had.
func optionsOf(s *edgelens.State) (options []string) {
	seen := map[string]bool{"": true}
	for _, label := range append(append([]string{}, s.Labels...), s.Label) {
		if !seen[label] {
			seen[label] = true
			options = append(options, label)
		}
	}
	return options
}

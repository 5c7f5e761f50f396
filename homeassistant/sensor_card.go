package homeassistant

import (
	"strings"

	"edgelens"
	"edgelens/internal/clip"
)

// ownField begins the fields of edgelens' own streams.
const ownField = "edgelens."

// insightTemplate makes Home Assistant's event of an insight (edgelens.insight.v1).
const insightTemplate = `{%- set d = value_json.data -%}{{ {'event_type': d.state, 'field': d.field, 'rule': d.rule, 'kind': d.kind, ` +
	`'severity': d.severity, 'summary': d.summary, 'value': d.value, 'event_id': value_json.id} | to_json }}`

// sensorCards returns the cards of the sensors: one for the series of each device, which are sorted by it. dropped is
// the number of series beyond maxFields of a device.
func (a *Announcer) sensorCards(series []edgelens.Series) (cards []card, dropped int) {
	var of []edgelens.Series
	flush := func() {
		if len(of) > maxFields {
			dropped += len(of) - maxFields
			of = of[:maxFields]
		}
		if len(of) > 0 {
			cards = append(cards, a.sensorCard(of[0].Device, of))
		}
		of = of[:0]
	}
	for _, one := range series {
		if strings.HasPrefix(one.Field, ownField) {
			continue
		}
		if len(of) > 0 && of[0].Device != one.Device {
			flush()
		}
		of = append(of, one)
	}
	flush()
	return cards, dropped
}

// sensorCard returns the card of a sensor. It is online while one of its series is known to have values: what has sent
// nothing since the start of this process is not.
func (a *Announcer) sensorCard(name string, series []edgelens.Series) card {
	id := idOf(kindSensor, name)
	c := a.newConfig(id, clip.Text(name, maxName, "…"))
	c.Device.Model, c.Device.Serial, c.Device.Via = "sensor", name, a.via()
	c.Availability = append(c.Availability, availability{presenceTopic(id)})
	values, presence := map[string]any{}, offline
	for _, one := range series {
		// The keys are ours, and so is what the templates have: a field is text of a sensor.
		key := "f_" + encoded(one.Field)
		entity := component{
			Platform: platformSensor, Name: title(one.Field), StateTopic: stateTopic(id), StateClass: classMeasurement,
			ValueTemplate: "{{ value_json['" + key + "'] if value_json['" + key + "'] is defined else none }}",
		}
		measures(one.Field, one.Unit).describe(&entity)
		c.add(id, key, entity)
		values[key] = one.Last
		if one.Points > 0 && !one.Silent {
			presence = online
		}
	}
	c.add(id, "insight", component{
		Platform: platformEvent, Name: "Insight", Icon: "mdi:lightbulb-on-outline", EventTypes: []string{string(edgelens.InsightRaised), string(edgelens.InsightCleared)},
		StateTopic: a.parts.Topics.Insights(name), ValueTemplate: insightTemplate, QoS: 1, Availability: c.Availability[:1],
	})
	return newCard(id, name, c, true, value{topic: presenceTopic(id), payload: []byte(presence), urgent: true}, value{topic: stateTopic(id), payload: object(values)})
}

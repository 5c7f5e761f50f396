package homeassistant

import (
	"cmp"
	"encoding/json"
	"strconv"
	"time"

	"edgelens"
)

// The types of the events about records: the outcome of a fresh one, and replayed for all others, whatever they show.
var recognitionTypes = []string{"recognized", "uncertain", "no_image", "error", replayed}

const replayed = "replayed"

// recognitionTemplate makes Home Assistant's event of ours (edgelens.recognition.v1). It leaves out the person, who is in
// data.record: Home Assistant would keep the name. A record that is not proved to be fresh has the type replayed, and has
// not passed, so that no automation opens a door for it. Members are read by get, because some are left out of an event
// that is too large.
const recognitionTemplate = `{%- set d = value_json.data -%}{%- set best = (d.get('predictions') or [{}])[0] -%}` +
	`{{ {'event_type': d.outcome if d.get('freshness') == 'fresh' else 'replayed', 'outcome': d.outcome, ` +
	`'passed': d.get('passed') == true and d.get('freshness') == 'fresh', 'kind': d.get('kind'), ` +
	`'label': best.get('label'), 'probability': best.get('probability'), 'freshness': d.get('freshness'), ` +
	`'captured_at': d.get('captured_at'), 'event_id': value_json.id} | to_json }}`

// deviceCard returns the card of a terminal or camera.
func (a *Announcer) deviceCard(d edgelens.Device) card {
	id, topics := idOf(kindDevice, d.ID), a.parts.Topics
	c := a.newConfig(id, cmp.Or(d.Settings.DisplayName, d.Dialect+" "+d.ID))
	c.Device.Model, c.Device.Serial, c.Device.Via = d.Dialect, d.ID, a.via()
	c.Availability = append(c.Availability, availability{topics.Availability(d.ID)})
	status := c.Availability[:1]
	c.add(id, "recognition", component{
		Platform: platformEvent, Name: "Recognition", Icon: "mdi:face-recognition", EventTypes: recognitionTypes,
		StateTopic: topics.Events(d.ID), ValueTemplate: recognitionTemplate, QoS: 1,
	})
	c.add(id, "connection", component{
		Platform: platformBinary, Name: "Connection", DeviceClass: "connectivity", Category: categoryDiagnostic,
		StateTopic: topics.Availability(d.ID), PayloadOn: online, PayloadOff: offline, Availability: status,
	})
	c.add(id, "last_seen", component{
		Platform: platformSensor, Name: "Last seen", DeviceClass: "timestamp", Category: categoryDiagnostic,
		StateTopic: stateTopic(id), ValueTemplate: "{{ value_json.last_seen }}", Availability: status,
	})
	c.add(id, "clock", component{
		Platform: platformBinary, Name: "Clock", DeviceClass: "problem", Category: categoryDiagnostic,
		StateTopic: stateTopic(id), ValueTemplate: "{{ 'ON' if value_json.clock_problem else 'OFF' }}",
		AttributesTopic: stateTopic(id), AttributesTemplate: "{{ {'problem': value_json.clock_problem} | to_json }}",
	})
	values := map[string]any{"last_seen": nil, "clock_problem": nil}
	if !d.LastSeen.IsZero() {
		// By the minute: a value for each heartbeat would fill Home Assistant's database.
		values["last_seen"] = d.LastSeen.UTC().Truncate(time.Minute).Format(time.RFC3339)
	}
	if d.Clock.Problem != "" {
		values["clock_problem"] = d.Clock.Problem
	}
	if a.parts.Node.Group == "" { // a node of a group counts its share alone
		c.add(id, "records", component{
			Platform: platformSensor, Name: "Records", StateClass: classIncreasing, Icon: "mdi:counter",
			StateTopic: stateTopic(id), ValueTemplate: "{{ value_json.records }}", Availability: status,
		})
		values["records"] = d.Counters.Records
	}
	if a.config.Images {
		c.add(id, "image", component{Platform: platformImage, Name: "Last image", ImageTopic: imageTopic(id), ContentType: thumbnailType})
	}
	for _, command := range a.commandsOf(d.ID) {
		c.add(id, "command_"+command, component{
			Platform: platformButton, Name: title(command), CommandTopic: commandTopic(id), PayloadPress: command, QoS: 1,
		})
	}
	mark := d.Settings.DisplayName + "\n" + strconv.FormatInt(d.FirstSeen.Unix(), 10)
	return newCard(id, mark, c, true, value{topic: stateTopic(id), payload: object(values)})
}

// via returns the id of the device over which others are reached; "" where a user has deleted it.
func (a *Announcer) via() string {
	if id := a.nodeID(); !a.book.deleted(id) {
		return id
	}
	return ""
}

// commandsOf returns the commands that a device can get.
func (a *Announcer) commandsOf(device string) (commands []string) {
	if a.parts.Commander == nil {
		return nil
	}
	for _, command := range a.config.Commands {
		if a.parts.Commander.CheckCommand(device, commandBody(command)) == nil {
			commands = append(commands, command)
		}
	}
	return commands
}

// commandBody is a command as POST /api/devices/{id}/commands takes it.
func commandBody(command string) json.RawMessage {
	return json.RawMessage(`{"cmd":"` + command + `"}`) // Validate allows nothing that needs escaping
}

package homeassistant

import (
	"context"
	"time"

	"edgelens"
)

// nodeID returns the id of this node's device.
func (a *Announcer) nodeID() string { return idOf(kindNode, a.parts.Node.Name) }

// nodeCard returns the card of this node.
func (a *Announcer) nodeCard(ctx context.Context, devices []edgelens.Device) card {
	state, id, name := a.parts.State(ctx), a.nodeID(), "edgelens"
	if a.parts.Node.Group != "" {
		name += " " + a.parts.Node.Name
	}
	c := a.newConfig(id, name)
	c.Device.Manufacturer, c.Device.Model, c.Device.Serial = "edgelens", "image-recognition server", a.parts.Node.Name
	c.Device.Software, c.Device.URL = a.parts.Node.Version, a.parts.Node.URL
	diagnostic := func(key, name, icon string, entity component) {
		entity.Platform, entity.Name, entity.Icon, entity.Category = platformSensor, name, icon, categoryDiagnostic
		entity.StateTopic, entity.ValueTemplate = stateTopic(id), "{{ value_json."+key+" }}"
		c.add(id, key, entity)
	}
	diagnostic("version", "Version", "mdi:tag", component{})
	diagnostic("queued", "Jobs queued", "mdi:tray-full", component{StateClass: classMeasurement})
	diagnostic("undelivered", "Events undelivered", "mdi:email-outline", component{StateClass: classMeasurement})
	diagnostic("devices_online", "Devices online", "mdi:counter", component{StateClass: classMeasurement})
	diagnostic("started", "Started", "mdi:clock-start", component{DeviceClass: "timestamp"})
	c.add(id, "problem", component{
		Platform: platformBinary, Name: "Problem", DeviceClass: "problem", Category: categoryDiagnostic,
		StateTopic: stateTopic(id), ValueTemplate: "{{ 'ON' if value_json.problems else 'OFF' }}",
		AttributesTopic: stateTopic(id), AttributesTemplate: "{{ {'problems': value_json.problems} | to_json }}",
	})
	values := map[string]any{
		"version": a.parts.Node.Version, "queued": state.Queued, "undelivered": state.Undelivered,
		"devices_online": countOnline(devices), "started": state.StartedAt.UTC().Format(time.RFC3339), "problems": append([]string{}, state.Problems...),
	}
	if state.Celsius != nil {
		diagnostic("temperature", "Temperature", "", component{DeviceClass: "temperature", Unit: "°C", StateClass: classMeasurement})
		values["temperature"] = float64(int(*state.Celsius*10+0.5)) / 10
	}
	return newCard(id, name, c, false, value{topic: stateTopic(id), payload: object(values)})
}

func countOnline(devices []edgelens.Device) (n int) {
	for _, device := range devices {
		if device.Online && device.State == edgelens.DeviceAccepted {
			n++
		}
	}
	return n
}

package homeassistant

import "encoding/json"

// config is the message that makes a device known. The names of its members are Home Assistant's abbreviations.
type config struct {
	Device           device               `json:"dev"`
	Origin           origin               `json:"o"`
	Availability     []availability       `json:"avty"`
	AvailabilityMode string               `json:"avty_mode"`
	Components       map[string]component `json:"cmps"`
}

type device struct {
	IDs          []string `json:"ids"`
	Name         string   `json:"name"`
	Manufacturer string   `json:"mf,omitempty"`
	Model        string   `json:"mdl,omitempty"`
	Serial       string   `json:"sn,omitempty"`
	Software     string   `json:"sw,omitempty"`
	URL          string   `json:"cu,omitempty"`
	Via          string   `json:"via_device,omitempty"`
}

type origin struct {
	Name     string `json:"name"`
	Software string `json:"sw,omitempty"`
}

type availability struct {
	Topic string `json:"t"`
}

// component is an entity; with nothing but its platform, it removes the entity.
type component struct {
	Platform           string         `json:"p"`
	UniqueID           string         `json:"uniq_id,omitempty"`
	Name               string         `json:"name,omitempty"`
	StateTopic         string         `json:"stat_t,omitempty"`
	ValueTemplate      string         `json:"val_tpl,omitempty"`
	DeviceClass        string         `json:"dev_cla,omitempty"`
	StateClass         string         `json:"stat_cla,omitempty"`
	Unit               string         `json:"unit_of_meas,omitempty"`
	Category           string         `json:"ent_cat,omitempty"`
	Icon               string         `json:"ic,omitempty"`
	PayloadOn          string         `json:"pl_on,omitempty"`
	PayloadOff         string         `json:"pl_off,omitempty"`
	AttributesTopic    string         `json:"json_attr_t,omitempty"`
	AttributesTemplate string         `json:"json_attr_tpl,omitempty"`
	EventTypes         []string       `json:"evt_typ,omitempty"`
	Options            []string       `json:"ops,omitempty"`
	ImageTopic         string         `json:"img_t,omitempty"`
	ContentType        string         `json:"cont_type,omitempty"`
	CommandTopic       string         `json:"cmd_t,omitempty"`
	PayloadPress       string         `json:"pl_prs,omitempty"`
	QoS                int            `json:"qos,omitempty"`
	Availability       []availability `json:"avty,omitempty"`
}

// The platforms of entities.
const (
	platformSensor = "sensor"
	platformBinary = "binary_sensor"
	platformEvent  = "event"
	platformImage  = "image"
	platformButton = "button"
)

// Values of members.
const (
	categoryDiagnostic = "diagnostic"
	classMeasurement   = "measurement"
	classIncreasing    = "total_increasing"
	modeAll            = "all"
)

// text returns the message.
func (c config) text() []byte {
	text, _ := json.Marshal(c) // strings, numbers, lists and maps of them: it cannot fail
	return text
}

// platforms returns the platform of each component.
func (c config) platforms() map[string]string {
	all := make(map[string]string, len(c.Components))
	for key, component := range c.Components {
		all[key] = component.Platform
	}
	return all
}

// without returns the message with former components removed, which Home Assistant needs once.
func (c config) without(former map[string]string) (message config, removed bool) {
	message = c
	message.Components = make(map[string]component, len(c.Components))
	for key, component := range c.Components {
		message.Components[key] = component
	}
	for key, platform := range former {
		if _, still := c.Components[key]; !still {
			message.Components[key], removed = component{Platform: platform}, true
		}
	}
	return message, removed
}

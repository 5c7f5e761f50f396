// Package dialects gathers the dialects of the terminals.
package dialects

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"edgelens/terminal/camera"
	"edgelens/terminal/clock"
	"edgelens/terminal/dialect"
	"edgelens/terminal/dialect/wire"
	"edgelens/terminal/facesluice"
	"edgelens/terminal/fungxi"
)

// Config is the configuration of a site's terminals.
type Config struct {
	// MaxImageBytes is the maximum size of a decoded image.
	MaxImageBytes int64
	// Zone is the time zone of the terminals' clocks, such as "Europe/Berlin" or "+02:00",
	// followed by those of single terminals: "Europe/Berlin,1026700=Asia/Shanghai". Empty
	// is this machine's.
	Zone string
	// Fungxi and Facesluice are the other settings; their MaxImageBytes is set from
	// above.
	Fungxi     fungxi.Config
	Facesluice facesluice.Config
}

// DefaultConfig returns that of each dialect.
func DefaultConfig() Config {
	return Config{MaxImageBytes: wire.DefaultMaxImageBytes, Fungxi: fungxi.DefaultConfig(), Facesluice: facesluice.DefaultConfig()}
}

// Validate reports every invalid setting at once, each with its name, prefixed with the
// dialect's name and a dot.
func (c Config) Validate() error {
	errs := []error{wire.CheckMaxImageBytes(c.MaxImageBytes)}
	if _, err := parseZone(c.Zone); err != nil {
		errs = append(errs, err)
	}
	for name, err := range map[string]error{fungxi.Name: c.Fungxi.Validate(), facesluice.Name: c.Facesluice.Validate()} {
		var joined interface{ Unwrap() []error }
		if errors.As(err, &joined) {
			for _, problem := range joined.Unwrap() {
				errs = append(errs, fmt.Errorf("%s.%w", name, problem))
			}
		}
	}
	return errors.Join(errs...)
}

// Zones returns the zones of Config.Zone; config must be valid.
func Zones(config Config) clock.Zone {
	zone, _ := parseZone(config.Zone) // valid
	return zone
}

// parseZone parses Config.Zone.
func parseZone(text string) (clock.Zone, error) {
	if text == "" {
		return nil, nil
	}
	site, of := time.Local, map[string]*time.Location{}
	for part := range strings.SplitSeq(text, ",") {
		device, name, single := strings.Cut(strings.TrimSpace(part), "=")
		if !single {
			name = device
		}
		location, err := clock.Location(name)
		if err != nil {
			return nil, fmt.Errorf(`zone must be a time zone such as "Europe/Berlin" or "+02:00", and "serial=zone" for single terminals, with commas between; not %q`, part)
		}
		if single {
			of[device] = location
		} else {
			site = location
		}
	}
	return func(device string) *time.Location {
		if location := of[device]; location != nil {
			return location
		}
		return site
	}, nil
}

// New returns every dialect, in the order in which they are matched to a topic; config must
// be valid.
func New(config Config) []dialect.Dialect {
	config.Fungxi.MaxImageBytes, config.Facesluice.MaxImageBytes = config.MaxImageBytes, config.MaxImageBytes
	return []dialect.Dialect{
		fungxi.New(config.Fungxi), facesluice.New(config.Facesluice), camera.New(camera.Config{MaxImageBytes: config.MaxImageBytes}),
	}
}

// Roles are the users of a private broker that are no terminals, and what there is for them.
type Roles struct {
	// Readers may read our events and the presence of devices, and Sensors may publish on SensorTopics (MQTT filters).
	Readers, Sensors, SensorTopics []string
	// HomeAssistant may read all that Home Assistant shows, and publish below homeassistant/ and on CommandTopics; empty
	// for none.
	HomeAssistant string
	CommandTopics []string
	// Discovery is set where Home Assistant is served: without passwords, every client may be it.
	Discovery bool
}

// Rules returns the rules of a private broker, as a mosquitto ACL file: each user is a
// terminal whose serial number is the user's name, and may publish and read the topics of
// that terminal only. A user with a role does not have the topics of a terminal, whatever its name.
func Rules(dialects []dialect.Dialect, users []string, roles Roles) string {
	var rules strings.Builder
	for _, user := range users {
		fmt.Fprintf(&rules, "user %s\n", user)
		if own := roles.rules(user); own != "" {
			rules.WriteString(own + "\n")
			continue
		}
		if dialect.ValidDevice(user) {
			for _, d := range dialects {
				writes, subscribed := d.Topics(user)
				for _, topic := range writes {
					fmt.Fprintf(&rules, "topic write %s\n", topic)
				}
				for _, topic := range subscribed {
					fmt.Fprintf(&rules, "topic read %s\n", topic)
				}
			}
		}
		rules.WriteString("\n")
	}
	return rules.String()
}

// rules returns the rules of a user's roles; "" for none.
func (r Roles) rules(user string) string {
	var rules strings.Builder
	if slices.Contains(r.Readers, user) {
		rules.WriteString("topic read edgelens/v1/#\n")
	}
	if slices.Contains(r.Sensors, user) {
		rules.WriteString(sensorRules("topic write", r.SensorTopics))
	}
	if user == r.HomeAssistant {
		rules.WriteString("topic read homeassistant/#\ntopic write homeassistant/#\ntopic read edgelens/v1/#\n")
		rules.WriteString(sensorRules("topic read", r.SensorTopics))
		for _, topic := range r.CommandTopics {
			fmt.Fprintf(&rules, "topic write %s\n", topic)
		}
	}
	return rules.String()
}

// OpenRules returns the rules of a private broker without passwords: every client may read
// everything, and publish on the topics of devices and sensors and, where Home Assistant is served, below
// homeassistant/, but not on ours: no commands. They are patterns, since a client may have any user name there.
func OpenRules(dialects []dialect.Dialect, roles Roles) string {
	rules := "pattern read #\npattern read $SYS/#\n" + sensorRules("pattern write", roles.SensorTopics)
	if roles.Discovery {
		rules += "pattern write homeassistant/#\n"
	}
	for _, d := range dialects {
		for _, subscription := range d.Subscriptions() {
			rules += "pattern write " + subscription.Filter + "\n"
		}
		writes, subscribed := d.Topics("+")
		for _, topic := range append(writes, subscribed...) {
			if isFilter(topic) {
				rules += "pattern write " + topic + "\n"
			}
		}
	}
	return rules
}

// sensorRules allow the topics of sensors; may is the beginning of a rule. A filter that has the topics of others, too, because it
// begins with a wildcard or with our own level, allows nothing: it needs an ACL file.
func sensorRules(may string, topics []string) string {
	var rules strings.Builder
	for _, topic := range topics {
		if first, _, _ := strings.Cut(topic, "/"); !strings.ContainsAny(first, "#+$") && first != "edgelens" {
			fmt.Fprintf(&rules, "%s %s\n", may, topic)
		}
	}
	return rules.String()
}

// isFilter reports whether each "+" in a topic is a level by itself.
func isFilter(topic string) bool {
	for level := range strings.SplitSeq(topic, "/") {
		if level != "+" && strings.Contains(level, "+") {
			return false
		}
	}
	return true
}

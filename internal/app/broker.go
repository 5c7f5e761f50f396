package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"edgelens"
	"edgelens/homeassistant"
	"edgelens/internal/config"
	"edgelens/internal/supervise"
	"edgelens/terminal/dialect"
	"edgelens/terminal/dialects"
)

// broker is the broker that the MQTT bridge connects to.
type broker struct {
	// url is empty where there is none.
	url string
	// child is the private mosquitto; nil where another broker is used.
	child *supervise.Mosquitto
}

// newBroker returns the configured broker, or a private one. Without either, it logs the reason and the service runs
// without MQTT: requests over HTTP do not need it.
func newBroker(ctx context.Context, c *config.Config, spoken []dialect.Dialect, identities *identities, log *slog.Logger) (broker, error) {
	if err := checkClientAuth(c, identities); err != nil {
		return broker{}, err
	}
	if c.Terminal.URL != "" {
		return broker{url: c.Terminal.URL}, nil
	}
	if c.Mosquitto.Listen == "" {
		log.Info("MQTT disabled: neither mqtt.url nor mqtt.listen is set")
		return broker{}, nil
	}
	if c.Mosquitto.PasswordFile == "" && c.Mosquitto.ClientAuth != supervise.ClientAuthRequire && !c.Mosquitto.Loopback() {
		log.Error("MQTT accepts any client: set mqtt.password_file", "event", "mqtt_open", "listen", c.Mosquitto.Listen)
	}
	keeper := &brokerAccess{config: c, spoken: spoken, authority: identities.authority, log: log}
	access, err := keeper.access()
	if err != nil {
		return broker{}, err
	}
	child, err := supervise.StartMosquitto(ctx, filepath.Join(c.DataDir, "mosquitto"), c.Mosquitto, access, log)
	switch {
	case err == nil:
		scheme := "mqtt"
		if c.Mosquitto.TLS.IsSet() {
			scheme = "mqtts"
		}
		log.Info("MQTT ready for terminals", "mqtt", scheme+"://"+c.Mosquitto.Listen, "client_auth", c.Mosquitto.ClientAuth)
		if c.Mosquitto.ClientAuth != supervise.ClientAuthOff {
			keeper.child = child
			identities.broker.Store(keeper)
		}
		return broker{url: child.URL(), child: child}, nil
	case errors.Is(err, edgelens.ErrNotFound):
		log.Warn("MQTT unavailable, the service runs without it", "event", "mqtt_unavailable", "reason", err)
		return broker{}, nil
	case !portTaken(c.Mosquitto.Listen):
		return broker{}, err
	}
	if err := greet(ctx, c.Mosquitto.Listen); err != nil {
		log.Error("MQTT unavailable, the service runs without it: the port for terminals is used by a program that is not a broker; choose another with --mqtt-listen", "event", "mqtt_unavailable",
			"listen", c.Mosquitto.Listen, "error", err)
		return broker{}, nil
	}
	url := "mqtt://" + c.Mosquitto.Listen
	log.Warn("using another broker that listens on the port for terminals; set mqtt.url to confirm it, or mqtt.listen to another port for a private one", "event", "mqtt_foreign_broker", "mqtt", url)
	return broker{url: url}, nil
}

func (b broker) stop(ctx context.Context) error {
	if b.child == nil {
		return nil
	}
	return b.child.Stop(ctx)
}

// brokerRules returns the ACL of the private broker.
func brokerRules(c *config.Config, spoken []dialect.Dialect, certified []string) (string, error) {
	if c.Rules.File != "" {
		text, err := os.ReadFile(c.Rules.File)
		if err != nil {
			return "", fmt.Errorf("read mqtt.acl_file: %w", err)
		}
		return string(text), nil
	}
	roles := dialects.Roles{
		Readers: c.Rules.Readers, Sensors: c.Rules.Sensors, SensorTopics: c.Sensor.Topics,
		HomeAssistant: c.Rules.HomeAssistant, Discovery: c.HomeAssistant.Discovery,
	}
	if c.HomeAssistant.Discovery && len(c.HomeAssistant.Commands) > 0 {
		roles.CommandTopics = []string{homeassistant.CommandFilter}
	}
	if c.Mosquitto.PasswordFile == "" && c.Mosquitto.ClientAuth == supervise.ClientAuthOff {
		return dialects.OpenRules(spoken, roles), nil
	}
	users := certified
	if c.Mosquitto.PasswordFile != "" {
		withPassword, err := usersOf(c.Mosquitto.PasswordFile)
		if err != nil {
			return "", fmt.Errorf("read mqtt.password_file: %w", err)
		}
		users = distinct(append(withPassword, certified...))
	}
	if name := c.Rules.HomeAssistant; name != "" && !slices.Contains(users, name) && c.Mosquitto.ClientAuth != supervise.ClientAuthRequire {
		return "", fmt.Errorf("%w: mqtt.home_assistant is %s, which mqtt.password_file does not have; `mosquitto_passwd FILE %s` adds it", edgelens.ErrInvalid, name, name)
	}
	// It is never empty: mosquitto allows everything without rules.
	return "# Each user has the topics of its own.\n" + dialects.Rules(spoken, users, roles), nil
}

// usersOf returns the names in a file of mosquitto_passwd: the part before the
// colon of each line.
func usersOf(file string) ([]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // read only
	var users []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if name, _, ok := strings.Cut(lines.Text(), ":"); ok && name != "" && !strings.HasPrefix(name, "#") {
			users = append(users, name)
		}
	}
	return users, lines.Err()
}

// portTaken reports whether a program listens at an address already.
func portTaken(address string) bool {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return true
	}
	return l.Close() != nil
}

// greetTimeout bounds the wait for a broker's answer.
const greetTimeout = 3 * time.Second

// greet returns nil where a broker at the address answers CONNECT, with any code.
func greet(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, greetTimeout)
	defer cancel()
	return supervise.GreetBroker(ctx, "tcp", address)
}

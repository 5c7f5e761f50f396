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
	"strings"
	"time"

	"edgelens"
	"edgelens/internal/config"
	"edgelens/internal/supervise"
	"edgelens/terminal/dialect"
	"edgelens/terminal/dialects"
)

// broker is where the MQTT bridge connects.
type broker struct {
	// url is empty where there is none.
	url string
	// child is the private mosquitto; nil where another one is used.
	child *supervise.Mosquitto
}

// newBroker returns the broker that is configured, or a private one. Where that
// cannot be had it says so, and the service runs without MQTT: nobody who asks
// over HTTP is to go without an answer for it.
func newBroker(ctx context.Context, c *config.Config, spoken []dialect.Dialect, log *slog.Logger) (broker, error) {
	if c.Terminal.URL != "" {
		return broker{url: c.Terminal.URL}, nil
	}
	if c.Mosquitto.Listen == "" {
		log.Info("there is no MQTT: neither mqtt.url nor mqtt.listen is set")
		return broker{}, nil
	}
	if c.Mosquitto.PasswordFile == "" && !c.Mosquitto.Loopback() {
		log.Warn("EVERYBODY ON THE NETWORK MAY SAY THEY ARE A TERMINAL: mqtt.listen is open to it, and mqtt.password_file is not set", "listen", c.Mosquitto.Listen)
	}
	rules, err := brokerRules(c, spoken)
	if err != nil {
		return broker{}, err
	}
	child, err := supervise.StartMosquitto(ctx, filepath.Join(c.DataDir, "mosquitto"), c.Mosquitto, rules, log)
	switch {
	case err == nil:
		log.Info("terminals can connect", "mqtt", "mqtt://"+c.Mosquitto.Listen)
		return broker{url: child.URL(), child: child}, nil
	case errors.Is(err, edgelens.ErrNotFound):
		log.Warn("there is no MQTT: the rest of the service runs", "reason", err)
		return broker{}, nil
	case !portTaken(c.Mosquitto.Listen):
		return broker{}, err
	}
	if err := greet(ctx, c.Mosquitto.Listen); err != nil {
		log.Error("there is no MQTT: the port for terminals is taken by something that is no broker; the rest of the service runs. Choose another with --mqtt-listen",
			"listen", c.Mosquitto.Listen, "error", err)
		return broker{}, nil
	}
	url := "mqtt://" + c.Mosquitto.Listen
	log.Warn("the port for terminals has a broker already, which is used; set mqtt.url to say that this is meant, or mqtt.listen to another port for a private one", "mqtt", url)
	return broker{url: url}, nil
}

func (b broker) stop(ctx context.Context) error {
	if b.child == nil {
		return nil
	}
	return b.child.Stop(ctx)
}

// brokerRules returns what users of the private broker may do.
func brokerRules(c *config.Config, spoken []dialect.Dialect) (string, error) {
	if c.Rules.File != "" {
		text, err := os.ReadFile(c.Rules.File)
		if err != nil {
			return "", fmt.Errorf("read mqtt.acl_file: %w", err)
		}
		return string(text), nil
	}
	if c.Mosquitto.PasswordFile == "" {
		return dialects.OpenRules(spoken), nil
	}
	users, err := usersOf(c.Mosquitto.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("read mqtt.password_file: %w", err)
	}
	return dialects.Rules(spoken, users, c.Rules.Readers), nil
}

// usersOf returns the names in a file of mosquitto_passwd: the part before the
// colon of each line.
func usersOf(file string) ([]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	var users []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if name, _, ok := strings.Cut(lines.Text(), ":"); ok && name != "" && !strings.HasPrefix(name, "#") {
			users = append(users, name)
		}
	}
	return users, lines.Err()
}

// portTaken reports whether something listens at an address already.
func portTaken(address string) bool {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return true
	}
	return l.Close() != nil
}

// greetTimeout is how long a broker has to answer.
const greetTimeout = 3 * time.Second

// greet returns nil where a broker at the address answers CONNECT, whatever it
// answers.
func greet(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, greetTimeout)
	defer cancel()
	return supervise.GreetBroker(ctx, "tcp", address)
}

package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/homeassistant"
	"edgelens/homeassistant/link"
	"edgelens/internal/config"
	"edgelens/internal/supervise"
	"edgelens/terminal"
)

const (
	// homeAssistantFile is the file in the data folder with what Home Assistant knows.
	homeAssistantFile = "homeassistant.json"
	// nodeStateInterval is how long a reading of the node's state is used for Home Assistant.
	nodeStateInterval = 15 * time.Second
)

// homeAssistant makes devices known to Home Assistant.
type homeAssistant struct {
	announcer *homeassistant.Announcer
	link      *link.Link
	images    *lastImages // nil without homeassistant.images
	log       *slog.Logger
	end       context.CancelFunc
	ended     sync.WaitGroup
}

// checkHomeAssistant returns an error for settings that do not fit together.
func checkHomeAssistant(c *config.Config) error {
	var errs []error
	problem := func(text string) { errs = append(errs, fmt.Errorf("%w: %s", edgelens.ErrInvalid, text)) }
	if c.Rules.HomeAssistant != "" && !knowsUsers(c.Mosquitto) {
		problem("mqtt.home_assistant is a user of the private broker: set mqtt.password_file, or mqtt.tls.client_auth to require, too")
	}
	if !c.HomeAssistant.Discovery {
		return errors.Join(errs...)
	}
	if c.HomeAssistant.Images && !c.Ledger.KeepImages {
		problem("homeassistant.images needs the images of finished jobs: set ledger.keep_images, too")
	}
	if len(c.HomeAssistant.Commands) > 0 && !hasPasswords(c) {
		problem("homeassistant.commands lets clients of the broker open doors, so it needs a broker with passwords or certificates: set mqtt.password_file (or mqtt.tls.client_auth) and mqtt.home_assistant, or a user and password in mqtt.url")
	}
	return errors.Join(errs...)
}

// knowsUsers reports whether the private broker knows by a password or a certificate who a client is.
func knowsUsers(c supervise.MosquittoConfig) bool {
	return c.PasswordFile != "" || c.ClientAuth == supervise.ClientAuthRequire
}

// hasPasswords reports whether clients of the broker need a password or a certificate. Of a broker elsewhere, it is only known that we do.
func hasPasswords(c *config.Config) bool {
	if c.Terminal.URL == "" {
		return knowsUsers(c.Mosquitto) && (c.Rules.HomeAssistant != "" || c.Rules.File != "")
	}
	if c.Terminal.Certificate.IsSet() {
		return true
	}
	parsed, err := url.Parse(c.Terminal.URL)
	if err != nil || parsed.User == nil {
		return false
	}
	_, set := parsed.User.Password()
	return set
}

// newHomeAssistant connects the announcer to the parts of the node. It returns nil where there is nothing to do: Home
// Assistant is not served, and was not before.
func newHomeAssistant(c *config.Config, s *node, metrics prometheus.Registerer) (*homeAssistant, error) {
	if err := checkHomeAssistant(c); err != nil {
		return nil, err
	}
	file, broker := filepath.Join(c.DataDir, homeAssistantFile), s.terminals.broker
	if s.terminals.bridge == nil {
		return nil, nil
	}
	if _, err := os.Stat(file); !c.HomeAssistant.Discovery && err != nil {
		return nil, nil
	}
	connection := link.Config{
		URL: broker.url, CAFile: c.Terminal.CAFile, Certificate: shownTo(c), Node: s.jobs.node, Group: c.Terminal.Group, MaxMessageBytes: c.Terminal.MaxMessageBytes,
		Commands: c.HomeAssistant.Discovery && len(c.HomeAssistant.Commands) > 0, Ends: !c.HomeAssistant.Discovery,
	}
	if broker.child != nil {
		connection.Secret = broker.child.ClientSecret()
	}
	h := &homeAssistant{link: link.New(connection, s.log), log: s.log}
	bridge, state := s.terminals.bridge, &nodeState{node: s}
	var err error
	h.announcer, err = homeassistant.New(c.HomeAssistant, homeassistant.Parts{
		Broker: h.link, Node: homeassistant.Node{Name: s.jobs.node, Version: s.version, URL: c.PublicURL, Group: c.Terminal.Group},
		Topics: homeassistant.Topics{
			Status: bridge.StatusTopic(), Availability: terminal.AvailabilityTopic, Events: terminal.EventsTopic, Insights: terminal.InsightsFilter,
		},
		Devices: bridge.Devices, Series: s.series, States: s.labeledStates, State: state.read, Commander: bridge, File: file, Log: s.log, Registerer: metrics,
	})
	if err != nil {
		return nil, err
	}
	if c.HomeAssistant.Images && c.HomeAssistant.Discovery {
		h.images = newLastImages(s.jobs.ledger, h.announcer, s.log)
	}
	return h, nil
}

// labeledStates returns the states with the labels that each may have.
func (s *node) labeledStates(ctx context.Context) ([]edgelens.State, error) {
	if s.states == nil {
		return nil, nil
	}
	return s.states.labeled(ctx)
}

// series returns the series of all sensors.
func (s *node) series(ctx context.Context) ([]edgelens.Series, error) {
	if s.sensors == nil {
		return nil, nil
	}
	series, _, err := s.sensors.Series(ctx)
	return series, err
}

// start starts the announcer and its connection. It does nothing for nil.
func (h *homeAssistant) start() error {
	if h == nil {
		return nil
	}
	ctx, end := context.WithCancel(context.Background())
	h.end = end
	h.ended.Go(func() {
		if err := h.announcer.Run(ctx); err != nil {
			h.log.Error("serving Home Assistant ended", "event", "homeassistant_ended", "error", err)
		}
	})
	if h.images != nil {
		h.ended.Go(func() { h.images.run(ctx) })
	}
	return h.link.Start(h.announcer)
}

// stop ends them. It does nothing for nil.
func (h *homeAssistant) stop(ctx context.Context) error {
	if h == nil {
		return nil
	}
	err := h.link.Stop(ctx)
	if h.end != nil {
		h.end()
		h.ended.Wait()
	}
	return err
}

// conditions returns what is wrong.
func (h *homeAssistant) conditions() (all []edgelens.Condition) {
	if down := h.link.Down(); down > brokerGrace {
		all = append(all, degraded("homeassistant", fmt.Sprintf(
			"Home Assistant is not served: its connection to the MQTT broker has been down, or a subscription refused, for %v; the log has the reason", down.Round(time.Second))))
	}
	return all
}

// nodeState reads the state of the node, at most every nodeStateInterval: it has tables counted.
type nodeState struct {
	node *node

	mu   sync.Mutex
	at   time.Time
	last homeassistant.NodeState
}

// read returns the state.
func (n *nodeState) read(ctx context.Context) homeassistant.NodeState {
	n.mu.Lock()
	defer n.mu.Unlock()
	if now := time.Now(); n.at.IsZero() || now.Sub(n.at) >= nodeStateInterval {
		state := n.node.State(ctx)
		n.at = now
		n.last = homeassistant.NodeState{Queued: state.Queued, Celsius: state.Machine.Celsius, StartedAt: n.node.started}
		for _, sink := range state.Sinks {
			n.last.Undelivered += sink.Events
		}
		for _, condition := range n.node.readiness.Conditions() {
			n.last.Problems = append(n.last.Problems, condition.Name+": "+condition.Reason)
		}
	}
	return n.last
}

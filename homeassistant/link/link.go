// Package link is the connection of package homeassistant to the MQTT broker.
package link

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"edgelens/homeassistant"
	"edgelens/internal/certificate"
	"edgelens/terminal/session"
)

const (
	// receiveMaximum is the maximum number of unacknowledged messages of QoS 1.
	receiveMaximum = 100
	// lasting is how long the broker keeps what a user deletes in Home Assistant while we are away.
	lasting = 7 * 24 * time.Hour
)

// Config is the connection.
type Config struct {
	// URL and CAFile are those of session.ParseAddress.
	URL, CAFile string
	// Certificate is the one by which we identify ourselves; the zero value is none.
	Certificate certificate.Files
	// Node is this node's name, Group its group, and Secret is part of the client id where it is not empty.
	Node, Group, Secret string
	// MaxMessageBytes is the largest message that the broker sends us.
	MaxMessageBytes int
	// Commands has the commands of Home Assistant received.
	Commands bool
	// Ends is set where the broker is to keep nothing for us any more.
	Ends bool
}

// Receiver takes the messages; homeassistant.Announcer is one.
type Receiver interface {
	// Receive takes a message, and acknowledges it later.
	Receive(homeassistant.Incoming)
	// Connected notes that the connection came or went.
	Connected(bool)
}

// Link is the connection, from Start to Stop. It is safe for use by many goroutines.
type Link struct {
	config  Config
	log     *slog.Logger
	session atomic.Pointer[session.Session]
	// lost is when the connection was lost, or Start; nil while it is there.
	lost atomic.Pointer[time.Time]
}

// New returns a connection that is not there yet.
func New(config Config, log *slog.Logger) *Link { return &Link{config: config, log: log} }

// Start begins to connect, and returns without waiting for it.
func (l *Link) Start(receiver Receiver) error {
	address, err := session.ParseAddress(l.config.URL, l.config.CAFile)
	if err == nil {
		address, err = address.WithCertificate(l.config.Certificate)
	}
	if err != nil {
		return fmt.Errorf("connect for Home Assistant: the broker's address %w", err)
	}
	now := time.Now()
	l.lost.Store(&now)
	settings := l.settings(address)
	settings.OnMessage = func(m session.Message) {
		receiver.Receive(homeassistant.Incoming{Topic: m.Topic, Payload: m.Payload, Retained: m.Retained, Waited: m.Waited > 0, Ack: m.Ack})
	}
	begun := make(chan struct{})
	settings.OnUp = func(connection context.Context) {
		<-begun
		l.presence(connection, "online")
		l.lost.Store(nil)
		receiver.Connected(true)
		<-connection.Done()
		lost := time.Now()
		l.lost.Store(&lost)
		receiver.Connected(false)
	}
	started, err := session.Start(settings, l.log)
	if err != nil {
		return fmt.Errorf("connect for Home Assistant: %w", err)
	}
	l.session.Store(started)
	close(begun)
	return nil
}

// settings returns the configuration of the connection, without its callbacks.
func (l *Link) settings(address session.Address) session.Config {
	c, name := l.config, "edgelens-"+l.config.Node+"-homeassistant"
	settings := session.Config{
		Address: address, ClientID: name, Name: name, ReceiveMaximum: receiveMaximum, MaxPacketBytes: uint32(c.MaxMessageBytes), // at most 256 MiB
		Lasting: lasting, Marker: homeassistant.PeerTopic(c.Node) + "/marker",
		// Without our own messages, every one on these topics is of another client.
		Subscriptions: []session.Subscription{{Filter: homeassistant.ConfigFilter, QoS: 1, NoLocal: true}, {Filter: homeassistant.BirthTopic, QoS: 1}},
	}
	if c.Secret != "" {
		settings.ClientID = "edgelens-" + c.Node + "-" + c.Secret + "-homeassistant"
	}
	if c.Ends {
		settings.Lasting = 0
	}
	if c.Commands {
		commands := session.Subscription{Filter: homeassistant.CommandFilter, QoS: 1, RetainAsPublished: true}
		if c.Group != "" { // one node carries a command out
			commands.Filter = "$share/" + c.Group + "/" + commands.Filter
		}
		settings.Subscriptions = append(settings.Subscriptions, commands)
	}
	if c.Group != "" {
		settings.Will = &session.Outgoing{Topic: homeassistant.PeerTopic(c.Node), Payload: []byte("offline"), QoS: 1, Retain: true}
		settings.Subscriptions = append(settings.Subscriptions, session.Subscription{Filter: homeassistant.PeersFilter, QoS: 1, NoLocal: true, RetainedAlways: true})
	}
	return settings
}

// presence publishes whether this node is there, for the others of the group.
func (l *Link) presence(ctx context.Context, state string) {
	if l.config.Group == "" {
		return
	}
	if err := l.Publish(ctx, homeassistant.PeerTopic(l.config.Node), []byte(state), true); err != nil && ctx.Err() == nil {
		l.log.Warn("publishing the presence of this node for Home Assistant failed", "error", err)
	}
}

// Publish implements homeassistant.Broker. A message without a subscriber counts as published.
func (l *Link) Publish(ctx context.Context, topic string, payload []byte, retain bool) error {
	s := l.session.Load()
	if s == nil {
		return session.ErrOffline
	}
	err := s.Publish(ctx, session.Outgoing{Topic: topic, Payload: payload, QoS: 1, Retain: retain})
	if errors.Is(err, session.ErrNoSubscriber) {
		return nil
	}
	return err
}

// Down returns for how long there has been no connection with its subscriptions; 0 while there is one.
func (l *Link) Down() time.Duration {
	lost := l.lost.Load()
	if lost == nil {
		return 0
	}
	return time.Since(*lost)
}

// Stop disconnects. It does nothing before Start.
func (l *Link) Stop(ctx context.Context) error {
	s := l.session.Load()
	if s == nil {
		return nil
	}
	if s.Up() {
		l.presence(ctx, "offline")
	}
	return s.Stop(ctx)
}

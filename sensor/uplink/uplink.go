// Package uplink receives the messages of sensors over a connection of its own to the MQTT broker, so that a flood of
// numbers holds up no record of a terminal.
package uplink

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"edgelens/internal/certificate"
	"edgelens/terminal/session"
)

const (
	// receiveMaximum is the maximum number of unacknowledged messages of QoS 1.
	receiveMaximum = 100
	// ours is the first level of our own topics: a wide filter such as # matches them, too.
	ours = "edgelens/"
)

// Receiver takes the messages; sensor.Monitor is one.
type Receiver interface {
	// Receive takes a message. What it refuses, it counts and logs itself.
	Receive(topic string, payload []byte, retained bool) error
	// Connected notes whether the broker is reached.
	Connected(bool)
	// Topics returns the filters to subscribe to.
	Topics() []string
}

// Config is the connection.
type Config struct {
	// URL and CAFile are those of session.ParseAddress.
	URL, CAFile string
	// Certificate is the one by which we identify ourselves; the zero value is none.
	Certificate certificate.Files
	// Node is this node's name, and Secret is part of the client id where it is not empty.
	Node, Secret string
	// MaxMessageBytes is the largest message that the broker sends us.
	MaxMessageBytes int
}

// Uplink is the connection, from Start to Stop. It is safe for use by many goroutines.
type Uplink struct {
	session *session.Session
	// lost is when the connection was lost, or Start; nil while it is there.
	lost atomic.Pointer[time.Time]
}

// Start begins to connect, and returns without waiting for it. The broker keeps nothing for us while we are away:
// the numbers would arrive as if they were of that moment.
func Start(config Config, receiver Receiver, log *slog.Logger) (*Uplink, error) {
	address, err := session.ParseAddress(config.URL, config.CAFile)
	if err == nil {
		address, err = address.WithCertificate(config.Certificate)
	}
	if err != nil {
		return nil, fmt.Errorf("receive sensors: the broker's address %w", err)
	}
	u := &Uplink{}
	note := func(up bool) {
		receiver.Connected(up)
		if now := time.Now(); up {
			u.lost.Store(nil)
		} else {
			u.lost.Store(&now)
		}
	}
	note(false)
	name := "edgelens-" + config.Node + "-sensors"
	settings := session.Config{
		Address: address, ClientID: name, Name: name, ReceiveMaximum: receiveMaximum, MaxPacketBytes: uint32(config.MaxMessageBytes), // at most 256 MiB
		AckAtOnce: true, OnMessage: func(m session.Message) {
			if !strings.HasPrefix(m.Topic, ours) && !isDiscovery(m.Topic) {
				_ = receiver.Receive(m.Topic, m.Payload, m.Retained) // counted and logged there
			}
		},
		OnUp: func(connection context.Context) {
			note(true)
			<-connection.Done()
			note(false)
		},
	}
	if config.Secret != "" {
		settings.ClientID = "edgelens-" + config.Node + "-" + config.Secret + "-sensors"
	}
	for _, filter := range receiver.Topics() {
		settings.Subscriptions = append(settings.Subscriptions, session.Subscription{Filter: filter, QoS: 1})
	}
	u.session, err = session.Start(settings, log)
	if err != nil {
		return nil, fmt.Errorf("receive sensors: %w", err)
	}
	return u, nil
}

// isDiscovery reports whether a message describes devices for Home Assistant: ours do, too, and their numbers are no
// values of a sensor.
func isDiscovery(topic string) bool {
	return strings.HasPrefix(topic, "homeassistant/") && strings.HasSuffix(topic, "/config")
}

// Down returns for how long there has been no connection with its subscriptions; 0 while there is one.
func (u *Uplink) Down() time.Duration {
	lost := u.lost.Load()
	if lost == nil {
		return 0
	}
	return time.Since(*lost)
}

// Stop disconnects.
func (u *Uplink) Stop(ctx context.Context) error { return u.session.Stop(ctx) }

// Package camera is the dialect of any client that publishes images: the bytes of a JPEG
// (or PNG, WebP, GIF, TIFF, BMP), on edgelens/v1/devices/<serial>/snapshot. The format is
// this project's own: docs/adr/0009-terminals.md.
package camera

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"edgelens"
	"edgelens/terminal/dialect"
	"edgelens/terminal/dialect/wire"
)

// Name is the name of the dialect.
const Name = "camera"

const (
	prefix   = "edgelens/v1/devices/"
	suffix   = "/snapshot"
	snapshot = "snapshot"
	qos      = 1
)

// Config bounds the messages of cameras.
type Config struct {
	// MaxImageBytes is the maximum size of an image.
	MaxImageBytes int64
}

// DefaultConfig accepts images of up to 10 MiB.
func DefaultConfig() Config { return Config{MaxImageBytes: wire.DefaultMaxImageBytes} }

// Validate reports every invalid setting at once, each with its name.
func (c Config) Validate() error { return wire.CheckMaxImageBytes(c.MaxImageBytes) }

// Dialect implements dialect.Dialect.
type Dialect struct{ config Config }

var _ dialect.Dialect = (*Dialect)(nil)

// New returns the dialect; config must be valid.
func New(config Config) *Dialect { return &Dialect{config} }

// Name implements dialect.Dialect.
func (d *Dialect) Name() string { return Name }

// Subscriptions implements dialect.Dialect.
func (d *Dialect) Subscriptions() []dialect.Subscription {
	return []dialect.Subscription{{Filter: prefix + "+" + suffix}}
}

// Topics implements dialect.Dialect.
func (d *Dialect) Topics(device string) (writes, reads []string) {
	return []string{prefix + device + suffix}, nil
}

// Match implements dialect.Dialect.
func (d *Dialect) Match(topic string) (device string, ok bool) {
	rest, ok := strings.CutPrefix(topic, prefix)
	if !ok {
		return "", false
	}
	device, ok = strings.CutSuffix(rest, suffix)
	if !ok || !dialect.ValidDevice(device) {
		return "", ok
	}
	return device, true
}

// Decode implements dialect.Dialect. Whether the bytes are an image is left to the decoder.
func (d *Dialect) Decode(topic string, payload []byte, _ dialect.Hints) (dialect.Message, error) {
	device, ok := d.Match(topic)
	if !ok || device == "" {
		return dialect.Message{}, dialect.ErrDevice
	}
	entries, leftOut := d.entries(payload)
	for i := range entries {
		entries[i].Record.Kind = edgelens.RecordSnapshot
	}
	return dialect.Message{Kind: dialect.Records, Device: device, Name: snapshot, Entries: entries, LeftOut: leftOut}, nil
}

// Command implements dialect.Dialect: a camera accepts none.
func (d *Dialect) Command(string, string, json.RawMessage, time.Time) (dialect.Outgoing, error) {
	return dialect.Outgoing{}, fmt.Errorf("%w: a camera only sends images and accepts no commands", dialect.ErrNoSuchCommand)
}

// Downlink implements dialect.Dialect: cameras do not subscribe.
func (d *Dialect) Downlink(string) bool { return false }

// Policy implements dialect.Dialect: a camera sends messages only with images.
func (d *Dialect) Policy() dialect.Policy { return dialect.Policy{} }

// Simulator implements dialect.Simulator.
type Simulator struct{}

var _ dialect.Simulator = Simulator{}

// NewSimulator returns a simulator of cameras.
func NewSimulator() Simulator { return Simulator{} }

// Name implements dialect.Simulator.
func (Simulator) Name() string { return Name }

// Subscriptions implements dialect.Simulator: a camera receives nothing.
func (Simulator) Subscriptions(string) []string { return nil }

// Heartbeat implements dialect.Simulator: a camera has none.
func (Simulator) Heartbeat(string, time.Time) (dialect.Outgoing, bool) {
	return dialect.Outgoing{}, false
}

// Online implements dialect.Simulator: a camera does not announce itself.
func (Simulator) Online(string, time.Time) (dialect.Outgoing, bool) {
	return dialect.Outgoing{}, false
}

// Record implements dialect.Simulator: only the image is sent.
func (Simulator) Record(device string, _ edgelens.Record, image []byte) dialect.Outgoing {
	return dialect.Outgoing{Topic: prefix + device + suffix, Payload: image, QoS: qos}
}

// Reply implements dialect.Simulator: a camera sends none.
func (Simulator) Reply(string, []byte, time.Time) (dialect.Outgoing, bool) {
	return dialect.Outgoing{}, false
}

// Read implements dialect.Simulator: a camera understands no message.
func (Simulator) Read(string, []byte) dialect.Answer { return dialect.Answer{} }

package terminal

import (
	"fmt"
	"hash/crc32"
	"log/slog"
	"time"

	"edgelens"
	"edgelens/internal/clip"
	"edgelens/internal/loglimit"
)

const (
	// loggedTopics is the maximum number of log lines a minute about topics that name no
	// device: any client may invent them.
	loggedTopics = 64
	// maxLoggedTopic is the maximum number of bytes of a topic that are logged; a broker
	// allows 65,535.
	maxLoggedTopic = 200
)

// common is what the parts of the bridge share. It is safe for use by many goroutines.
type common struct {
	config  Config
	tracer  edgelens.Tracer
	log     *slog.Logger
	limiter *loglimit.Limiter
	traffic *traffic
	now     func() time.Time
}

// warn logs a problem with a message, at most once per minute and device; for a topic that
// names no device, it logs the topic.
func (c common) warn(msg item, what string, err error) {
	key, attributes := msg.device, []any{"dialect", msg.dialect.Name(), "device", msg.device}
	if msg.device == "" {
		key = fmt.Sprint(crc32.ChecksumIEEE([]byte(msg.Topic)) % loggedTopics)
		attributes = []any{"dialect", msg.dialect.Name(), "device", "unknown", "topic", clip.Text(msg.Topic, maxLoggedTopic, "…")}
	}
	suppressed, ok := c.limiter.Pass(msg.dialect.Name()+" "+key, c.now()) // a retry of an old message is news
	if !ok {
		return
	}
	attributes = append(attributes, "bytes", len(msg.Payload), "qos", msg.QoS, "suppressed", suppressed)
	if err != nil {
		attributes = append(attributes, "error", err)
	}
	c.log.Warn(what, attributes...)
}

// wake puts a token into a channel that has room for one.
func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

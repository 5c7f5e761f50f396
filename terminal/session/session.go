// Package session keeps one MQTT 5 connection to a broker: it connects, reconnects with a
// jittered backoff, subscribes after each connect, and passes on messages with their
// acknowledgement. It wraps github.com/eclipse/paho.golang/autopaho
// (docs/adr/0010-mqtt-client.md).
//
// A message is published once: one that was in transit when the connection was lost is
// not resent by the session. Its sender gets an error and decides; a command that opens a
// door must not be delivered late.
package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"edgelens/internal/backoff"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"
	"github.com/eclipse/paho.golang/paho/session"
	"github.com/eclipse/paho.golang/paho/session/state"

	"edgelens"
)

// ErrOffline: there is no connection; nothing was sent.
var ErrOffline = errors.New("the MQTT broker is unreachable")

// ErrNoSubscriber: the broker has accepted the message, but no client has subscribed to
// its topic.
var ErrNoSubscriber = errors.New("no client has subscribed to the topic")

// ErrNotAllowed: the broker's rules do not allow us to publish on the topic.
var ErrNotAllowed = errors.New("the broker's rules (ACL) do not allow edgelens to publish there: give its user the right to write edgelens/v1/# and the topics of the terminals, in mqtt.acl_file where the broker is that of another edgelens")

const (
	// minBackoff and maxBackoff bound the wait between connection attempts.
	minBackoff = 250 * time.Millisecond
	maxBackoff = 30 * time.Second
	// subscribeAgain is the wait after a refused subscription.
	subscribeAgain = 5 * time.Second
)

// Message is a message from the broker.
type Message struct {
	Topic   string
	Payload []byte
	QoS     byte
	// Retained: the broker had retained it.
	Retained bool
	// Duplicate: the broker has sent it before (DUP), and got no acknowledgement.
	Duplicate bool
	// Trace is that of the user property traceparent; empty for none.
	Trace edgelens.Trace
	// Waited is how long it may have waited while we were disconnected or paused, at
	// most; 0 for a message that arrives now. It is set where there is a Config.Marker.
	Waited time.Duration
	// Ack acknowledges the message to the broker, which otherwise resends it after a
	// reconnect. It does nothing for QoS 0.
	Ack func()
}

// Outgoing is a message to the broker.
type Outgoing struct {
	Topic   string
	Payload []byte
	// QoS is 0 or 1.
	QoS byte
	// Retain has the broker retain it.
	Retain bool
	// Expiry is the time after which the broker discards it, in whole seconds; 0 is
	// never.
	Expiry time.Duration
	// Trace is sent as the user property traceparent; empty for none.
	Trace edgelens.Trace
}

// Subscription is a topic filter, with options of MQTT 5 (3.8.3.1).
type Subscription struct {
	Filter string
	QoS    byte
	// NoLocal leaves out what this session publishes itself.
	NoLocal bool
	// RetainAsPublished sets Message.Retained, too, for a message that arrives now and whose sender has the broker
	// retain it.
	RetainAsPublished bool
	// RetainedAlways has the broker send the retained messages after each connect, not only for a new subscription.
	RetainedAlways bool
}

// Config is one connection.
type Config struct {
	Address  Address
	ClientID string
	// Name replaces a secret ClientID in the log; empty where it is not secret.
	Name string
	// Lasting is how long the broker keeps subscriptions and unacknowledged messages of
	// QoS 1 while there is no connection; 0 is not at all.
	Lasting time.Duration
	// ReceiveMaximum is the maximum number of unacknowledged messages of QoS 1, and
	// MaxPacketBytes the maximum size of a message; 0 for the broker's defaults.
	ReceiveMaximum uint16
	MaxPacketBytes uint32
	// AckAtOnce acknowledges each message when OnMessage has returned; Message.Ack does
	// nothing then.
	AckAtOnce bool
	// Subscriptions are made after each connect.
	Subscriptions []Subscription
	// Marker is a topic of our own for detecting messages that have waited; empty where
	// that does not matter, or nothing is kept.
	Marker string
	// OnMessage is called for one message at a time, and must not block: nothing is read
	// meanwhile. Nil without Subscriptions.
	OnMessage func(Message)
	// Will is our last will; nil for none.
	Will *Outgoing
	// OnUp is called in a goroutine once the connection is up and the subscriptions are
	// made; its context ends with the connection. Nil for nothing.
	OnUp func(context.Context)
}

// Session is a connection that reconnects. It is safe for use by many goroutines.
type Session struct {
	config  Config
	log     *slog.Logger
	manager *autopaho.ConnectionManager
	up      atomic.Bool

	mu sync.Mutex
	// connCtx ends with the connection, and goroutines of the connection with
	// endConnection; both nil before the first one.
	connCtx       context.Context
	endConnection context.CancelFunc
	stopped       bool
	running       sync.WaitGroup
	// failures is the number of consecutive failures to connect.
	failures atomic.Int64
	problem  error // the last one
	end      context.CancelFunc
	limits   limits
	catchUp  catchUp
	// pauses is used where there is a Config.Marker; watching is the goroutine that checks.
	pauses   *pauseDetector
	watching sync.WaitGroup
	takeover takeover
	// acks is nil where nothing is to be acknowledged later.
	acks *acks
	// maxPacket is the largest packet that the broker accepts; 0 for any.
	maxPacket atomic.Uint32
	// lastReason is the reason code of the broker's last DISCONNECT.
	lastReason atomic.Uint32
}

// limits are the timeouts for a broker that hangs.
type limits struct {
	dial      time.Duration // to connect, and then to log in
	write     time.Duration // for a write that makes no progress
	keepAlive time.Duration // between packets, in whole seconds
}

func defaultLimits() limits {
	return limits{dial: 10 * time.Second, write: 20 * time.Second, keepAlive: 20 * time.Second}
}

// Start begins to connect and returns at once. Stop must follow.
func Start(config Config, log *slog.Logger) (*Session, error) {
	return start(config, log, defaultLimits(), newPauseDetector(systemClocks, pauseTick, pauseLate))
}

func start(config Config, log *slog.Logger, limits limits, pauses *pauseDetector) (*Session, error) {
	s := &Session{config: config, limits: limits, pauses: pauses, log: log.With("broker", config.Address.String(), "client_id", cmp.Or(config.Name, config.ClientID))}
	if config.OnMessage != nil && !config.AckAtOnce {
		s.acks = &acks{SessionManager: state.NewInMemory()}
	}
	ctx, end := context.WithCancel(context.Background())
	s.end = end
	manager, err := autopaho.NewConnection(ctx, s.clientConfig())
	if err != nil {
		end()
		return nil, fmt.Errorf("connect to the MQTT broker: %w: %w", edgelens.ErrInvalid, err)
	}
	s.mu.Lock()
	s.manager = manager
	s.mu.Unlock()
	if config.Marker != "" {
		s.watching.Go(func() { s.watchPauses(ctx) }) // until Stop
	}
	return s, nil
}

func (s *Session) clientConfig() autopaho.ClientConfig {
	c := s.config
	config := autopaho.ClientConfig{
		ServerUrls:      []*url.URL{{Scheme: "mqtt", Host: c.Address.at}}, // for its log messages; we dial
		KeepAlive:       uint16(s.limits.keepAlive / time.Second),
		ConnectUsername: c.Address.username,
		ConnectPassword: []byte(c.Address.password),
		ConnectTimeout:  s.limits.dial,
		AttemptConnection: func(ctx context.Context, _ autopaho.ClientConfig, _ *url.URL) (net.Conn, error) {
			if s.takeover.left(time.Now()) > 0 {
				return nil, errTakenOver
			}
			s.catchUp.begin(c.Lasting)
			return c.Address.dial(ctx, s.limits)
		},
		SessionExpiryInterval: uint32(c.Lasting / time.Second),
		ReconnectBackoff:      s.backoff,
		OnConnectionUp:        s.connected,
		OnConnectionDown:      s.disconnected,
		OnConnectError:        s.connectFailed,
		ConnectPacketBuilder:  s.connectPacket,
		ClientConfig: paho.ClientConfig{
			ClientID:           c.ClientID,
			PingHandler:        newPinger(),
			OnPublishReceived:  []func(paho.PublishReceived) (bool, error){s.received},
			OnServerDisconnect: s.serverDisconnected,
		},
	}
	if s.acks != nil {
		config.Session = s.acks
	}
	if c.Will != nil {
		config.WillMessage = &paho.WillMessage{Topic: c.Will.Topic, Payload: c.Will.Payload, QoS: c.Will.QoS, Retain: c.Will.Retain}
		config.WillProperties = &paho.WillProperties{}
	}
	return config
}

func (s *Session) connectPacket(connect *paho.Connect, _ *url.URL) (*paho.Connect, error) {
	// mosquitto saves a session that did not start clean even where it ends with its
	// connection. After a restart it then queues messages for a client that never
	// returns: a command would count as sent, and be lost.
	connect.CleanStart = s.config.Lasting == 0
	if connect.Properties == nil {
		connect.Properties = &paho.ConnectProperties{}
	}
	if n := s.config.ReceiveMaximum; n > 0 {
		connect.Properties.ReceiveMaximum = &n
	}
	if n := s.config.MaxPacketBytes; n > 0 {
		connect.Properties.MaximumPacketSize = &n
	}
	return connect, nil
}

// backoff returns the wait before a connection attempt: none before the first one ever,
// then up to maxBackoff, jittered so that many clients that lost one broker do not
// reconnect at once.
func (s *Session) backoff(attempt int) time.Duration {
	if left := s.takeover.left(time.Now()); left > 0 {
		return left
	}
	if s.failures.Add(1) == 1 {
		return 0
	}
	return backoff.After(max(attempt, s.takeover.attempts())+1, minBackoff, maxBackoff)
}

// received passes a message on.
func (s *Session) received(p paho.PublishReceived) (bool, error) {
	if s.config.OnMessage == nil {
		return true, nil
	}
	if s.config.Marker != "" && p.Packet.Topic == s.config.Marker {
		s.notePause()
		s.catchUp.reached(p.Packet.Payload)
		s.ack(p)()
		return true, nil
	}
	var waited time.Duration
	if s.config.Marker != "" {
		s.notePause()
		waited = s.catchUp.waited()
	}
	s.config.OnMessage(Message{
		Waited: waited, Trace: traceOf(p.Packet),
		Topic: p.Packet.Topic, Payload: p.Packet.Payload, QoS: p.Packet.QoS, Retained: p.Packet.Retain, Duplicate: p.Packet.Duplicate(),
		Ack: s.ack(p),
	})
	return true, nil
}

// ack acknowledges a message once: later its packet id may belong to another one.
func (s *Session) ack(p paho.PublishReceived) func() {
	if s.acks == nil || p.Packet.QoS == 0 {
		return func() {}
	}
	return sync.OnceFunc(s.acks.expect(p.Packet))
}

// connected is called after each connect; it must not block.
func (s *Session) connected(manager *autopaho.ConnectionManager, answer *paho.Connack) {
	s.failures.Store(1)
	s.lastReason.Store(0)
	s.takeover.begun(time.Now())
	limit := s.noteLimit(answer)
	if !answer.SessionPresent {
		s.catchUp.nothingWaited()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.manager, s.problem = manager, nil
	if s.stopped {
		return
	}
	if s.endConnection != nil {
		s.endConnection()
	}
	ctx, end := context.WithCancel(context.Background())
	s.connCtx, s.endConnection = ctx, end
	s.running.Go(func() { s.setUp(ctx, limit) })
}

// setUp subscribes, with retries, and then reports the connection as up.
func (s *Session) setUp(ctx context.Context, limit uint32) {
	for attempts := 1; len(s.config.Subscriptions) > 0; attempts++ {
		err := s.subscribe(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			break
		}
		if attempts&(attempts-1) == 0 { // ever fewer lines
			s.log.Error("subscribing failed, retrying; no messages are received until it succeeds", "event", "subscribe_failed", "attempts", attempts, "error", err)
		}
		select {
		case <-time.After(subscribeAgain):
		case <-ctx.Done():
			return
		}
	}
	if s.config.Marker != "" {
		s.mark(ctx)
	}
	s.mu.Lock()
	s.up.Store(ctx.Err() == nil) // disconnected holds the same lock
	s.mu.Unlock()
	if limit > 0 {
		s.log.Info("connected to the MQTT broker", "max_packet_bytes", limit)
	} else {
		s.log.Info("connected to the MQTT broker")
	}
	if s.config.OnUp != nil {
		s.config.OnUp(ctx)
	}
}

func (s *Session) subscribe(ctx context.Context) error {
	request := &paho.Subscribe{}
	for _, subscription := range s.config.Subscriptions {
		options := paho.SubscribeOptions{
			Topic: subscription.Filter, QoS: subscription.QoS, NoLocal: subscription.NoLocal, RetainAsPublished: subscription.RetainAsPublished,
			// Retained messages are sent for a new subscription, and not after each
			// reconnect.
			RetainHandling: 1,
		}
		if subscription.RetainedAlways {
			options.RetainHandling = 0
		}
		request.Subscriptions = append(request.Subscriptions, options)
	}
	if s.config.Marker != "" {
		request.Subscriptions = append(request.Subscriptions, paho.SubscribeOptions{Topic: s.config.Marker, QoS: 1})
	}
	answer, err := s.connection().Subscribe(ctx, request)
	if answer != nil {
		for i, reason := range answer.Reasons {
			if reason >= 0x80 && i < len(request.Subscriptions) {
				return fmt.Errorf("the broker refuses %s with reason 0x%02x; its rules (ACL) must allow this user to read it", request.Subscriptions[i].Topic, reason)
			}
		}
	}
	return err
}

func (s *Session) disconnected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.endConnection != nil {
		s.endConnection()
	}
	s.catchUp.disconnected()
	if !s.stopped {
		s.noteEnd()
	}
	if s.up.Swap(false) && !s.stopped {
		s.log.Warn("connection to the MQTT broker lost, reconnecting")
	}
	return true
}

// connectFailed logs the first consecutive failure and then ever fewer.
func (s *Session) connectFailed(err error) {
	if errors.Is(err, errTakenOver) {
		return // serverDisconnected has logged it
	}
	s.takeover.connectFailed()
	err = explain(err)
	s.mu.Lock()
	s.problem = err
	s.mu.Unlock()
	failures := s.failures.Load()
	level := slog.LevelDebug
	if failures&(failures-1) == 0 {
		level = slog.LevelWarn
	}
	s.log.Log(context.Background(), level, "connecting to the MQTT broker failed, retrying", "attempts", failures, "error", err)
}

// explain adds what to do about a refused login (MQTT 5, 3.2.2.2).
func explain(err error) error {
	var refusal *autopaho.ConnackError
	if !errors.As(err, &refusal) {
		return err
	}
	switch refusal.ReasonCode {
	case 0x86, 0x87:
		return fmt.Errorf("the broker refuses the login (reason 0x%02x): check the user name and the password in its URL", refusal.ReasonCode)
	case 0x85:
		return fmt.Errorf("the broker rejects our client id (reason 0x%02x)", refusal.ReasonCode)
	case 0x84:
		return fmt.Errorf("the broker does not support MQTT 5 (reason 0x%02x); mosquitto does from 1.6 on", refusal.ReasonCode)
	default:
		return fmt.Errorf("the broker refuses the connection (reason 0x%02x %s)", refusal.ReasonCode, refusal.Reason)
	}
}

func (s *Session) connection() *autopaho.ConnectionManager {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.manager
}

// Up reports whether the connection is up and the subscriptions are made.
func (s *Session) Up() bool { return s.up.Load() }

// LastError returns the error of the last connection attempt; nil after a successful one.
func (s *Session) LastError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.problem
}

// Publish sends a message and, for QoS 1, waits until the broker has acknowledged it: 10 s
// at most. Where the connection does not accept the write, neither that nor ctx ends the
// wait, but the write timeout of 20 s. Errors: ErrOffline, ErrNoSubscriber, and, where the
// broker never accepts it, ErrRefused and edgelens.ErrTooLarge; with any other it is
// unknown whether the broker received it.
func (s *Session) Publish(ctx context.Context, message Outgoing) error {
	if !s.Up() {
		return ErrOffline
	}
	if err := s.checkSize(message); err != nil {
		return err
	}
	properties := &paho.PublishProperties{}
	if message.Expiry > 0 {
		seconds := uint32(max(1, message.Expiry/time.Second))
		properties.MessageExpiry = &seconds
	}
	if message.Trace != "" {
		properties.User.Add(traceProperty, string(message.Trace))
	}
	s.mu.Lock()
	manager, connCtx := s.manager, s.connCtx
	s.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// paho does not end the wait when the connection is lost.
	defer context.AfterFunc(connCtx, cancel)()
	answer, err := manager.Publish(ctx, &paho.Publish{
		Topic: message.Topic, Payload: message.Payload, QoS: message.QoS, Retain: message.Retain, Properties: properties,
	})
	switch {
	case errors.Is(err, autopaho.ConnectionDownError), errors.Is(err, session.ErrNoConnection):
		return ErrOffline
	case err != nil && answer != nil && answer.ReasonCode >= 0x80:
		return refusal(answer.ReasonCode, message.Topic)
	case err != nil && connCtx.Err() != nil && s.lastReason.Load() == reasonTooLarge:
		return refusal(reasonTooLarge, message.Topic)
	case err != nil && connCtx.Err() != nil:
		return fmt.Errorf("publish to the MQTT broker: %w", ErrLost)
	case err != nil:
		return fmt.Errorf("publish to the MQTT broker: %w", err)
	case message.QoS > 0 && answer.ReasonCode == reasonNoSubscribers:
		return ErrNoSubscriber
	}
	return nil
}

// traceProperty is the user property that has the trace of a message, in the form of the header of the same name (W3C
// Trace Context).
const traceProperty = "traceparent"

// traceOf returns the trace of a received message; none where it has several.
func traceOf(packet *paho.Publish) edgelens.Trace {
	if packet.Properties == nil {
		return ""
	}
	var text string
	for _, property := range packet.Properties.User {
		if property.Key != traceProperty {
			continue
		}
		if text != "" {
			return ""
		}
		text = property.Value
	}
	return edgelens.ParseTrace(text)
}

// reasonNoSubscribers is the reason code in a PUBACK (MQTT 5, 3.4.2.1) for no matching subscribers.
const reasonNoSubscribers = 0x10

// Unsubscribe ends the subscriptions, so that the broker delivers to others of the group
// instead of queueing for us.
func (s *Session) Unsubscribe(ctx context.Context) error {
	if !s.Up() {
		return ErrOffline
	}
	request := &paho.Unsubscribe{}
	for _, subscription := range s.config.Subscriptions { // the marker's is ours alone
		request.Topics = append(request.Topics, subscription.Filter)
	}
	if _, err := s.connection().Unsubscribe(ctx, request); err != nil {
		return fmt.Errorf("unsubscribe: %w", err)
	}
	return nil
}

// Stop disconnects and waits for the session's goroutines, until ctx ends. The will is
// not published.
func (s *Session) Stop(ctx context.Context) error {
	s.mu.Lock()
	s.stopped = true
	if s.endConnection != nil {
		s.endConnection()
	}
	s.mu.Unlock()
	s.up.Store(false)
	defer s.watching.Wait()
	defer s.end()
	if err := s.connection().Disconnect(ctx); err != nil {
		return fmt.Errorf("disconnect from the MQTT broker: %w", err)
	}
	done := make(chan struct{})
	go func() { s.running.Wait(); close(done) }() // ends when OnUp does, whose context has ended
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("disconnect from the MQTT broker: %w: %w", edgelens.ErrDeadline, ctx.Err())
	}
}

package simulate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"edgelens/terminal/dialect"
	"edgelens/terminal/session"
)

const (
	// receiveMaximum is the maximum number of unacknowledged messages to one terminal.
	receiveMaximum = 16
	// maxReplies is the maximum number of queued replies.
	maxReplies = 64
	// tryAgain is the wait after a failure while the connection is up.
	tryAgain = 200 * time.Millisecond
)

// terminal is one device. Its work is done by live, which runs while it is connected;
// state that must survive a lost connection is in here.
type terminal struct {
	fleet  *Fleet
	config *Config
	device string

	session    *session.Session // for Fleet.Run's goroutine
	connection atomic.Pointer[session.Session]
	up         atomic.Bool
	replies    chan dialect.Outgoing
	online     chan struct{} // signals an answered Online
	finished   chan struct{} // closed when all records are made and confirmed
	confirmed  chan struct{} // signals an acknowledged record

	living sync.Mutex // one connection at a time
	// The following belong to live.
	random      *rand.Rand
	recordState recordState

	mu       sync.Mutex
	beats    []time.Time // heartbeats that wait for an answer
	onlineAt time.Time   // time of the Online that waits for an answer
	unacked  map[string]*message
}

func newTerminal(f *Fleet, device string, random *rand.Rand) *terminal {
	return &terminal{
		fleet: f, config: &f.config, device: device, random: random,
		replies: make(chan dialect.Outgoing, maxReplies), online: make(chan struct{}, 1),
		finished: make(chan struct{}), confirmed: make(chan struct{}, 1), unacked: map[string]*message{},
	}
}

// start connects; sending ends with the context sending.
func (t *terminal) start(sending context.Context, clientID string) error {
	config := session.Config{
		Address: t.config.Broker, ClientID: clientID, ReceiveMaximum: receiveMaximum, AckAtOnce: true,
		OnMessage: t.onMessage,
		OnUp:      func(ctx context.Context) { t.live(sending, ctx) },
	}
	for _, filter := range t.config.Simulator.Subscriptions(t.device) {
		config.Subscriptions = append(config.Subscriptions, session.Subscription{Filter: filter, QoS: t.qos(1)})
	}
	s, err := session.Start(config, t.fleet.log)
	if err != nil {
		return fmt.Errorf("simulate terminal %s: %w", t.device, err)
	}
	t.session = s
	t.connection.Store(s)
	return nil
}

// live does the work of a terminal while it is connected, until sending ends.
func (t *terminal) live(sending, connected context.Context) {
	t.living.Lock()
	defer t.living.Unlock()
	for t.connection.Load() == nil { // start stores it at once
		select {
		case <-time.After(time.Millisecond):
		case <-connected.Done():
			return
		}
	}
	t.up.Store(true)
	defer t.up.Store(false)
	t.forgetCutOff()
	ctx, end := context.WithCancel(connected)
	defer end()
	defer context.AfterFunc(sending, end)()
	var parts sync.WaitGroup
	defer parts.Wait()
	parts.Go(func() { t.beat(ctx) })
	parts.Go(func() { t.sendOnline(ctx) })
	parts.Go(func() { t.reply(connected) }) // until the end: commands come as long as it is connected
	t.sendRecords(ctx)
	<-connected.Done()
}

// beat sends heartbeats: one at once, and then at its own interval.
func (t *terminal) beat(ctx context.Context) {
	if t.config.Heartbeat <= 0 {
		return
	}
	wait := time.Duration(float64(t.config.Heartbeat) * (0.5 + rand.Float64()/2)) // out of step with the others
	for {
		message, ok := t.config.Simulator.Heartbeat(t.device, time.Now())
		if !ok {
			return
		}
		t.sendHeartbeat(ctx, message)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		wait = t.config.Heartbeat
	}
}

func (t *terminal) sendHeartbeat(ctx context.Context, message dialect.Outgoing) {
	now := time.Now()
	due := t.answerDue(message)
	t.expire(now)
	if due {
		t.mu.Lock()
		t.beats = append(t.beats, now)
		t.mu.Unlock()
	}
	err := t.publish(ctx, message)
	if errors.Is(err, session.ErrOffline) {
		t.mu.Lock()
		t.beats = nil // the answers of earlier ones are lost with the connection, too
		t.mu.Unlock()
		return
	}
	t.fleet.count(func(f *Fleet) { f.heartbeats.published(f, due, err) })
}

// sendOnline announces that the terminal is online, and repeats that until it is
// answered.
func (t *terminal) sendOnline(ctx context.Context) {
	for {
		message, ok := t.config.Simulator.Online(t.device, time.Now())
		if !ok {
			return
		}
		due := t.answerDue(message)
		if due {
			t.mu.Lock()
			t.onlineAt = time.Now()
			t.mu.Unlock()
		}
		if err := t.publish(ctx, message); !errors.Is(err, session.ErrOffline) {
			t.fleet.count(func(f *Fleet) { f.onlines.published(f, due, err) })
		}
		select {
		case <-t.online:
			return
		case <-time.After(t.config.RetryUnacked):
			t.expireOnline()
		case <-ctx.Done():
			return
		}
	}
}

// answerDue reports whether the receiver must answer at once.
func (t *terminal) answerDue(message dialect.Outgoing) bool {
	read, err := t.config.Dialect.Decode(message.Topic, message.Payload, dialect.Hints{ReceivedAt: time.Now()})
	return err == nil && len(read.Answers) > 0
}

// reply sends the answers to commands.
func (t *terminal) reply(ctx context.Context) {
	for {
		select {
		case message := <-t.replies:
			if err := t.publish(ctx, message); err == nil || errors.Is(err, session.ErrNoSubscriber) {
				t.fleet.count(func(f *Fleet) { f.counts.Replies++ })
			}
		case <-ctx.Done():
			return
		}
	}
}

// onMessage handles a message to the terminal; it does not block.
func (t *terminal) onMessage(m session.Message) {
	now := time.Now()
	answer := t.config.Simulator.Read(m.Topic, m.Payload)
	switch answer.Kind {
	case dialect.HeartbeatAnswer:
		t.onHeartbeatAnswer(now)
	case dialect.OnlineAnswer:
		t.onOnlineAnswer(now)
	case dialect.RecordAck:
		t.onRecordAck(answer.Key, now)
	case dialect.CommandSent:
		t.fleet.count(func(f *Fleet) { f.counts.Commands++ })
		if t.config.OnCommand != nil {
			t.config.OnCommand(t.device, m.Payload)
		}
	default:
		t.fleet.count(func(f *Fleet) { f.counts.NotUnderstood++ })
		return
	}
	if reply, ok := t.config.Simulator.Reply(t.device, m.Payload, now); ok {
		select {
		case t.replies <- reply:
		default: // like an overloaded terminal
		}
	}
}

func (t *terminal) onHeartbeatAnswer(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.beats) == 0 {
		return // after its time, or twice
	}
	took := now.Sub(t.beats[0])
	t.beats = t.beats[1:]
	t.fleet.count(func(f *Fleet) { f.heartbeats.answered(took) })
}

func (t *terminal) onOnlineAnswer(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.onlineAt.IsZero() {
		return
	}
	took := now.Sub(t.onlineAt)
	t.onlineAt = time.Time{}
	t.fleet.count(func(f *Fleet) { f.onlines.answered(took) })
	select {
	case t.online <- struct{}{}:
	default:
	}
}

// expire gives up heartbeats whose answers timed out.
func (t *terminal) expire(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	late := 0
	for late < len(t.beats) && now.Sub(t.beats[late]) > t.config.AnswerTimeout {
		late++
	}
	t.beats = t.beats[late:]
	t.fleet.count(func(f *Fleet) { f.heartbeats.Unanswered += late })
}

func (t *terminal) expireOnline() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.onlineAt.IsZero() {
		return
	}
	t.onlineAt = time.Time{}
	t.fleet.count(func(f *Fleet) { f.onlines.Unanswered++ })
}

// forgetCutOff gives up answers that were lost with the connection.
func (t *terminal) forgetCutOff() {
	t.mu.Lock()
	defer t.mu.Unlock()
	lost, online := len(t.beats), !t.onlineAt.IsZero()
	t.beats, t.onlineAt = nil, time.Time{}
	t.fleet.count(func(f *Fleet) {
		f.heartbeats.CutOff += lost
		if online {
			f.onlines.CutOff++
		}
	})
}

// awaitsAnswer reports whether an answer may still arrive; those that timed out are
// counted as missing.
func (t *terminal) awaitsAnswer(now time.Time) bool {
	t.expire(now)
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.onlineAt.IsZero() && now.Sub(t.onlineAt) > t.config.AnswerTimeout {
		t.onlineAt = time.Time{}
		t.fleet.count(func(f *Fleet) { f.onlines.Unanswered++ })
	}
	for key, m := range t.unacked {
		if now.Sub(m.lastAt) > t.config.AnswerTimeout {
			t.giveUp(key)
		}
	}
	return len(t.beats) > 0 || !t.onlineAt.IsZero() || len(t.unacked) > 0
}

// qos returns that of Config, or else the given one.
func (t *terminal) qos(want byte) byte {
	if t.config.QoS != nil {
		return *t.config.QoS
	}
	return want
}

func (t *terminal) publish(ctx context.Context, message dialect.Outgoing) error {
	return t.connection.Load().Publish(ctx, session.Outgoing{Topic: message.Topic, Payload: message.Payload, QoS: t.qos(message.QoS)})
}

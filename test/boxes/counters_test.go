//go:build boxes

package boxes

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"edgelens/benchmarks/proc"
	"edgelens/terminal/session"
)

// counters are what has been used until a moment.
type counters struct {
	at time.Time
	// nodes and broker are the CPU time of their processes, with helpers.
	nodes, broker time.Duration
	redis         []redisCounters // by server
	// resident and shared are the memory of all nodes: each alone, and with shared pages counted once.
	resident, shared int64
	own, others      int // jobs
}

// redisCounters are from INFO of one server.
type redisCounters struct {
	cpu             time.Duration
	commands, bytes float64
	kinds           map[string]float64 // of commands
	memory, clients float64
}

func (s *site) count() counters {
	s.t.Helper()
	c := counters{at: time.Now()}
	for _, n := range s.nodes {
		cpu, err := n.CPU(context.Background())
		if err != nil {
			s.t.Fatal(err)
		}
		c.nodes += cpu
	}
	broker, err := proc.CPU(s.broker.PID())
	if err != nil {
		s.t.Fatal(err)
	}
	c.broker = broker
	for _, server := range s.redis.Servers {
		text, err := server.Client.Info(context.Background(), "all").Result()
		if err != nil {
			s.t.Fatal(err)
		}
		c.redis = append(c.redis, readInfo(text))
	}
	c.own, c.others = s.recognized()
	return c
}

// weigh reads the memory of the nodes, which takes longer than count.
func (s *site) weigh(c *counters) {
	s.t.Helper()
	for _, n := range s.nodes {
		resident, err := n.Resident(context.Background())
		if err != nil {
			s.t.Fatal(err)
		}
		c.resident += resident
		shared, err := n.Memory()
		if err != nil {
			s.t.Fatal(err)
		}
		c.shared += shared
	}
}

func readInfo(text string) redisCounters {
	c := redisCounters{kinds: map[string]float64{}}
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		if kind, ok := strings.CutPrefix(name, "cmdstat_"); ok {
			calls, _, _ := strings.Cut(strings.TrimPrefix(value, "calls="), ",")
			c.kinds[kind], _ = strconv.ParseFloat(calls, 64) // Redis' own
			continue
		}
		number, err := strconv.ParseFloat(value, 64)
		if err != nil {
			continue // of other kinds
		}
		switch name {
		case "used_cpu_user", "used_cpu_sys":
			c.cpu += time.Duration(number * float64(time.Second))
		case "total_commands_processed":
			c.commands = number
		case "total_net_input_bytes", "total_net_output_bytes":
			c.bytes += number
		case "used_memory":
			c.memory = number
		case "connected_clients":
			c.clients = number
		}
	}
	return c
}

// used is what was used between two counts.
type used struct {
	seconds                               float64
	nodeCPU, brokerCPU, redisCPU, busiest float64            // cores
	commands, bytes                       float64            // a second
	kinds                                 map[string]float64 // of commands, a second
	memory, clients                       float64            // of Redis, at the end
	own, others                           float64            // jobs
}

func (c counters) since(before counters) used {
	u := used{seconds: c.at.Sub(before.at).Seconds(), kinds: map[string]float64{}}
	u.nodeCPU = (c.nodes - before.nodes).Seconds() / u.seconds
	u.brokerCPU = (c.broker - before.broker).Seconds() / u.seconds
	for i, now := range c.redis {
		cpu := (now.cpu - before.redis[i].cpu).Seconds() / u.seconds
		u.redisCPU += cpu
		u.busiest = max(u.busiest, cpu)
		u.commands += (now.commands - before.redis[i].commands) / u.seconds
		u.bytes += (now.bytes - before.redis[i].bytes) / u.seconds
		for kind, calls := range now.kinds {
			u.kinds[kind] += (calls - before.redis[i].kinds[kind]) / u.seconds
		}
		u.memory += now.memory
		u.clients += now.clients
	}
	u.own, u.others = float64(c.own-before.own), float64(c.others-before.others)
	return u
}

// commonest names the commands of Redis that were used most, with how often for a node.
func (u used) commonest(nodes float64) string {
	kinds := slices.SortedFunc(maps.Keys(u.kinds), func(a, b string) int { return cmp.Compare(u.kinds[b], u.kinds[a]) })
	var parts []string
	for _, kind := range kinds[:min(len(kinds), 8)] {
		parts = append(parts, fmt.Sprintf("%s %.1f", kind, u.kinds[kind]/nodes))
	}
	return strings.Join(parts, ", ")
}

// messages follows the broker's own counters of messages.
type messages struct {
	mu       sync.Mutex
	received float64 // the broker tells it just before what it has sent
	samples  []sample
}

// sample is the sum of received and sent PUBLISH packets at a moment.
type sample struct {
	at             time.Time
	received, sent float64
}

const sysTopic = "$SYS/broker/publish/messages/"

// connect returns a connected session with the broker.
func (s *site) connect(config session.Config) *session.Session {
	s.t.Helper()
	address, err := session.ParseAddress(s.broker.OpenURL(), "")
	if err != nil {
		s.t.Fatal(err)
	}
	config.Address = address
	connection, err := session.Start(config, slog.New(slog.DiscardHandler))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = connection.Stop(ctx) // the measurement is over
	})
	return connection
}

func (s *site) followMessages() *messages {
	m := &messages{}
	s.connect(session.Config{
		ClientID: "boxes-messages", AckAtOnce: true, Subscriptions: []session.Subscription{{Filter: sysTopic + "+"}},
		OnMessage: func(message session.Message) {
			value, err := strconv.ParseFloat(string(message.Payload), 64)
			if err != nil {
				return
			}
			m.mu.Lock()
			defer m.mu.Unlock()
			switch strings.TrimPrefix(message.Topic, sysTopic) {
			case "received":
				m.received = value
			case "sent":
				m.samples = append(m.samples, sample{time.Now(), m.received, value})
			}
		},
	})
	return m
}

// rate is how many messages the broker received and sent a second since a moment; 0 where it has not said.
func (m *messages) rate(since time.Time) (received, sent float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var first, last sample
	for _, s := range m.samples {
		if s.at.Before(since) {
			continue
		}
		if first.at.IsZero() {
			first = s
		}
		last = s
	}
	seconds := last.at.Sub(first.at).Seconds()
	if seconds == 0 {
		return 0, 0
	}
	return (last.received - first.received) / seconds, (last.sent - first.sent) / seconds
}

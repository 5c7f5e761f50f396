package terminal

import (
	"time"

	"edgelens/terminal/session"
)

const (
	// receiveMaximum is the maximum number of unacknowledged messages of QoS 1.
	receiveMaximum = 16
	// lasting is how long the broker keeps our session while we are disconnected, and
	// groupLasting how long in a group. Mosquitto goes on sending a dead member its share;
	// after this time the other members get it.
	lasting      = 7 * 24 * time.Hour
	groupLasting = 10 * time.Minute
)

// The roles of our connections, as parts of client ids.
const (
	roleUp   = "up"
	roleDown = "down"
)

// connections configures our connections: one receives, one publishes.
type connections struct {
	config   Config
	dialects matcher
	// node and secret are Parts.Node and Parts.ClientSecret.
	node, secret string
}

// up returns the configuration of the receiving connection, without its callbacks.
func (c connections) up(address session.Address) session.Config {
	keep := lasting
	if c.config.Group != "" {
		keep = groupLasting
	}
	return session.Config{
		Address: address, ClientID: c.clientID(roleUp), Name: c.clientName(roleUp), Lasting: keep,
		ReceiveMaximum: receiveMaximum, MaxPacketBytes: uint32(c.config.MaxMessageBytes), // at most 256 MiB, as Validate checks
		Subscriptions: c.subscriptions(), Marker: markerTopic(c.node),
	}
}

// down returns the configuration of the publishing connection, without its callbacks.
func (c connections) down(address session.Address) session.Config {
	status := session.Outgoing{Topic: c.statusTopic(), Payload: []byte(statusOffline), QoS: 1, Retain: true}
	return session.Config{Address: address, ClientID: c.clientID(roleDown), Name: c.clientName(roleDown), Will: &status}
}

// clientID returns the client id of one of our connections.
func (c connections) clientID(of string) string {
	if c.secret == "" {
		return c.clientName(of)
	}
	return "edgelens-" + c.node + "-" + c.secret + "-" + of
}

// clientName is the client id for a log, without the secret, and that of earlier versions.
func (c connections) clientName(of string) string { return "edgelens-" + c.node + "-" + of }

// subscriptions returns those of the dialects; in a group each message goes to one of the
// nodes.
func (c connections) subscriptions() []session.Subscription {
	var all []session.Subscription
	for _, d := range c.dialects {
		for _, subscription := range d.Subscriptions() {
			filter := subscription.Filter
			if c.config.Group != "" && !subscription.Everywhere {
				filter = "$share/" + c.config.Group + "/" + filter
			}
			all = append(all, session.Subscription{Filter: filter, QoS: 1})
		}
	}
	if c.config.Group != "" {
		all = append(all, session.Subscription{Filter: seenTopic("+")})
	}
	return all
}

// statusTopic is one topic per node in a group: no node can report for all.
func (c connections) statusTopic() string {
	if c.config.Group != "" {
		return topicStatus + "/" + c.node
	}
	return topicStatus
}

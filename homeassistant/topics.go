package homeassistant

import "strings"

// Home Assistant's topics, with its default prefix.
const (
	prefix       = "homeassistant/"
	prefixConfig = prefix + "device/"
	suffixConfig = "/config"
	topicBirth   = prefix + "status"
	online       = "online"
	offline      = "offline"
)

// Ours: values, images and commands of a device.
const (
	topicOurs      = "edgelens/v1/homeassistant/"
	suffixState    = "/state"
	suffixPresence = "/availability"
	suffixImage    = "/image"
	suffixCommand  = "/command"
)

func configTopic(id string) string   { return prefixConfig + id + suffixConfig }
func stateTopic(id string) string    { return topicOurs + id + suffixState }
func presenceTopic(id string) string { return topicOurs + id + suffixPresence }
func imageTopic(id string) string    { return topicOurs + id + suffixImage }
func commandTopic(id string) string  { return topicOurs + id + suffixCommand }

// CommandFilter is the filter of the topics on which Home Assistant sends commands.
const CommandFilter = topicOurs + "+" + suffixCommand

// ConfigFilter is the filter of the topics of discovery, and BirthTopic that of Home Assistant's birth message.
const (
	ConfigFilter = prefixConfig + "+" + suffixConfig
	BirthTopic   = topicBirth
)

// PeersFilter is the filter of the topics by which nodes know which of them make devices known.
const PeersFilter = topicNodes + "+" + suffixPeer

const (
	topicNodes = "edgelens/v1/nodes/"
	suffixPeer = "/homeassistant"
)

// PeerTopic is that of a node: "online" or "offline", retained.
func PeerTopic(node string) string { return topicNodes + node + suffixPeer }

// between returns the part of a topic between prefix and suffix, one level; "" if the topic has another form.
func between(topic, prefix, suffix string) string {
	rest, ok := strings.CutPrefix(topic, prefix)
	if !ok {
		return ""
	}
	level, ok := strings.CutSuffix(rest, suffix)
	if !ok || strings.Contains(level, "/") {
		return ""
	}
	return level
}

package terminal

import "strings"

// Our own topics; that of snapshots is in package camera.
const (
	topicOurs    = "edgelens/v1/"
	topicStatus  = "edgelens/v1/status"
	topicEvents  = "edgelens/v1/events/"
	topicDevices = "edgelens/v1/devices/"
	availability = "/availability"
	seen         = "/seen"
)

// topicDropped is where mosquitto publishes the number of messages it has dropped since it
// started (mosquitto(8), Broker Status). They may include a record that it had
// acknowledged.
const topicDropped = "$SYS/broker/publish/messages/dropped"

// The payloads on topicStatus and of a device's availability.
const (
	statusOnline  = "online"
	statusOffline = "offline"
)

// markerTopic is where a node sends itself a marker, to find out which messages have
// waited for it.
func markerTopic(node string) string { return "edgelens/v1/nodes/" + node + "/marker" }

func availabilityTopic(device string) string { return topicDevices + device + availability }

// AvailabilityTopic returns the topic of a device's presence, retained: "online" or "offline".
func AvailabilityTopic(device string) string { return availabilityTopic(device) }

// EventsTopic returns the topic of a device's events.
func EventsTopic(device string) string { return topicEvents + device }

// InsightsFilter returns the filter of the insights about a device of package sensor.
func InsightsFilter(device string) string { return topicInsights + topicLevel(device) + "/+" }

// seenTopic is where nodes of a group announce to each other that a device is online: its
// messages go to one of them only.
func seenTopic(device string) string { return topicDevices + device + seen }

// covers reports whether a subscription to the filter matches the topic (MQTT 5,
// 4.7).
func covers(filter, topic string) bool {
	levels := strings.Split(topic, "/")
	for i, want := range strings.Split(filter, "/") {
		switch {
		case want == "#":
			return true
		case i == len(levels) || want != "+" && want != levels[i]:
			return false
		}
	}
	return strings.Count(filter, "/") == len(levels)-1
}

package sensor

import (
	"time"

	"edgelens"
	"edgelens/internal/alarms"
	"edgelens/sensor/payload"
)

// The fields of edgelens' own streams, which feeders report. Device is the id of a terminal or
// camera, or OwnDevice for the node. A feeder leaves out what it cannot know: the mean of no
// records is not 0.
const (
	OwnRecordsPerHour = payload.OwnPrefix + "records_per_hour" // records of the last hour
	OwnMinutesSilent  = payload.OwnPrefix + "minutes_silent"   // since the device's latest message of any kind
	OwnUncertainShare = payload.OwnPrefix + "uncertain_share"  // of the outcomes of the last hour, 0 to 1
	OwnMeanConfidence = payload.OwnPrefix + "mean_confidence"  // mean first score of the last hour, 0 to 1
	OwnUnusableShare  = payload.OwnPrefix + "unusable_share"   // of the quality verdicts of the last hour, 0 to 1
	OwnLatency        = payload.OwnPrefix + "latency_p95_ms"   // 95th percentile of the last minute
	OwnTemperature    = payload.OwnPrefix + "temperature"      // of the processor, °C
)

// OwnDevice is the device of the node's own streams.
const OwnDevice = "edgelens"

// AlarmField is the field of the node's stream that has the value of an alarm.
func AlarmField(a *alarms.Alarm) string { return payload.OwnPrefix + a.Field() }

// alarmRules make insights of the alarms that no other rule watches.
func alarmRules() (rules []Rule) {
	for _, a := range alarms.All() {
		if a.Insight == "" {
			rules = append(rules, Rule{
				Name: a.Name, Kind: edgelens.InsightThreshold, Field: AlarmField(&a), Above: a.Above, Below: a.Below, Hysteresis: a.Hysteresis, For: a.For,
				Severity: a.Severity, Summary: a.Summary, Actions: a.Actions,
			})
		}
	}
	return rules
}

// DefaultRules make insights of silent sensors and anomalies, and, from edgelens' own streams,
// of dead terminals, covered lenses, drifting models, and of what an operator is called for.
func DefaultRules() []Rule {
	limit := func(value float64) *float64 { return &value }
	return append([]Rule{
		{Name: "sensor-silent", Kind: edgelens.InsightAbsence},
		{Name: "sensor-anomaly", Kind: edgelens.InsightAnomaly, Severity: edgelens.InsightInfo},
		{Name: "terminal-silent", Kind: edgelens.InsightThreshold, Field: OwnMinutesSilent, Above: limit(15), Hysteresis: 10, Severity: edgelens.InsightCritical,
			Summary: "{device} has sent nothing for {value} minutes.",
			Actions: []string{"Check the device's power and network.", "Check that it connects to this broker."}},
		{Name: "records-stopped", Kind: edgelens.InsightThreshold, Field: OwnRecordsPerHour, Below: limit(1), For: 12 * time.Hour, Armed: true,
			Summary: "{device} has recorded nothing for 12 hours, and did before.",
			Actions: []string{"Check that the device still records.", "Check whether the place is closed."}},
		{Name: "lens-covered", Kind: edgelens.InsightThreshold, Field: OwnUnusableShare, Above: limit(0.5), Hysteresis: 0.2, For: 10 * time.Minute,
			Summary: "Most images of {device} are not usable: its lens may be covered.",
			Actions: []string{"Check for something on or in front of the lens.", "Check that there is enough light."}},
		{Name: "uncertain", Kind: edgelens.InsightThreshold, Field: OwnUncertainShare, Above: limit(0.5), Hysteresis: 0.2, For: time.Hour, Armed: true,
			Summary: "Most recognitions of {device} are uncertain.",
			Actions: []string{"Look at the latest images of the device.", "Check whether the model fits what it sees."}},
		{Name: "model-drift", Kind: edgelens.InsightTrend, Field: OwnMeanConfidence, Direction: edgelens.DirectionDecreasing, Long: true, MinChange: 0.1,
			Summary: "The recognitions of {device} have become less certain over a day: what it sees may have changed.",
			Actions: []string{"Compare the latest images with those that the model was trained on.", "Check the lens and the light."}},
	}, alarmRules()...)
}

// defaultActions are those of rules without their own.
var defaultActions = map[edgelens.InsightKind][]string{
	edgelens.InsightThreshold: {"Check the place and the sensor."},
	edgelens.InsightAnomaly:   {"Look at the chart around this time.", "Check whether the sensor was moved or disturbed."},
	edgelens.InsightAbsence:   {"Check the sensor's power, battery and network.", "Check that it still publishes to this broker."},
	edgelens.InsightTrend:     {"Look at the chart of the last hours."},
	edgelens.InsightStuck:     {"Restart the sensor.", "Compare its value with another sensor's."},
}

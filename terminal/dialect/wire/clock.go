package wire

import (
	"edgelens/terminal/clock"
)

// LocalTime is how terminals write a time: local, and without a zone.
const LocalTime = "2006-01-02 15:04:05"

// timeNames are the members that firmware has the time of a record in, as fold
// returns them.
var timeNames = map[string]bool{
	"time": true, "createtime": true, "recordtime": true, "timestamp": true, "capturetime": true, "datetime": true,
}

// Times returns the times that the objects have: what time, Time, CreateTime,
// recordTime, timestamp and the like are. Where there is none, it is one that is
// Absent. A member that is there twice with different values is Unreadable.
func Times(objects ...Object) []clock.Reading {
	var readings []clock.Reading
	for _, object := range objects {
		for _, member := range object.Repeated {
			if timeNames[fold(member.Name)] {
				readings = append(readings, clock.Reading{Kind: clock.Unreadable, Text: member.Value.Name(), Reason: "it is there twice, with different values"})
			}
		}
		for _, member := range object.Members {
			if !timeNames[fold(member.Name)] {
				continue
			}
			if reading := member.Value.Time(); reading.Kind != clock.Absent {
				readings = append(readings, reading)
			}
		}
	}
	if readings == nil {
		return []clock.Reading{{}}
	}
	return readings
}

// Time reads a string or number as a time. Null and what is not there are Absent.
func (v Value) Time() clock.Reading {
	switch {
	case v.IsNull():
		return clock.Reading{}
	case !v.isString() && !v.isNumber():
		return clock.Reading{Kind: clock.Unreadable, Reason: "it is neither a string nor a number"}
	case len(v) > maxTimeText:
		return clock.Reading{Kind: clock.Unreadable, Reason: "it is too long"}
	default:
		return clock.Parse(v.Text())
	}
}

// maxTimeText is how long a time may be as it is written, escapes included.
const maxTimeText = 512

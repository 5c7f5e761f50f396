package wire

import (
	"slices"
	"strings"
	"time"

	"edgelens"
	"edgelens/terminal/clock"
)

// LocalTime is the time format of terminals: local, and without a zone.
const LocalTime = "2006-01-02 15:04:05"

// timeNames are the folded names of members in which firmware sends the time of a record.
var timeNames = map[string]bool{
	"time": true, "createtime": true, "recordtime": true, "timestamp": true, "capturetime": true, "datetime": true,
}

// captureNames are more of them, which heartbeats do not use.
var captureNames = map[string]bool{
	"capturedat": true, "snaptime": true, "snapshottime": true, "eventtime": true, "rectime": true, "recordedat": true, "occurtime": true,
}

// Times returns the times of the objects: in members such as time, Time, CreateTime,
// recordTime and timestamp. Without any, it returns one that is Absent. Duplicate members
// with different values are Unreadable.
func Times(objects ...Object) []clock.Reading {
	var readings []clock.Reading
	for _, object := range objects {
		for _, member := range object.Repeated {
			if timeNames[fold(member.Name)] {
				readings = append(readings, twice(member.Value))
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

func twice(v Value) clock.Reading {
	return clock.Reading{Kind: clock.Unreadable, Text: v.Name(), Reason: "it appears twice, with different values"}
}

// Time parses a string or number as a time. Null and a missing value are Absent.
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

// maxTimeText is the maximum length of a time as it is written, escapes included.
const maxTimeText = 512

// Times returns all times of a record, which must agree: those in it and those beside it in
// the message, at any depth. Without any, it returns one that is Absent. own is whether one
// of them is in the record under a name for the time of a record: one beside it may be the
// sending time of the message.
func (f Found) Times() (readings []clock.Reading, own bool) {
	inside := timesOf(f.all())
	all := inside.and(f.Beside.allTimes())
	readings = all.certain
	if readings == nil {
		readings = all.vague
	}
	readings = append(slices.Clip(readings), daysApart(all.days, readings)...)
	if readings == nil {
		return []clock.Reading{{}}, false
	}
	if len(readings) > maxTimes { // the rest may disagree
		readings = append(readings[:maxTimes:maxTimes], clock.Reading{Kind: clock.Unreadable, Reason: "there are too many"})
	}
	return readings, inside.named
}

// Proof returns the times of a record of a terminal whose records always have a time. Where
// none is the record's own, they cannot prove that it is fresh, and freshness and reason are
// set. Times in the other objects count as its own where their names are those of a
// record's time; a timestamp is that of a message.
func (f Found) Proof(others ...Object) (readings []clock.Reading, freshness edgelens.Freshness, reason string) {
	readings, own := f.Times()
	if own || readings[0].Kind == clock.Absent || slices.ContainsFunc(others, Object.hasTimeOfRecord) {
		return readings, "", ""
	}
	return readings, edgelens.FreshnessUnknown, "The record has no time of its own: the time beside it may be the sending time of the message."
}

func (o Object) hasTimeOfRecord() bool {
	return slices.ContainsFunc(o.Members, func(member Member) bool {
		folded := fold(member.Name)
		return folded != "timestamp" && (timeNames[folded] || captureNames[folded]) && member.Value.Time().Kind != clock.Absent
	})
}

// maxTimes is the maximum number of compared times of a record.
const maxTimes = 64

// times are the times in members.
type times struct {
	// certain are the readings that must agree, and vague those that count only where there
	// are no others: they may be the times of something else.
	certain, vague []clock.Reading
	// days are dates without a time of day.
	days []clock.Reading
	// named is set where one of the certain ones has a name for the time of a record.
	named bool
}

func (t times) and(other times) times {
	return times{
		certain: append(slices.Clip(t.certain), other.certain...), vague: append(slices.Clip(t.vague), other.vague...),
		days: append(slices.Clip(t.days), other.days...), named: t.named || other.named,
	}
}

// allTimes returns the times beside records, on all levels.
func (s *Surroundings) allTimes() times {
	if s == nil {
		return times{}
	}
	if s.times == nil {
		all := timesOf(s.members).and(s.outer.allTimes())
		s.times = &all
	}
	return *s.times
}

func timesOf(members []placed) (t times) {
	for _, member := range members {
		if len(t.certain) > maxTimes {
			break // already too many
		}
		class := member.timeClass()
		if class == noTime || len(t.vague) > maxTimes && class == vagueTime || len(t.days) > maxTimes && dayNames[member.folded] {
			continue
		}
		reading := member.Value.Time()
		switch {
		case class == timeOfRecord && member.replaced:
			t.certain = append(t.certain, twice(member.Value))
		case reading.Kind == clock.Absent:
		case class == timeOfRecord:
			t.certain, t.named = append(t.certain, reading), true
		case class == likeTime && dayNames[member.folded] && reading.Kind == clock.Unreadable:
			if day, ok := clock.Day(member.Value.Text()); ok {
				t.days = append(t.days, day)
			}
		case reading.Kind == clock.Unreadable || !plausible(member.Value, reading):
		case class == likeTime:
			t.certain = append(t.certain, reading)
		default:
			t.vague = append(t.vague, reading)
		}
	}
	return t
}

// plausible reports whether a value is a time although its name is not clearly that of one.
// Digits alone may be any number, and count as a time only in the years in which terminals
// are used.
func plausible(v Value, reading clock.Reading) bool {
	const firstYear, lastYear = 2000, 2099
	if strings.Trim(v.Text(), "0123456789.") != "" {
		return true
	}
	return reading.At.Year() >= firstYear && reading.At.Year() <= lastYear
}

// dayNames are the folded names of members with the date of a record, whose time of day is
// in another member.
var dayNames = map[string]bool{
	"date": true, "day": true, "recorddate": true, "recdate": true, "capturedate": true, "snapdate": true, "snapshotdate": true, "eventdate": true, "logdate": true,
	"passdate": true, "accessdate": true, "verifydate": true, "checkdate": true,
}

// daysApart returns the dates on which none of the times is, as Unreadable.
func daysApart(days, readings []clock.Reading) (apart []clock.Reading) {
	for _, day := range days {
		if !slices.ContainsFunc(readings, func(reading clock.Reading) bool { return onDay(reading, day) }) {
			apart = append(apart, clock.Reading{Kind: clock.Unreadable, Text: day.Text, Reason: "it has no time of day, and is not the day of another time of the record"})
		}
	}
	return apart
}

// onDay reports whether a reading is on a day, in any time zone.
func onDay(reading, day clock.Reading) bool {
	const half, zones = 12 * time.Hour, 15 * time.Hour
	apart := reading.At.Sub(day.At).Abs() // day.At is noon
	switch reading.Kind {
	case clock.Wall:
		return apart <= half
	case clock.Instant:
		return apart <= half+zones
	default:
		return false
	}
}

// timeClass is the meaning of a time in a member, by the name of the member.
type timeClass int

const (
	// noTime: not a time.
	noTime timeClass = iota
	// vagueTime: a time that may be another one than the record's.
	vagueTime
	// likeTime: a time is the record's.
	likeTime
	// timeOfRecord: the time of the record, readable or not.
	timeOfRecord
)

func (m placed) timeClass() timeClass {
	switch {
	case m.owner == ownerValidity:
		return noTime
	case m.owner == ownerPerson && strings.Contains(m.folded, "creat"):
		return vagueTime
	case timeNames[m.folded], captureNames[m.folded]:
		return timeOfRecord
	case !m.isLikeTime(), containsAny(m.folded, "birth", "expir", "valid", "effect", "zone", "offset", "cost", "duration", "elapsed", "timeout", "uptime", "lifetime", "interval", "format", "candidate"):
		return noTime
	case ownerOf(m.folded, ownerRecord) == ownerPerson && strings.Contains(m.folded, "creat"),
		containsAny(m.folded, "send", "sent", "push", "upload", "report", "publish", "update", "modif", "regist", "enrol", "boot", "install", "join", "hire", "issue", "login", "sync", "until"),
		strings.HasPrefix(m.folded, "begin"), strings.HasPrefix(m.folded, "start"), strings.HasPrefix(m.folded, "end"):
		return vagueTime
	default:
		return likeTime
	}
}

// isLikeTime reports whether the name may be that of a time.
func (m placed) isLikeTime() bool {
	if containsAny(m.folded, "time", "date", "stamp", "captur", "taken", "epoch") ||
		slices.Contains([]string{"ts", "utc", "at", "dt", "when", "day", "moment", "tm", "unix"}, m.folded) {
		return true
	}
	if !isASCII(m.Name) && containsAny(m.Name, "时间", "時間", "日期", "日時", "时刻", "拍摄", "시간", "일시", "날짜") {
		return true
	}
	if !strings.HasSuffix(m.folded, "at") && !strings.HasSuffix(m.folded, "ts") && !strings.HasSuffix(m.folded, "utc") {
		return false
	}
	parts := words(m.Name)
	last := parts[len(parts)-1]
	return last == "at" || last == "ts" || last == "utc"
}

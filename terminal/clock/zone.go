package clock

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"edgelens/internal/clip"
)

var (
	utcName   = regexp.MustCompile(`^(?i:Z|UTC|GMT|UT|UCT)$`)
	offsetOf  = regexp.MustCompile(`^(?i:UTC|GMT|UT)? ?([+-])([0-9]{1,2})(?::?([0-9]{2}))?$`)
	areaName  = regexp.MustCompile(`^[A-Za-z]+(?:/[A-Za-z0-9_+-]+){1,2}$`)
	abbreviat = regexp.MustCompile(`^(.*[+-][0-9:]+) ([A-Z]{2,5})$`)
	comment   = regexp.MustCompile(`^(.*\S) ?\([^()]*\)$`)
	bracketed = regexp.MustCompile(`^(.*\S) ?\[([^\[\]]+)\]$`)
)

// maxOffset is the maximum offset of a zone from UTC: the widest are -12 and +14 hours.
const maxOffset = 14 * time.Hour

// Location returns the zone of a name: one of the IANA database ("Europe/Berlin"), "UTC",
// or a fixed offset from it ("+08:00", "UTC+8"). The setting of this machine ("Local") is
// refused: its meaning would change with the machine.
func Location(name string) (*time.Location, error) {
	if offset, ok := parseOffset(name); ok {
		if offset == 0 {
			return time.UTC, nil
		}
		return time.FixedZone(offsetName(offset), int(offset/time.Second)), nil
	}
	location, err := time.LoadLocation(name)
	if err != nil || notAZone(name) {
		return nil, fmt.Errorf("there is no time zone %q", clip.ASCII(name, maxShown))
	}
	return location, nil
}

// notAZone reports whether a name that time.LoadLocation knows stands for no place: this
// machine's setting, a placeholder, or clocks that count leap seconds.
func notAZone(name string) bool {
	switch strings.ToLower(name) {
	case "", "local", "localtime", "posixrules", "factory":
		return true
	}
	return strings.HasPrefix(name, "right/")
}

// offsetName returns the offset as in "UTC+08:00".
func offsetName(offset time.Duration) string {
	sign := '+'
	if offset < 0 {
		sign, offset = '-', -offset
	}
	return fmt.Sprintf("UTC%c%02d:%02d", sign, int(offset/time.Hour), int(offset%time.Hour/time.Minute))
}

// parseOffset parses a zone in the form of an offset from UTC.
func parseOffset(text string) (time.Duration, bool) {
	if utcName.MatchString(text) {
		return 0, true
	}
	found := offsetOf.FindStringSubmatch(text)
	if found == nil || found[3] != "" && len(found[2]) == 1 && !strings.Contains(text, ":") { // +830
		return 0, false
	}
	minutes := number(found[3])
	offset := time.Duration(number(found[2]))*time.Hour + time.Duration(minutes)*time.Minute
	if minutes > 59 || offset > maxOffset {
		return 0, false
	}
	if found[1] == "-" {
		offset = -offset
	}
	return offset, true
}

// inZone applies the text after a wall time: nothing, or a zone.
func inZone(wall Reading, text string) (Reading, string) {
	if text == "" {
		return wall, ""
	}
	area := ""
	if found := bracketed.FindStringSubmatch(text); found != nil { // Java: +08:00[Asia/Shanghai]
		text, area = found[1], found[2]
	} else if found := comment.FindStringSubmatch(text); found != nil { // JavaScript: GMT+0800 (China Standard Time)
		text = found[1]
	} else if found := abbreviat.FindStringSubmatch(text); found != nil { // Go: +0800 CST
		text, area = found[1], found[2]
		if !utcName.MatchString(area) {
			area = ""
		}
	}
	offset, ok := parseOffset(text)
	if !ok {
		return inArea(wall, text)
	}
	wall.Kind, wall.At = Instant, wall.At.Add(-offset)
	if area != "" && !agrees(wall.At, offset, area) {
		return Reading{}, zoneUnsure
	}
	return wall, ""
}

// agrees reports whether an area has that offset from UTC at that time.
func agrees(at time.Time, offset time.Duration, area string) bool {
	location, err := Location(area)
	if err != nil {
		return false
	}
	_, there := at.In(location).Zone()
	return time.Duration(there)*time.Second == offset
}

// inArea applies the name of a zone: "Asia/Shanghai".
func inArea(wall Reading, name string) (Reading, string) {
	if !areaName.MatchString(name) {
		return Reading{}, zoneUnsure
	}
	location, err := Location(name)
	if err != nil {
		return Reading{}, zoneUnsure
	}
	wall.Zone = location
	return wall, ""
}

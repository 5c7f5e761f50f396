package api

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"edgelens"
	"edgelens/internal/similar"
)

// changeWanted describes the expected body of a change.
const changeWanted = `the body must be a JSON object with "state", "display_name", "zone", "apply_clock_offset", "charset", "fit", "region" or "sealed_only", such as {"state":"accepted"} or {"zone":"Asia/Shanghai"}`

// deviceSettings are the members of a DeviceChange.
var deviceSettings = []string{"state", "display_name", "zone", "apply_clock_offset", "charset", "fit", "region", "sealed_only"}

// readChange reads a DeviceChange. Members whose name is similar to one of a change
// are rejected: a misspelled setting must not count as set. Others are ignored, so that
// a device may be sent back as it was read, and returned.
func readChange(body json.RawMessage) (change edgelens.DeviceChange, ignored []string, err error) {
	invalid := func(format string, args ...any) (edgelens.DeviceChange, []string, error) {
		return edgelens.DeviceChange{}, nil, fmt.Errorf("%w: %s", edgelens.ErrInvalid, fmt.Sprintf(format, args...))
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return invalid("%s", changeWanted)
	}
	found := 0
	for name := range members {
		if slices.Contains(deviceSettings, name) {
			found++
			continue
		}
		for _, setting := range deviceSettings {
			if strings.Contains(plain(name), plain(setting)) || similar.Distance(name[:min(len(name), 2*len(setting))], setting) <= min(2, len(setting)/2) {
				return invalid("there is no setting %q; did you mean %q?", short(name), setting)
			}
		}
		ignored = append(ignored, name)
	}
	if found == 0 {
		return invalid("%s", changeWanted)
	}
	slices.Sort(ignored)
	for _, member := range []struct {
		name string
		read func(json.RawMessage) error
		want string
	}{
		{"state", func(value json.RawMessage) error { return json.Unmarshal(value, &change.State) }, "accepted, quarantined or refused"},
		{"display_name", func(value json.RawMessage) error { return readNameOrReset(value, &change.DisplayName) }, fmt.Sprintf("at most %d printable characters without blanks around them, or null", edgelens.MaxDisplayName)},
		{"zone", func(value json.RawMessage) error { return readOrReset(value, &change.Zone) }, `a time zone such as "Asia/Shanghai" or "+08:00", or null`},
		{"charset", func(value json.RawMessage) error { return readOrReset(value, &change.Charset) }, `a character set such as "gb18030" or "big5", or null`},
		{"apply_clock_offset", func(value json.RawMessage) error { return readOrReset(value, &change.ApplyClockOffset) }, "true, false or null"},
		{"fit", func(value json.RawMessage) error { return readFitOrReset(value, &change.Fit) }, fitWanted + ", or null"},
		{"sealed_only", func(value json.RawMessage) error { return readOrReset(value, &change.SealedOnly) }, "true, false or null"},
		{"region", func(value json.RawMessage) error { return readRegionOrReset(value, &change.Region) }, regionWanted + ", such as " + `"0.25,0,0.5,1"` + ", or null"},
	} {
		value, ok := members[member.name]
		if !ok {
			continue
		}
		if err := member.read(value); err != nil {
			return invalid("%s must be %s, not %s", member.name, member.want, short(string(value)))
		}
	}
	if _, ok := members["state"]; ok {
		if change.State == nil {
			return invalid("state must be accepted, quarantined or refused, not null")
		}
		if err := checkState(DeviceState(*change.State)); err != nil {
			return edgelens.DeviceChange{}, nil, err
		}
	}
	return change, ignored, nil
}

// readOrReset reads a value; null is the zero value.
func readOrReset[T any](value json.RawMessage, into **T) error {
	if err := json.Unmarshal(value, into); err != nil {
		return err
	}
	if *into == nil {
		*into = new(T)
	}
	return nil
}

// readNameOrReset reads a display name; null and "" are none.
func readNameOrReset(value json.RawMessage, into **string) error {
	if err := readOrReset(value, into); err != nil {
		return err
	}
	return edgelens.CheckDisplayName(**into)
}

// readFitOrReset reads a fit; null and "" are the empty one.
func readFitOrReset(value json.RawMessage, into **edgelens.Fit) error {
	if err := readOrReset(value, into); err != nil {
		return err
	}
	return (*into).Check()
}

// readRegionOrReset reads a region as an object or as text; null and "" are the whole
// image.
func readRegionOrReset(value json.RawMessage, into **edgelens.Region) error {
	if region, ok := readRegionObject(value); ok {
		*into = &region
		return nil
	}
	var text *string
	if err := readOrReset(value, &text); err != nil {
		return err
	}
	region, ok := readRegion(*text)
	if !ok && *text != "" {
		return edgelens.ErrInvalid
	}
	*into = &region
	return nil
}

// plain returns a name in lower case without separators.
func plain(name string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(name))
}

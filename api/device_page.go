package api

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"edgelens"
)

// deviceCursor precedes the id of the last device of a page in a cursor.
const deviceCursor = "devices:"

// maxSearch bounds the text that is searched for, in characters.
const maxSearch = 100

// ListDevices implements StrictServerInterface.
func (s *Server) ListDevices(ctx context.Context, r ListDevicesRequestObject) (ListDevicesResponseObject, error) {
	page, err := newDevicePage(r.Params)
	if err != nil {
		return nil, err
	}
	devices, err := s.devices.Devices(ctx)
	if err != nil {
		return nil, err
	}
	devices = slices.DeleteFunc(devices, func(d edgelens.Device) bool { return !keyFrom(ctx).MayUseDevice(d.ID) || !page.found(&d) })
	list := ListDevices200JSONResponse{}
	if page.limit > 0 {
		list.Counts = countDevices(devices)
	}
	devices, list.Next = page.cut(slices.DeleteFunc(devices, func(d edgelens.Device) bool { return !page.shown(&d) }))
	list.Devices = make([]Device, 0, len(devices))
	for _, device := range devices {
		list.Devices = append(list.Devices, newDevice(device))
	}
	return list, nil
}

// devicePage is what a client asks for of the list of devices.
type devicePage struct {
	state  *DeviceState
	online *bool
	// search is what the id or the display name contains, in lower case; named are those with a display name.
	search string
	named  bool
	// limit is 0 for all devices, and after is the id of the last device of the page before.
	limit int
	after string
}

func newDevicePage(p ListDevicesParams) (devicePage, error) {
	page := devicePage{state: p.State, online: p.Online, search: strings.ToLower(text(p.Search)), named: p.Named != nil && *p.Named}
	if p.State != nil {
		if err := checkState(*p.State); err != nil {
			return page, err
		}
	}
	if utf8.RuneCountInString(page.search) > maxSearch {
		return page, fmt.Errorf("%w: search must have at most %d characters", edgelens.ErrInvalid, maxSearch)
	}
	// Clients from before there were pages ask for neither, and get all.
	if p.Limit == nil && p.Cursor == nil {
		return page, nil
	}
	var err error
	if page.limit, err = readLimit(p.Limit); err != nil {
		return page, err
	}
	page.after, err = parseDeviceCursor(text(p.Cursor))
	return page, err
}

// found reports whether a device is one of those that are searched.
func (p *devicePage) found(d *edgelens.Device) bool {
	if p.named && d.Settings.DisplayName == "" {
		return false
	}
	return strings.Contains(strings.ToLower(d.ID), p.search) || strings.Contains(strings.ToLower(d.Settings.DisplayName), p.search)
}

// shown reports whether a device is in the list, or on a page of it.
func (p *devicePage) shown(d *edgelens.Device) bool {
	return (p.state == nil || DeviceState(d.State) == *p.state) && (p.online == nil || d.Online == *p.online)
}

// cut returns the devices of the page out of those of the list, and the cursor of the next page, nil for the last one.
func (p *devicePage) cut(devices []edgelens.Device) (page []edgelens.Device, next *string) {
	if p.limit == 0 {
		return devices, nil
	}
	first, found := slices.BinarySearchFunc(devices, p.after, func(d edgelens.Device, id string) int { return strings.Compare(d.ID, id) })
	if found {
		first++
	}
	devices = devices[first:]
	if len(devices) <= p.limit {
		return devices, nil
	}
	cursor := newDeviceCursor(devices[p.limit-1].ID)
	return devices[:p.limit], &cursor
}

// countDevices counts devices by what is asked for most.
func countDevices(devices []edgelens.Device) *DeviceCounts {
	counts := DeviceCounts{All: len(devices)}
	for _, d := range devices {
		switch {
		case d.State == edgelens.DeviceRefused:
			counts.Refused++
		case d.Online:
			counts.Online++
		default:
			counts.Offline++
		}
		if d.State == edgelens.DeviceQuarantined {
			counts.Quarantined++
		}
	}
	return &counts
}

func newDeviceCursor(id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(deviceCursor + id))
}

// parseDeviceCursor returns the id in a cursor; "" for the empty one, before every device.
func parseDeviceCursor(cursor string) (id string, err error) {
	if cursor == "" {
		return "", nil
	}
	if decoded, err := base64.RawURLEncoding.DecodeString(cursor); err == nil {
		if id, ok := strings.CutPrefix(string(decoded), deviceCursor); ok && checkDevice(id) == nil && newDeviceCursor(id) == cursor {
			return id, nil
		}
	}
	return "", fmt.Errorf("%w: the cursor is not one of this list; leave it out to start with the first device", edgelens.ErrInvalid)
}

package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"edgelens"
)

// eventDevice is the type of the events about devices.
const eventDevice = "device"

// deviceData is the Data of a "device" event.
type deviceData struct {
	ID      string               `json:"id"`
	Dialect string               `json:"dialect"`
	State   edgelens.DeviceState `json:"state"`
	Online  bool                 `json:"online"`
}

// Devices has the terminals and cameras. It is safe for use by many goroutines.
type Devices struct {
	db     *database
	events *Events
	outbox *Outbox
	jobs   *Jobs
}

// SaveDevices makes devices durable as they are, and an event for each that is
// new, or whose State or Online changed.
func (s *Devices) SaveDevices(ctx context.Context, devices ...edgelens.Device) error {
	return s.db.explain("save devices", s.db.write(ctx, func(c *change) error {
		for i := range devices {
			if err := s.save(c, &devices[i]); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (s *Devices) save(c *change, d *edgelens.Device) error {
	counters, err := json.Marshal(d.Counters)
	if err != nil {
		return err
	}
	settings, err := json.Marshal(d.Settings)
	if err != nil {
		return err
	}
	earlier, err := readDevice(c.QueryRowContext(context.Background(), selectDevice+` WHERE id = ?`, d.ID))
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	_, err = c.exec(`INSERT INTO devices (id, dialect, state, online, first_seen, last_seen, counters, settings) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET state = excluded.state, online = excluded.online, last_seen = excluded.last_seen, counters = excluded.counters,
			settings = excluded.settings`,
		d.ID, d.Dialect, string(d.State), d.Online, d.FirstSeen.UnixMicro(), d.LastSeen.UnixMicro(), string(counters), string(settings))
	if err != nil || earlier.ID != "" && earlier.State == d.State && earlier.Online == d.Online {
		return err
	}
	return s.events.insert(c, newEvent{kind: eventDevice, subject: d.ID, device: d.ID, at: d.LastSeen,
		data: deviceData{ID: d.ID, Dialect: d.Dialect, State: d.State, Online: d.Online}})
}

// RemoveDevices removes devices; unknown ones are no error.
func (s *Devices) RemoveDevices(ctx context.Context, ids ...string) error {
	return s.db.explain("remove devices", s.db.write(ctx, func(c *change) error {
		for _, id := range ids {
			if _, err := c.exec(`DELETE FROM devices WHERE id = ?`, id); err != nil {
				return err
			}
		}
		return nil
	}))
}

const selectDevice = `SELECT id, dialect, state, online, first_seen, last_seen, counters, settings FROM devices`

func readDevice(row interface{ Scan(...any) error }) (d edgelens.Device, err error) {
	var first, last sql.NullInt64
	var counters, settings string
	if err := row.Scan(&d.ID, &d.Dialect, &d.State, &d.Online, &first, &last, &counters, &settings); err != nil {
		return edgelens.Device{}, err
	}
	d.FirstSeen, d.LastSeen = timeOf(first), timeOf(last)
	if err := json.Unmarshal([]byte(counters), &d.Counters); err != nil {
		return edgelens.Device{}, fmt.Errorf("read the counters of device %s: %w", d.ID, err)
	}
	if err := json.Unmarshal([]byte(settings), &d.Settings); err != nil {
		return edgelens.Device{}, fmt.Errorf("read the settings of device %s: %w", d.ID, err)
	}
	return d, nil
}

// Devices returns every device that was saved, by ID.
func (s *Devices) Devices(ctx context.Context) ([]edgelens.Device, error) {
	devices, err := s.list(ctx)
	return devices, s.db.explain("list the devices", err)
}

func (s *Devices) list(ctx context.Context) ([]edgelens.Device, error) {
	rows, err := s.db.readers.QueryContext(ctx, selectDevice+` ORDER BY id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var devices []edgelens.Device
	for rows.Next() {
		device, err := readDevice(rows)
		if err != nil {
			return nil, err
		}
		devices = append(devices, device)
	}
	return devices, rows.Err()
}

// ReleaseDevice releases the held records of a device for delivery.
func (s *Devices) ReleaseDevice(ctx context.Context, device string) error {
	return s.db.explain("release the records of "+device, s.db.write(ctx, func(c *change) error {
		return s.outbox.release(c, device)
	}))
}

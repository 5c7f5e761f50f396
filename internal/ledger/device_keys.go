package ledger

import (
	"context"
	"fmt"

	"edgelens"
)

// maxDeviceKeys is how many keys a device may have.
const maxDeviceKeys = 8

// DeviceKeys has the public keys of devices, and guards their envelopes against replays. It is safe for use by many
// goroutines.
type DeviceKeys struct{ db *database }

// DeviceKeys returns every key, the oldest first.
func (s *DeviceKeys) DeviceKeys(ctx context.Context) ([]edgelens.DeviceKey, error) {
	all, err := s.list(ctx)
	return all, s.db.explain("list the keys of devices", err)
}

func (s *DeviceKeys) list(ctx context.Context) (all []edgelens.DeviceKey, err error) {
	rows, err := s.db.readers.QueryContext(ctx, `SELECT id, device, public, added_at FROM device_keys ORDER BY added_at, id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var key edgelens.DeviceKey
		var added int64
		if err := rows.Scan(&key.ID, &key.Device, &key.Public, &added); err != nil {
			return nil, err
		}
		key.Added = microsTime(added)
		all = append(all, key)
	}
	return all, rows.Err()
}

// AddDeviceKey makes a key durable; one that the device has already stays as it is. Its error is an edgelens.ErrConflict
// where another device has the key, or this one too many.
func (s *DeviceKeys) AddDeviceKey(ctx context.Context, key edgelens.DeviceKey) error {
	return s.db.explain("add a key of device "+key.Device, s.db.write(ctx, func(c *change) error {
		var others, own, has int
		err := c.QueryRowContext(ctx, `SELECT count(*) FILTER (WHERE id = ?1 AND device <> ?2), count(*) FILTER (WHERE device = ?2), count(*) FILTER (WHERE id = ?1 AND device = ?2)
			FROM device_keys`, key.ID, key.Device).Scan(&others, &own, &has)
		switch {
		case err != nil || has > 0:
			return err
		case others > 0:
			return fmt.Errorf("%w: another device has this key; each needs its own", edgelens.ErrConflict)
		case own >= maxDeviceKeys:
			return fmt.Errorf("%w: the device has %d keys, which is the limit; remove one first", edgelens.ErrConflict, own)
		}
		_, err = c.exec(`INSERT INTO device_keys (id, device, public, added_at) VALUES (?, ?, ?, ?)`, key.ID, key.Device, key.Public, key.Added.UnixMicro())
		return err
	}))
}

// RemoveDeviceKey removes a key. Its error is an edgelens.ErrNotFound where there is none.
func (s *DeviceKeys) RemoveDeviceKey(ctx context.Context, id string) error {
	return s.db.explain("remove the key "+id, s.db.write(ctx, func(c *change) error {
		n, err := c.exec(`DELETE FROM device_keys WHERE id = ?`, id)
		if err == nil && n == 0 {
			err = fmt.Errorf("%w: no device has this key", edgelens.ErrNotFound)
		}
		return err
	}))
}

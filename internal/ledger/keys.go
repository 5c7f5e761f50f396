package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"edgelens"
)

// Keys has the keys of clients. It is safe for use by many goroutines.
type Keys struct{ db *database }

// Keys returns every key, also the revoked ones, the oldest first.
func (s *Keys) Keys(ctx context.Context) ([]edgelens.StoredKey, error) {
	keys, err := s.list(ctx)
	return keys, s.db.explain("list the keys", err)
}

func (s *Keys) list(ctx context.Context) ([]edgelens.StoredKey, error) {
	rows, err := s.db.readers.QueryContext(ctx, `SELECT id, name, hash, scopes, devices, models, see_all, created_at, expires_at, last_used_at, revoked_at
		FROM keys ORDER BY rowid`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var keys []edgelens.StoredKey
	for rows.Next() {
		key, err := readKey(rows)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, rows.Err()
}

func readKey(row interface{ Scan(...any) error }) (key edgelens.StoredKey, err error) {
	var hash []byte
	var scopes, devices, models string
	var created, expires, used, revoked sql.NullInt64
	if err := row.Scan(&key.ID, &key.Name, &hash, &scopes, &devices, &models, &key.SeeAll, &created, &expires, &used, &revoked); err != nil {
		return edgelens.StoredKey{}, err
	}
	for _, list := range []struct {
		text string
		into any
	}{{scopes, &key.Scopes}, {devices, &key.Devices}, {models, &key.Models}} {
		if err := json.Unmarshal([]byte(list.text), list.into); err != nil {
			return edgelens.StoredKey{}, fmt.Errorf("read key %s: %w", key.ID, err)
		}
	}
	copy(key.Hash[:], hash) // the table has none of another length
	key.Created, key.Expires, key.LastUsed, key.Revoked = timeOf(created), timeOf(expires), timeOf(used), timeOf(revoked)
	return key, nil
}

// AddKey makes a key durable. Its error is an edgelens.ErrConflict where its ID, or its name among the keys that are not
// revoked, is taken.
func (s *Keys) AddKey(ctx context.Context, key edgelens.StoredKey) error {
	return s.db.explain("add key "+key.ID, s.db.write(ctx, func(c *change) error {
		var taken int
		err := c.QueryRowContext(ctx, `SELECT COUNT(*) FROM keys WHERE id = ? OR name = ? AND revoked_at IS NULL`, key.ID, key.Name).Scan(&taken)
		if err != nil {
			return err
		}
		if taken > 0 {
			return fmt.Errorf("%w: there is a key named %q; choose another name, or revoke that one first", edgelens.ErrConflict, key.Name)
		}
		lists := make([]any, 3)
		for i, list := range []any{key.Scopes, key.Devices, key.Models} {
			text, err := json.Marshal(list)
			if err != nil {
				return err
			}
			lists[i] = string(text)
		}
		_, err = c.exec(`INSERT INTO keys (id, name, hash, scopes, devices, models, see_all, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			key.ID, key.Name, key.Hash[:], lists[0], lists[1], lists[2], key.SeeAll, key.Created.UnixMicro(), timeOrNull(key.Expires))
		return err
	}))
}

// RevokeKey makes the revocation of a key durable; one that is revoked stays as it is. Its error is an
// edgelens.ErrNotFound where there is no such key.
func (s *Keys) RevokeKey(ctx context.Context, id string, at time.Time) error {
	return s.db.explain("revoke key "+id, s.db.write(ctx, func(c *change) error {
		changed, err := c.exec(`UPDATE keys SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?`, at.UnixMicro(), id)
		if err == nil && changed == 0 {
			err = fmt.Errorf("%w: there is no key with this id", edgelens.ErrNotFound)
		}
		return err
	}))
}

// NoteKeyUse stores when keys were last used, by ID; others are ignored.
func (s *Keys) NoteKeyUse(ctx context.Context, used map[string]time.Time) error {
	return s.db.explain("store the last use of keys", s.db.write(ctx, func(c *change) error {
		for id, at := range used {
			if _, err := c.exec(`UPDATE keys SET last_used_at = ? WHERE id = ?`, at.UnixMicro(), id); err != nil {
				return err
			}
		}
		return nil
	}))
}

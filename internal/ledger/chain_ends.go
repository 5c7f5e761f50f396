package ledger

import (
	"context"
	"database/sql"
	"errors"

	"edgelens"
	"edgelens/internal/chain"
)

// erase leaves a tombstone in place of a record that is to be erased: what has its id is removed.
func (s *Chains) erase(c *change, record string) error {
	var device, hash string
	var seq int64
	err := c.QueryRowContext(c.ctx, `UPDATE chain_links SET state = ?, record_id = NULL, ended_at = ? WHERE record_id = ? RETURNING device, seq, hash`,
		string(edgelens.ChainErased), s.db.now().UnixMicro(), record).Scan(&device, &seq, &hash)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil || s.parts == nil:
		return err
	case hash == "":
		return s.advance(c, device)
	}
	return s.entomb(c, device, seq)
}

// entomb signs the tombstone of a link that has ended and has its hash. Where it cannot be signed, the sweeper tries it
// again: nothing stays stored for that.
func (s *Chains) entomb(c *change, device string, seq int64) error {
	_, err := c.exec(`UPDATE chain_links SET ended_at = coalesce(ended_at, ?) WHERE device = ? AND seq = ?`, s.db.now().UnixMicro(), device, seq)
	if err != nil {
		return err
	}
	entry, err := readChainEntry(c.QueryRowContext(c.ctx, selectChainEntry+` WHERE l.device = ? AND l.seq = ?`, device, seq))
	if err != nil {
		return err
	}
	signature, err := chain.Sign(chain.Entry(device, entry), s.parts.Signer)
	if err != nil {
		s.db.log.Warn("signing the tombstone of an event failed, retried later", "device", device, "error", err)
		return nil
	}
	_, err = c.exec(`UPDATE chain_links SET signature = ? WHERE device = ? AND seq = ?`, signature, device, seq)
	return err
}

// sweep moves the checkpoints of the chains over the links at their beginnings whose events are gone, and signs the
// tombstones that are not signed yet. It returns how many links it removed.
func (s *Chains) sweep(ctx context.Context) (removed int, err error) {
	if s.parts == nil {
		return 0, nil
	}
	devices, err := s.endedDevices(ctx)
	if err != nil {
		return 0, err
	}
	for _, device := range devices {
		n, err := repeat(func() (int, error) { return s.fold(ctx, device) })
		removed += n
		if err != nil {
			return removed, err
		}
	}
	return removed, nil
}

// endedDevices returns the devices with links for the sweeper.
func (s *Chains) endedDevices(ctx context.Context) (devices []string, err error) {
	rows, err := s.db.readers.QueryContext(ctx, `SELECT DISTINCT l.device FROM chain_links l JOIN chains c ON c.device = l.device
		WHERE l.state <> 'kept' AND (l.signature = '' OR l.seq = c.check_seq + 1)`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var device string
		if err := rows.Scan(&device); err != nil {
			return nil, err
		}
		devices = append(devices, device)
	}
	return devices, rows.Err()
}

// fold moves the checkpoint of a device over a batch of links, and returns how many.
func (s *Chains) fold(ctx context.Context, device string) (folded int, err error) {
	err = s.db.write(ctx, func(c *change) error {
		folded = 0
		if err := s.advance(c, device); err != nil {
			return err
		}
		kept, err := chainOf(ctx, c, device)
		if err != nil {
			return err
		}
		first, err := chainEntries(ctx, c, device, kept.Checkpoint.Seq, kept.Seq, sweepBatch)
		if err != nil {
			return err
		}
		for _, entry := range first {
			if entry.State == edgelens.ChainKept {
				break
			}
			folded++
			kept.Checkpoint.Seq, kept.Checkpoint.Hash = entry.Seq, entry.Hash
			if entry.State == edgelens.ChainErased {
				kept.Checkpoint.Erased++
			} else {
				kept.Checkpoint.Expired++
			}
		}
		if folded > 0 {
			if err := s.check(c, &kept); err != nil {
				return err
			}
		}
		return s.entombOthers(c, device)
	})
	return folded, err
}

// check stores a new checkpoint, and removes the links before it.
func (s *Chains) check(c *change, kept *edgelens.Chain) error {
	at := &kept.Checkpoint
	at.At = micros(s.db.now())
	var err error
	if at.Signature, err = chain.Sign(chain.Checkpoint(*kept), s.parts.Signer); err != nil {
		return err
	}
	if _, err := c.exec(`DELETE FROM chain_links WHERE device = ? AND seq <= ?`, kept.Device, at.Seq); err != nil {
		return err
	}
	_, err = c.exec(`UPDATE chains SET check_seq = ?, check_hash = ?, erased = ?, expired = ?, checked_at = ?, signature = ? WHERE device = ?`,
		at.Seq, at.Hash, at.Erased, at.Expired, at.At.UnixMicro(), at.Signature, kept.Device)
	return err
}

// entombOthers signs a batch of the tombstones that are not signed.
func (s *Chains) entombOthers(c *change, device string) error {
	rows, err := c.QueryContext(c.ctx, `SELECT seq FROM chain_links WHERE device = ? AND state <> 'kept' AND signature = '' AND hash <> '' LIMIT ?`, device, sweepBatch)
	if err != nil {
		return err
	}
	defer rows.Close()
	var seqs []int64
	for rows.Next() {
		var seq int64
		if err := rows.Scan(&seq); err != nil {
			return err
		}
		seqs = append(seqs, seq)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for _, seq := range seqs {
		if err := s.entomb(c, device, seq); err != nil {
			return err
		}
	}
	return nil
}

package ledger

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"

	"edgelens"
	"edgelens/internal/chain"
)

// ChainParts are what the chains of events work with.
type ChainParts struct {
	// Digest returns the digest of a record's event by its record and its result: chain.Digest.
	Digest func(*edgelens.Delivery) (string, error)
	// Signer signs tombstones and checkpoints.
	Signer chain.Signer
}

// Chains has the chain of each device's events. A record has its place from the transaction in which it is stored, and
// its hash from that in which it, and all before it, have their results. It is safe for use by many goroutines.
type Chains struct {
	db *database
	// parts is nil where no chains are kept.
	parts *ChainParts
}

// place gives a record the next place in the chain of its device.
func (s *Chains) place(c *change, r *edgelens.Record) error {
	if s.parts == nil {
		return nil
	}
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return err
	}
	var seq int64
	err := c.QueryRowContext(c.ctx, `INSERT INTO chains (device, id, placed) VALUES (?, ?, 1)
		ON CONFLICT (device) DO UPDATE SET placed = placed + 1 RETURNING placed`, r.Device, hex.EncodeToString(id[:])).Scan(&seq)
	if err != nil {
		return err
	}
	_, err = c.exec(`INSERT INTO chain_links (device, seq, record_id) VALUES (?, ?, ?)`, r.Device, seq, r.ID)
	return err
}

// deliveryOf returns a record with its result, or sql.ErrNoRows.
func deliveryOf(ctx context.Context, q querier, record string) (d edgelens.Delivery, err error) {
	d.Record, err = readRecord(q.QueryRowContext(ctx, `SELECT `+recordColumns+` FROM records r WHERE r.id = ?`, record))
	if err != nil {
		return d, err
	}
	d.CreatedAt = d.Record.ReceivedAt
	d.Result, err = resultByID(ctx, q, record)
	return d, err
}

// advance gives the links of a device their hashes, in order, up to the first one without a result.
func (s *Chains) advance(c *change, device string) error {
	if s.parts == nil {
		return nil
	}
	for {
		linked, err := s.linkNext(c, device)
		if err != nil || !linked {
			return err
		}
	}
}

// linkNext gives the next link its hash, if it can have one.
func (s *Chains) linkNext(c *change, device string) (linked bool, err error) {
	var id, prev, state string
	var seq int64
	var record sql.NullString
	err = c.QueryRowContext(c.ctx, `SELECT c.id, c.hash, l.seq, l.record_id, l.state FROM chains c JOIN chain_links l ON l.device = c.device AND l.seq = c.linked + 1
		WHERE c.device = ?`, device).Scan(&id, &prev, &seq, &record, &state)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	ended := state != string(edgelens.ChainKept)
	digest, err := s.digestOf(c, record.String, ended)
	if err != nil || digest == "" {
		return false, err
	}
	hash, err := chain.Hash(id, device, seq, prev, digest)
	if err != nil {
		return false, err
	}
	if _, err := c.exec(`UPDATE chain_links SET digest = ?, prev = ?, hash = ? WHERE device = ? AND seq = ?`, digest, prev, hash, device, seq); err != nil {
		return false, err
	}
	if _, err := c.exec(`UPDATE chains SET linked = ?, hash = ? WHERE device = ?`, seq, hash, device); err != nil {
		return false, err
	}
	if ended {
		err = s.entomb(c, device, seq)
	}
	return true, err
}

// digestOf returns the digest of a record's event; "" where it has no result yet, and one of nothing where it has ended
// before.
func (s *Chains) digestOf(c *change, record string, ended bool) (string, error) {
	if ended {
		var nothing [32]byte
		_, err := rand.Read(nothing[:])
		return hex.EncodeToString(nothing[:]), err
	}
	d, err := deliveryOf(c.ctx, c, record)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	digest, err := s.parts.Digest(&d)
	if err != nil {
		return "", fmt.Errorf("the digest of the event of record %s: %w", record, err)
	}
	return digest, nil
}

// chainColumns are those of the tables chains (c) and chain_links (l) that readChainLink reads.
const chainColumns = `c.id, l.seq, l.prev, l.hash`

// chainOfRecord joins c and l to an expression of a record's id.
func chainOfRecord(record string) string {
	return ` LEFT JOIN chain_links l ON l.record_id = ` + record + ` LEFT JOIN chains c ON c.device = l.device`
}

// chainRow reads chainColumns, of which all are NULL where there is no link.
type chainRow struct {
	chain, prev, hash sql.NullString
	seq               sql.NullInt64
}

func (r *chainRow) columns() []any { return []any{&r.chain, &r.seq, &r.prev, &r.hash} }

func (r *chainRow) link() edgelens.ChainLink {
	return edgelens.ChainLink{Chain: r.chain.String, Seq: r.seq.Int64, Prev: r.prev.String, Hash: r.hash.String}
}

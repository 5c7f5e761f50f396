package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"edgelens"
)

// chainPage is how many links are read at a time.
const chainPage = 200

// selectChainEntry selects what readChainEntry reads.
const selectChainEntry = `SELECT ` + chainColumns + `, l.digest, l.state, l.record_id, l.ended_at, l.signature FROM chain_links l JOIN chains c ON c.device = l.device`

func readChainEntry(row interface{ Scan(...any) error }) (e edgelens.ChainEntry, err error) {
	var digest, record sql.NullString
	var ended sql.NullInt64
	err = row.Scan(&e.Chain, &e.Seq, &e.Prev, &e.Hash, &digest, &e.State, &record, &ended, &e.Signature)
	e.Digest, e.EndedAt = digest.String, timeOf(ended)
	if e.State == edgelens.ChainKept {
		e.Event = record.String
	}
	return e, err
}

// chainEntries returns up to limit links after one, up to another, in order.
func chainEntries(ctx context.Context, q querier, device string, after, last int64, limit int) (entries []edgelens.ChainEntry, err error) {
	rows, err := q.QueryContext(ctx, selectChainEntry+` WHERE l.device = ? AND l.seq > ? AND l.seq <= ? ORDER BY l.seq LIMIT ?`, device, after, last, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		entry, err := readChainEntry(rows)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	return entries, rows.Err()
}

// chainOf returns the chain of a device; sql.ErrNoRows where there is none.
func chainOf(ctx context.Context, q querier, device string) (all edgelens.Chain, err error) {
	var checked sql.NullInt64
	at := &all.Checkpoint
	err = q.QueryRowContext(ctx, `SELECT device, id, linked, hash, check_seq, check_hash, erased, expired, checked_at, signature FROM chains WHERE device = ?`, device).
		Scan(&all.Device, &all.Chain, &all.Seq, &all.Hash, &at.Seq, &at.Hash, &at.Erased, &at.Expired, &checked, &at.Signature)
	at.At = timeOf(checked)
	return all, err
}

// Read calls begin with the chain of a device, and then entry with each of its links, in order, and the record and result
// of one that is kept; nil for others. All are as of one moment. Its error is an edgelens.ErrNotFound for a device without
// a chain, or that of a function.
func (s *Chains) Read(ctx context.Context, device string, begin func(edgelens.Chain) error, entry func(edgelens.ChainEntry, *edgelens.Delivery) error) error {
	return s.db.explain("read the chain of "+device, s.read(ctx, device, begin, entry))
}

func (s *Chains) read(ctx context.Context, device string, begin func(edgelens.Chain) error, entry func(edgelens.ChainEntry, *edgelens.Delivery) error) (err error) {
	tx, err := s.db.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ignoreDone(tx.Rollback())) }()
	all, err := chainOf(ctx, tx, device)
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%w: the device has no chain of events yet, or identity.sign_events is off", edgelens.ErrNotFound)
	}
	if err != nil {
		return err
	}
	if err := begin(all); err != nil {
		return err
	}
	for after := all.Checkpoint.Seq; ; {
		entries, err := chainEntries(ctx, tx, device, after, all.Seq, chainPage)
		if err != nil || len(entries) == 0 {
			return err
		}
		for _, e := range entries {
			d, err := keptDelivery(ctx, tx, e)
			if err != nil {
				return err
			}
			if err := entry(e, d); err != nil {
				return err
			}
			after = e.Seq
		}
	}
}

// keptDelivery returns the record and the result of a link that is kept; nil for another one.
func keptDelivery(ctx context.Context, q querier, e edgelens.ChainEntry) (*edgelens.Delivery, error) {
	if e.State != edgelens.ChainKept {
		return nil, nil
	}
	d, err := deliveryOf(ctx, q, e.Event)
	if err != nil {
		return nil, err
	}
	d.Chain = e.ChainLink
	return &d, nil
}

// Link returns the place of a record's event in the chain of its device; the zero ChainLink where it has none.
func (s *Chains) Link(ctx context.Context, record string) (edgelens.ChainLink, error) {
	var row chainRow
	err := s.db.readers.QueryRowContext(ctx, `SELECT `+chainColumns+` FROM chain_links l JOIN chains c ON c.device = l.device WHERE l.record_id = ?`, record).Scan(row.columns()...)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return row.link(), s.db.explain("look up the link of record "+record, err)
}

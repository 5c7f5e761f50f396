package ledger

import (
	"context"

	"edgelens"
)

// EraseState erases what is known of a state: its history, with its events and undelivered entries, and what it is now.
// Erasing an unknown state changes nothing.
func (s *Erasure) EraseState(ctx context.Context, name string) (edgelens.ErasedState, error) {
	erased, err := s.eraseChanges(ctx, `name = ?`, name)
	if err == nil {
		err = s.eraseStates(ctx, `name = ?`, name)
	}
	return erased, s.db.explain("erase a state", err)
}

// eraseStates erases what states are now.
func (s *Erasure) eraseStates(ctx context.Context, condition string, args ...any) error {
	return overwrite(ctx, s.db, func(c *change) error {
		_, err := c.exec(`DELETE FROM states WHERE `+condition, args...)
		return err
	})
}

// eraseChangesOf erases the changes that the records of an erasure made, and, where it is not about records alone, those of
// its device and time; with a device and no time, also what the states of the device are now. It returns how many entries
// of the outbox it erased.
func (s *Erasure) eraseChangesOf(ctx context.Context, filter edgelens.ErasureFilter, record string, recordArgs []any) (undelivered int64, err error) {
	erased, err := s.eraseChanges(ctx, `record_id <> '' AND record_id IN (SELECT r.id FROM records r WHERE `+record+`)`, recordArgs...)
	if err != nil || filter.ID != "" || filter.Person != "" {
		return erased.Undelivered, err
	}
	condition, args := `at < ?`, []any{s.db.now().UnixMicro()}
	if !filter.Until.IsZero() {
		condition, args = condition+` AND at < ?`, append(args, filter.Until.UnixMicro())
	}
	if !filter.Since.IsZero() {
		condition, args = condition+` AND at >= ?`, append(args, filter.Since.UnixMicro())
	}
	if filter.Device != "" {
		condition, args = condition+` AND device = ?`, append(args, filter.Device)
	}
	more, err := s.eraseChanges(ctx, condition, args...)
	undelivered = erased.Undelivered + more.Undelivered
	if err != nil || filter != (edgelens.ErasureFilter{Device: filter.Device}) {
		return undelivered, err
	}
	return undelivered, s.eraseStates(ctx, `device = ?`, filter.Device)
}

// eraseChanges erases the changes for which a condition holds, with the events about them and their undelivered entries.
func (s *Erasure) eraseChanges(ctx context.Context, condition string, args ...any) (all edgelens.ErasedState, err error) {
	for {
		ids, err := s.idsIn(ctx, `SELECT id FROM state_changes WHERE `+condition+` ORDER BY seq LIMIT ?`, args)
		if err != nil || len(ids) == 0 {
			return all, err
		}
		changes, undelivered, err := s.erasePublished(ctx, `state_changes`, ids)
		all.Changes += changes
		all.Undelivered += undelivered
		if err != nil {
			return all, err
		}
	}
}

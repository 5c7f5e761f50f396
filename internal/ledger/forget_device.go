package ledger

import (
	"context"

	"edgelens"
)

// ForgetDevice removes a device with its commands and undelivered events, and cancels its unfinished jobs, all at once.
// Its results and records stay until their age, and the ids of its records, so that none is processed twice. An unknown
// device is no error.
func (s *Devices) ForgetDevice(ctx context.Context, id string) error {
	return s.db.explain("forget device "+id, s.db.write(ctx, func(c *change) error { return s.forget(c, id) }))
}

func (s *Devices) forget(c *change, id string) error {
	removed, err := c.exec(`DELETE FROM devices WHERE id = ?`, id)
	if err != nil {
		return err
	}
	if _, err := c.exec(`DELETE FROM commands WHERE device = ?`, id); err != nil {
		return err
	}
	if _, err := s.outbox.remove(c, `device = ?`, id); err != nil {
		return err
	}
	now := micros(s.db.now())
	unfinished, err := jobRows(context.Background(), c, selectJob+` WHERE j.device = ? AND j.device <> '' AND j.finished_at IS NULL`, id)
	if err != nil {
		return err
	}
	for i := range unfinished {
		if err := s.jobs.end(c, &unfinished[i].Job, ending{status: edgelens.JobCanceled}, now); err != nil {
			return err
		}
	}
	if removed == 0 {
		return nil
	}
	return s.events.insert(c, newEvent{kind: eventDevice, subject: id, device: id, at: now, data: forgottenData{ID: id, Forgotten: true}})
}

// forgottenData is the Data of the "device" event about one that was forgotten.
type forgottenData struct {
	ID        string `json:"id"`
	Forgotten bool   `json:"forgotten"`
}

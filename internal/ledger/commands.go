package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"edgelens"
	"edgelens/internal/uuid7"
)

// Commands has the commands for devices. It is safe for use by many goroutines.
type Commands struct{ db *database }

// AddCommand makes a command durable, queued, and returns it with its ID and
// CreatedAt.
func (s *Commands) AddCommand(ctx context.Context, device string, body json.RawMessage, deadline time.Time) (edgelens.Command, error) {
	now := micros(s.db.now())
	command := edgelens.Command{
		ID: uuid7.New(now), Device: device, Body: body, Status: edgelens.CommandQueued, CreatedAt: now, Deadline: micros(deadline),
	}
	err := s.db.write(ctx, func(c *change) error {
		_, err := c.exec(`INSERT INTO commands (id, device, body, status, created_at, deadline) VALUES (?, ?, ?, ?, ?, ?)`,
			command.ID, command.Device, string(body), string(command.Status), now.UnixMicro(), command.Deadline.UnixMicro())
		return err
	})
	return command, s.db.explain("add a command", err)
}

// MoveCommand moves a command to another state and returns it. A terminal one does not change: edgelens.ErrFinished. Other
// errors: edgelens.ErrNotFound.
func (s *Commands) MoveCommand(ctx context.Context, id string, status edgelens.CommandStatus, detail string) (edgelens.Command, error) {
	var command edgelens.Command
	err := s.db.write(ctx, func(c *change) (err error) {
		if command, err = readCommand(c.QueryRowContext(ctx, selectCommand+` WHERE id = ?`, id)); err != nil {
			return commandError(err)
		}
		if command.Status.Terminal() {
			return fmt.Errorf("%w with the status %s", edgelens.ErrFinished, command.Status)
		}
		now := micros(s.db.now())
		command.Status, command.Detail = status, detail
		switch status {
		case edgelens.CommandSent:
			command.SentAt = now
		case edgelens.CommandQueued: // it was not sent after all
			command.SentAt = time.Time{}
		}
		if status.Terminal() {
			command.FinishedAt = now
		}
		_, err = c.exec(`UPDATE commands SET status = ?, detail = ?, sent_at = ?, finished_at = ? WHERE id = ?`,
			string(command.Status), command.Detail, timeOrNull(command.SentAt), timeOrNull(command.FinishedAt), id)
		return err
	})
	return command, s.db.explain("move command "+id, err)
}

// Command returns a command. Its error is an edgelens.ErrNotFound where there is none, or no longer.
func (s *Commands) Command(ctx context.Context, id string) (edgelens.Command, error) {
	command, err := readCommand(s.db.readers.QueryRowContext(ctx, selectCommand+` WHERE id = ?`, id))
	return command, s.db.explain("look up command "+id, commandError(err))
}

// DeviceCommands returns the newest commands for a device, the newest first, at most limit (1 to 1000).
func (s *Commands) DeviceCommands(ctx context.Context, device string, limit int) ([]edgelens.Command, error) {
	limit, err := pageLimit(limit)
	if err != nil {
		return nil, err
	}
	commands, err := s.list(ctx, ` WHERE device = ? ORDER BY seq DESC LIMIT ?`, device, limit)
	return commands, s.db.explain("list the commands for a device", err)
}

// QueuedCommands returns the commands to be sent, the oldest first.
func (s *Commands) QueuedCommands(ctx context.Context) ([]edgelens.Command, error) {
	commands, err := s.list(ctx, ` WHERE finished_at IS NULL AND status = ? ORDER BY seq`, string(edgelens.CommandQueued))
	return commands, s.db.explain("list the queued commands", err)
}

func (s *Commands) list(ctx context.Context, which string, args ...any) ([]edgelens.Command, error) {
	rows, err := s.db.readers.QueryContext(ctx, selectCommand+which, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var commands []edgelens.Command
	for rows.Next() {
		command, err := readCommand(rows)
		if err != nil {
			return nil, err
		}
		commands = append(commands, command)
	}
	return commands, rows.Err()
}

const selectCommand = `SELECT id, device, body, status, detail, created_at, deadline, sent_at, finished_at FROM commands`

func readCommand(row interface{ Scan(...any) error }) (edgelens.Command, error) {
	var command edgelens.Command
	var body string
	var created, deadline, sent, finished sql.NullInt64
	err := row.Scan(&command.ID, &command.Device, &body, &command.Status, &command.Detail, &created, &deadline, &sent, &finished)
	command.Body = json.RawMessage(body)
	command.CreatedAt, command.Deadline = timeOf(created), timeOf(deadline)
	command.SentAt, command.FinishedAt = timeOf(sent), timeOf(finished)
	return command, err
}

func commandError(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%w: no command has this id; it may have been removed for its age", edgelens.ErrNotFound)
	}
	return err
}

// moveCommandDeadlines moves deadlines with the wall clock, so that commands keep the time that they were given.
func moveCommandDeadlines(c *change, jump time.Duration) error {
	_, err := c.exec(`UPDATE commands SET deadline = deadline + ? WHERE finished_at IS NULL AND status = 'queued'`, jump.Microseconds())
	return err
}

// removeOld removes a batch of commands from before the given moment whose deadline is before now, and returns how many.
func (s *Commands) removeOld(ctx context.Context, before int64, now time.Time) (int, error) {
	return s.db.delete(ctx, "commands", `SELECT seq FROM commands WHERE created_at < ? AND deadline < ? ORDER BY created_at LIMIT ?`, before, now.UnixMicro(), sweepBatch)
}

// removeOverCount removes a batch of the oldest commands while there are more than max, and returns how many. Those whose deadline
// is not before now stay.
func (s *Commands) removeOverCount(ctx context.Context, max int, now time.Time) (int, error) {
	return s.db.delete(ctx, "commands", `SELECT seq FROM commands WHERE seq <= (SELECT max(seq) FROM commands) - ? AND deadline < ? ORDER BY seq LIMIT ?`, max, now.UnixMicro(), sweepBatch)
}

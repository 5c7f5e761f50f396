package ledger

import (
	"context"
	"database/sql"

	"edgelens/internal/clocks"
)

// change is one caller's change, applied atomically.
type change struct {
	ctx  context.Context
	do   func(*change) error
	err  error
	done chan struct{}

	conn *sql.Conn
	// begun is when the transaction began.
	begun clocks.Reading
	// newFile is true where the change's row refers to a new file whose folder was not synced yet.
	newFile bool
	effects
}

// effects are what follows from a change once it is durable: those who wait for it wake, and files are deleted.
type effects struct {
	// finished lists the jobs that became terminal; events is true where there are new ones.
	finished []string
	events   bool
	// ready lists the devices with new rows to deliver.
	ready []string
	// dropped lists the jobs whose images are deleted.
	dropped []string
}

// exec runs a statement of the change and returns how many rows it touched. It takes no context: a change that has
// begun is finished.
func (c *change) exec(query string, args ...any) (int64, error) {
	result, err := c.conn.ExecContext(context.Background(), query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// QueryContext queries on the change's own connection, where it sees its own writes.
func (c *change) QueryContext(_ context.Context, query string, args ...any) (*sql.Rows, error) {
	return c.conn.QueryContext(context.Background(), query, args...)
}

// QueryRowContext is QueryContext for one row.
func (c *change) QueryRowContext(_ context.Context, query string, args ...any) *sql.Row {
	return c.conn.QueryRowContext(context.Background(), query, args...)
}

// querier is what can be asked: the readers, or a change under way.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

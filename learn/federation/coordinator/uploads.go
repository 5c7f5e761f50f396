package coordinator

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"edgelens"
	"edgelens/internal/atomicfile"
	"edgelens/learn/federation"
)

// uploads are the files that nodes send, by ticket, as far as they have come. It is safe for use by many goroutines.
type uploads struct {
	folder string
	mu     sync.Mutex
	// busy has what ends the part that is being received, by ticket.
	busy map[string]func()
}

func newUploads(folder string) *uploads { return &uploads{folder: folder, busy: map[string]func(){}} }

// path returns the file of a ticket, which must be one of ours.
func (u *uploads) path(ticket string) string { return filepath.Join(u.folder, ticket) }

// received returns how many bytes have come.
func (u *uploads) received(ticket string) (int64, error) {
	info, err := os.Stat(u.path(ticket))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read an upload: %w: %w", edgelens.ErrStorage, err)
	}
	return info.Size(), nil
}

// append adds what body has to an upload of total bytes, from an offset that must be where it stopped, and returns how many
// bytes have come. What came before an error is kept. Its error is a Refusal, or wraps edgelens.ErrStorage. interrupt ends the reading
// of body: it is called where the node sends another part meanwhile, as it does where its connection was cut and this end has not
// noticed.
func (u *uploads) append(ticket string, offset, total int64, body io.Reader, interrupt func()) (int64, error) {
	if !u.lock(ticket, interrupt) {
		return 0, &federation.Refusal{Reason: federation.WrongOffset, Detail: "another part of the upload is being received"}
	}
	defer u.unlock(ticket)
	received, err := u.received(ticket)
	switch {
	case err != nil:
		return 0, err
	case offset != received:
		return received, &federation.Refusal{Reason: federation.WrongOffset, Detail: fmt.Sprintf("the upload goes on at byte %d, not %d", received, offset)}
	}
	file, err := os.OpenFile(u.path(ticket), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return received, fmt.Errorf("store an upload: %w: %w", edgelens.ErrStorage, err)
	}
	added, err := io.Copy(file, io.LimitReader(body, total-received))
	if closed := file.Close(); closed != nil {
		return received, fmt.Errorf("store an upload: %w: %w", edgelens.ErrStorage, closed)
	}
	received += added
	if err != nil {
		return received, fmt.Errorf("receive an upload: %w: %w", edgelens.ErrCanceled, err)
	}
	if one := make([]byte, 1); received == total {
		if n, _ := io.ReadFull(body, one); n > 0 {
			return received, &federation.Refusal{Reason: federation.TooLarge, Detail: fmt.Sprintf("an update has %d bytes", total)}
		}
	}
	return received, nil
}

// lock reports whether no other part of an upload is being received; one that is, is interrupted.
func (u *uploads) lock(ticket string, interrupt func()) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if before := u.busy[ticket]; before != nil {
		before()
		return false
	}
	u.busy[ticket] = interrupt
	return true
}

func (u *uploads) unlock(ticket string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.busy, ticket)
}

// read returns a whole upload.
func (u *uploads) read(ticket string) ([]byte, error) {
	data, err := os.ReadFile(u.path(ticket))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read an upload: %w: %w", edgelens.ErrStorage, err)
	}
	return data, nil
}

// keep makes a whole upload durable.
func (u *uploads) keep(ticket string, data []byte) error {
	if err := atomicfile.Write(u.path(ticket), data, 0o600); err != nil {
		return fmt.Errorf("store an upload: %w: %w", edgelens.ErrStorage, err)
	}
	return nil
}

// remove forgets an upload. One that stays by an error is not used: its ticket is not.
func (u *uploads) remove(ticket string) { _ = os.Remove(u.path(ticket)) }

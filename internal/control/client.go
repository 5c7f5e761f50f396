package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"syscall"
	"time"

	"edgelens"
	"edgelens/internal/socketpath"
)

const (
	// callTimeout bounds one call.
	callTimeout = time.Minute
	// maxAnswer bounds an answer.
	maxAnswer = 64 << 20
)

// ErrNoService: no service answers at the data folder's socket.
var ErrNoService = errors.New("no edgelens serves this data folder")

// Client calls the service of a data folder. It is safe for use by many goroutines.
type Client struct{ http *http.Client }

// Connect returns a client of the service that uses the data folder dir; its error is ErrNoService where none does.
// Close must be called.
func Connect(ctx context.Context, dir string) (*Client, error) {
	path := socketpath.Find(dir, socketName)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}
	conn, err := dial(ctx, "", "")
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTDIR):
		return nil, ErrNoService
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w: only the user that runs edgelens may use its socket %s; run this command as that user, with sudo -u", edgelens.ErrForbidden, path)
	case err != nil:
		return nil, fmt.Errorf("connect to the service: %w", err)
	}
	_ = conn.Close() // it was to find out
	return &Client{&http.Client{Transport: &http.Transport{DialContext: dial}}}, nil
}

// Close ends the connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// call sends a value to a path, or nothing if it is nil, and reads the answer. An error of the service has its sentinel.
func (c *Client) call(ctx context.Context, method, path string, send, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	response, err := c.do(ctx, method, path, send)
	if err != nil {
		return err
	}
	defer response.Body.Close() // read only
	if response.StatusCode != http.StatusOK {
		return errorOf(response)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(answer); err != nil {
		return fmt.Errorf("read the service's answer: %w", err)
	}
	return nil
}

// do sends a value to a path, or nothing if it is nil. The body of the response must be closed.
func (c *Client) do(ctx context.Context, method, path string, send any) (*http.Response, error) {
	var body io.Reader
	if send != nil {
		text, err := json.Marshal(send)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://control"+path, body)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(r)
	if err != nil {
		return nil, fmt.Errorf("call the service: %w", err)
	}
	return response, nil
}

// errorOf reads the error that the service reports.
func errorOf(response *http.Response) error {
	if response.StatusCode == http.StatusNotFound {
		return fmt.Errorf("%w: the running service has another version, which does not know this command; restart it", edgelens.ErrInvalid)
	}
	var refused refusal
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(&refused); err != nil || refused.Detail == "" {
		return fmt.Errorf("the service answered %s", response.Status)
	}
	return &Error{Detail: refused.Detail, sentinel: sentinelOf(refused.Code)}
}

// Error is an error that the service reports.
type Error struct {
	// Detail is its text.
	Detail   string
	sentinel error
}

// Error returns the text.
func (e *Error) Error() string { return e.Detail }

// Unwrap returns the sentinel; nil if the service reported none.
func (e *Error) Unwrap() error { return e.sentinel }

// Package control lets commands such as `edgelens key` use a running service: over HTTP on a Unix socket in its data
// folder, which only its user may open. The ledger is locked by its service, so a command opens it only where none runs.
//
// A subject has a file here, with its handlers and the calls of its client: keys.go, backup.go. Values are sent in forms of their
// own, so that a command of another version understands the service.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"edgelens"
	"edgelens/internal/datadir"
	"edgelens/internal/socketpath"
)

const (
	// socketName is the socket in the data folder.
	socketName = "control.sock"
	// maxBody bounds a request.
	maxBody = 1 << 20
)

// Server answers the commands. Its Close must be called once.
type Server struct {
	http     *http.Server
	listener net.Listener
	remove   func()
}

// Listen opens the socket in the data folder dir, whose ledger the caller must have locked: the socket of a killed
// process is replaced. Its error is an edgelens.ErrStorage or ErrInvalid.
func Listen(dir string, mux *http.ServeMux, log *slog.Logger) (*Server, error) {
	path, remove, err := socketpath.Choose(dir, socketName)
	if err != nil {
		return nil, fmt.Errorf("open the socket for commands: %w", datadir.Explain(dir, err))
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("open the socket for commands: %w", datadir.Explain(path, err))
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		remove()
		return nil, fmt.Errorf("open the socket for commands: %w", datadir.Explain(filepath.Dir(path), err))
	}
	// Its folder is private, too, so no other user came in before this.
	if err := os.Chmod(path, datadir.FileMode); err != nil {
		remove()
		return nil, errors.Join(fmt.Errorf("open the socket for commands: %w", datadir.Explain(path, err)), listener.Close())
	}
	return &Server{
		listener: listener, remove: remove,
		http: &http.Server{
			Handler:           http.MaxBytesHandler(mux, maxBody),
			ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: time.Minute,
			ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		},
	}, nil
}

// Serve answers until Close, and then returns nil.
func (s *Server) Serve() error {
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve commands: %w", err)
	}
	return nil
}

// Close finishes the commands in progress, within ctx, and removes the socket.
func (s *Server) Close(ctx context.Context) error {
	defer s.remove()
	if err := s.http.Shutdown(ctx); err != nil {
		_ = s.http.Close() // the first error is more specific
		return fmt.Errorf("finish the commands: %w", err)
	}
	_ = s.listener.Close() // of a server that never served
	return nil
}

// refusal is the form of an error.
type refusal struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// sentinelOf returns the error with that code, or nil.
func sentinelOf(code string) error {
	for _, sentinel := range edgelens.Sentinels() {
		if edgelens.Code(sentinel) == code {
			return sentinel
		}
	}
	return nil
}

// handle makes a handler of a function that reads a request and returns what to answer. Only the operator can call it, so
// errors are sent as they are.
func handle(do func(r *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer, err := do(r)
		status := http.StatusOK
		if err != nil {
			status, answer = http.StatusBadRequest, refusal{Code: edgelens.Code(err), Detail: err.Error()}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(answer) // an error means that the command was ended
	}
}

// read decodes the body of a request. Unknown members are errors: a service of an earlier version would ignore a bound.
func read(r *http.Request, into any) error {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err == nil {
		if _, more := decoder.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("there is more than one JSON value")
		}
	}
	if err != nil {
		return fmt.Errorf("%w: the service cannot read the command, perhaps because it has another version: %w", edgelens.ErrInvalid, err)
	}
	return nil
}

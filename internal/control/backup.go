package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"edgelens"
)

const (
	// sizeHeader has the size of a backup, about, and errorTrailer the error that ended it, if there was one.
	sizeHeader, errorTrailer = "Edgelens-Bytes", "Edgelens-Error"
	// stallTimeout is how long a command may take to write a part of a backup: meanwhile, the service keeps images.
	stallTimeout = time.Minute
)

// BackupOptions are what a backup has besides the ledger.
type BackupOptions struct {
	// Identity is the node's name; Secrets are the keys of clients, the secret of sessions, and the keys of TLS.
	Identity bool `json:"identity"`
	Secrets  bool `json:"secrets"`
}

// Backups writes backups: the service's, or a Client.
type Backups interface {
	// WriteBackup writes a backup to the writer that begin returns for its size, about.
	WriteBackup(ctx context.Context, options BackupOptions, begin func(bytes int64) io.Writer) error
}

// AddBackups adds the handler for backups, which end when stopping does.
func AddBackups(stopping context.Context, mux *http.ServeMux, backups Backups) {
	mux.HandleFunc("POST /backup", func(w http.ResponseWriter, r *http.Request) {
		var options BackupOptions
		err := read(r, &options)
		began := false
		if err == nil {
			ctx, cancel := context.WithCancelCause(r.Context())
			defer cancel(nil)
			defer context.AfterFunc(stopping, func() { cancel(edgelens.ErrStopping) })()
			err = backups.WriteBackup(ctx, options, func(bytes int64) io.Writer {
				began = true
				w.Header().Set("Content-Type", "application/x-tar")
				w.Header().Set("Trailer", errorTrailer)
				w.Header().Set(sizeHeader, strconv.FormatInt(bytes, 10))
				return &stallWriter{w, http.NewResponseController(w)}
			})
			if err != nil && errors.Is(context.Cause(ctx), edgelens.ErrStopping) {
				err = fmt.Errorf("%w: the service stops; take the backup again when it runs", edgelens.ErrStopping)
			}
		}
		switch {
		case err != nil && !began:
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_ = json.NewEncoder(w).Encode(refusal{Code: edgelens.Code(err), Detail: err.Error()}) // an error means that the command was ended
		case err != nil:
			text, _ := json.Marshal(refusal{Code: edgelens.Code(err), Detail: err.Error()}) // it has texts alone
			w.Header().Set(errorTrailer, string(text))
		}
	})
}

// stallWriter bounds the time of each write.
type stallWriter struct {
	w       io.Writer
	control *http.ResponseController
}

// Write implements io.Writer.
func (s *stallWriter) Write(b []byte) (int, error) {
	if err := s.control.SetWriteDeadline(time.Now().Add(stallTimeout)); err != nil {
		return 0, err
	}
	return s.w.Write(b)
}

// WriteBackup implements Backups.
func (c *Client) WriteBackup(ctx context.Context, options BackupOptions, begin func(bytes int64) io.Writer) error {
	response, err := c.do(ctx, http.MethodPost, "/backup", options)
	if err != nil {
		return err
	}
	defer response.Body.Close() // read only
	if response.StatusCode != http.StatusOK {
		return errorOf(response)
	}
	bytes, err := strconv.ParseInt(response.Header.Get(sizeHeader), 10, 64)
	if err != nil {
		return fmt.Errorf("read the service's answer: %w", err)
	}
	if _, err := io.Copy(begin(bytes), response.Body); err != nil {
		if ctx.Err() == nil && errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("%w: the service ended while it wrote the backup", edgelens.ErrCanceled)
		}
		return err
	}
	if text := response.Trailer.Get(errorTrailer); text != "" {
		var refused refusal
		if err := json.Unmarshal([]byte(text), &refused); err != nil {
			return fmt.Errorf("read the service's answer: %w", err)
		}
		return &Error{Detail: refused.Detail, sentinel: sentinelOf(refused.Code)}
	}
	return nil
}

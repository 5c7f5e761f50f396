package control_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/control"
	"edgelens/internal/testutil"
)

// writes is a Backups that does what a test says.
type writes func(ctx context.Context, o control.BackupOptions, begin func(bytes int64) io.Writer) error

func (w writes) WriteBackup(ctx context.Context, o control.BackupOptions, begin func(bytes int64) io.Writer) error {
	return w(ctx, o, begin)
}

// serveBackups starts a server; ending stopping ends its backups.
func serveBackups(t *testing.T, stopping context.Context, b control.Backups) *control.Client {
	t.Helper()
	dir, log := testutil.ShortDir(t), (&testutil.LogBuffer{}).Logger()
	mux := http.NewServeMux()
	control.AddBackups(stopping, mux, b)
	server, err := control.Listen(dir, mux, log)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve() }()
	client := connect(t, dir)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := errors.Join(server.Close(ctx), <-ended); err != nil {
			t.Error(err)
		}
	})
	return client
}

// A backup arrives as it was written, with the options and the size; an error before it, in its middle, and at the end of
// the service, arrives as such.
func TestBackupOfRunningService(t *testing.T) {
	large := strings.Repeat("backup ", 200_000)
	stopping, stop := context.WithCancel(t.Context())
	defer stop()
	for _, test := range []struct {
		name string
		do   writes
		want error
		text string
	}{
		{"written", func(_ context.Context, o control.BackupOptions, begin func(int64) io.Writer) error {
			_, err := io.WriteString(begin(int64(len(large))), large)
			if o != (control.BackupOptions{Identity: true, Secrets: true}) {
				err = fmt.Errorf("the options are %+v", o)
			}
			return err
		}, nil, ""},
		{"refused", func(context.Context, control.BackupOptions, func(int64) io.Writer) error {
			return fmt.Errorf("%w: another backup is being taken", edgelens.ErrInUse)
		}, edgelens.ErrInUse, "another backup"},
		{"failed in the middle", func(_ context.Context, _ control.BackupOptions, begin func(int64) io.Writer) error {
			_, err := io.WriteString(begin(1), large)
			return errors.Join(err, fmt.Errorf("%w: the disk is gone", edgelens.ErrStorage))
		}, edgelens.ErrStorage, "the disk is gone"},
		{"the service stops", func(ctx context.Context, _ control.BackupOptions, begin func(int64) io.Writer) error {
			_, err := io.WriteString(begin(1), "first")
			stop()
			<-ctx.Done()
			return errors.Join(err, ctx.Err())
		}, edgelens.ErrStopping, "take the backup again"},
	} {
		t.Run(test.name, func(t *testing.T) {
			client := serveBackups(t, stopping, test.do)
			var out bytes.Buffer
			size := int64(0)
			err := client.WriteBackup(t.Context(), control.BackupOptions{Identity: true, Secrets: true}, func(bytes int64) io.Writer { size = bytes; return &out })
			switch {
			case test.want == nil && (err != nil || out.String() != large || size != int64(len(large))):
				t.Errorf("%d of %d bytes, %v", out.Len(), size, err)
			case test.want != nil && (!errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text)):
				t.Errorf("%v, want %v", err, test.want)
			}
		})
	}
}

// A command that ends cancels its backup.
func TestBackupEndsWithCommand(t *testing.T) {
	ended := make(chan struct{})
	client := serveBackups(t, t.Context(), writes(func(ctx context.Context, _ control.BackupOptions, begin func(int64) io.Writer) error {
		defer close(ended)
		w := begin(1)
		for ctx.Err() == nil {
			if _, err := io.WriteString(w, strings.Repeat("x", 1<<16)); err != nil {
				return err
			}
		}
		return ctx.Err()
	}))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := client.WriteBackup(ctx, control.BackupOptions{}, func(int64) io.Writer { return cancelingWriter(cancel) })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	<-ended
}

// cancelingWriter calls itself at each write.
type cancelingWriter func()

func (c cancelingWriter) Write(b []byte) (int, error) { c(); return len(b), nil }

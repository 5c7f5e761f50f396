package control_test

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/control"
	"edgelens/internal/testutil"
)

// measures is a KeptMeter with an answer.
type measures struct {
	kept edgelens.Kept
	err  error
}

func (m measures) Kept(context.Context) (edgelens.Kept, error) { return m.kept, m.err }

// What is kept arrives as it was measured, and an error as such.
func TestKeptOfRunningService(t *testing.T) {
	at := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	kept := edgelens.Kept{At: at, MaxBytes: 100, Bytes: 40, Kinds: []edgelens.KeptKind{
		{Kind: edgelens.KeptJobs, Rows: 1, Bytes: 2, Oldest: at.Add(-time.Hour), MaxAge: 2 * time.Hour, Share: 40, Bound: edgelens.BoundAge},
		{Kind: edgelens.KeptCommands, Estimated: true, MaxRows: 3, MaxBytes: 4},
	}}
	for name, of := range map[string]measures{"measured": {kept: kept}, "an error": {err: fmt.Errorf("%w: the disk is gone", edgelens.ErrStorage)}} {
		t.Run(name, func(t *testing.T) {
			dir := testutil.ShortDir(t)
			mux := http.NewServeMux()
			control.AddKept(mux, of)
			server, err := control.Listen(dir, mux, (&testutil.LogBuffer{}).Logger())
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- server.Serve() }()
			got, err := connect(t, dir).Kept(t.Context())
			if of.err != nil && (err == nil || err.Error() != of.err.Error()) || of.err == nil && err != nil {
				t.Errorf("error %v, want %v", err, of.err)
			}
			if !reflect.DeepEqual(got, of.kept) {
				t.Errorf("got %+v\nwant %+v", got, of.kept)
			}
			if err := server.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

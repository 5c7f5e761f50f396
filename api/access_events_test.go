package api_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"edgelens"
	"edgelens/api"
	"edgelens/internal/testutil"
)

// ownedEvents are events of which some are of the owner "OWN". A stream of them ends behind the last.
type ownedEvents struct {
	owner string
	all   []edgelens.Event
}

func (e *ownedEvents) Events(_ context.Context, after int64, _ int) ([]edgelens.Event, error) {
	if after >= int64(len(e.all)) {
		return nil, errors.New("there are no more")
	}
	page := slices.Clone(e.all[after:])
	for i := range page {
		if page[i].Owner == "OWN" {
			page[i].Owner = e.owner
		}
	}
	return page, nil
}

func (e *ownedEvents) OldestEvent(context.Context) (int64, error) {
	return int64(min(1, len(e.all))), nil
}

func (e *ownedEvents) LastEvent(context.Context) (int64, error) { return int64(len(e.all)), nil }

func (e *ownedEvents) Subscribe() (wake <-chan struct{}, cancel func()) {
	more := make(chan struct{}, 1)
	more <- struct{}{}
	return more, func() {}
}

// stream opens the stream of all events.
func stream(t *testing.T, base, token string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/api/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Last-Event-ID", "0")
	response, err := http.DefaultClient.Do(bearing(token, r))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode != http.StatusOK {
		t.Fatal(response.Status)
	}
	return response
}

// Events are those of the jobs, results and devices that a client may see, and of the scopes it has.
func TestEventsAreFiltered(t *testing.T) {
	events := &ownedEvents{all: []edgelens.Event{
		{Seq: 1, Type: "job", Owner: "OWN", Data: []byte("own job")}, {Seq: 2, Type: "recognition", Owner: "OWN", Data: []byte("own result")},
		{Seq: 3, Type: "job", Owner: "aaaaaaaa", Data: []byte("other job")}, {Seq: 4, Type: "recognition", Data: []byte("no owner")},
		{Seq: 5, Type: "recognition", Device: "door", Data: []byte("of the door")}, {Seq: 6, Type: "device", Device: "door", Data: []byte("the door")},
		{Seq: 7, Type: "device", Device: "gate", Data: []byte("the gate")}, {Seq: 8, Type: "tomorrow", Device: "door", Data: []byte("unknown")},
	}}
	g := newGuarded(t, func(_ *api.Config, p *api.Parts) { p.Events = events })
	web := httptest.NewServer(g)
	defer web.Close()
	for name, c := range map[string]struct {
		key  edgelens.Key
		want string
	}{
		"jobs":     {scoped(edgelens.ScopeJobs), "own job"},
		"results":  {scoped(edgelens.ScopeResults), "own result"},
		"page":     {scoped(edgelens.ScopePage), "own job,own result"},
		"a device": {edgelens.Key{Scopes: []edgelens.Scope{edgelens.ScopePage}, Devices: []string{"door"}}, "own job,own result,of the door,the door"},
		"devices":  {edgelens.Key{Scopes: []edgelens.Scope{edgelens.ScopeDevices}, SeeAll: true}, "the door,the gate"},
		"sees all": {edgelens.Key{Scopes: []edgelens.Scope{edgelens.ScopeJobs}, SeeAll: true}, "own job,other job"},
		"admin":    {scoped(edgelens.ScopeAdmin), "own job,own result,other job,no owner,of the door,the door,the gate,unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			c.key.Name = name
			key, token, err := g.keys.CreateKey(t.Context(), c.key)
			if err != nil {
				t.Fatal(err)
			}
			events.owner = key.ID
			body, err := io.ReadAll(stream(t, web.URL, token).Body)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for line := range strings.Lines(string(body)) {
				if data, ok := strings.CutPrefix(line, "data: "); ok {
					got = append(got, strings.TrimSpace(data))
				}
			}
			if strings.Join(got, ",") != c.want {
				t.Errorf("%q, want %q", strings.Join(got, ","), c.want)
			}
		})
	}
}

// The stream of a key ends within seconds of its revocation.
func TestStreamEndsWithItsKey(t *testing.T) {
	testutil.SkipIfShort(t, "keys of streams are checked every two seconds")
	g := newGuarded(t, nil)
	web := httptest.NewServer(g)
	defer web.Close()
	open := stream(t, web.URL, g.token(edgelens.Key{Name: "kept", Scopes: edgelens.Scopes()}))
	ended := stream(t, web.URL, g.token(edgelens.Key{Name: "revoked", Scopes: edgelens.Scopes()}))
	if _, err := g.keys.RevokeKey(t.Context(), "revoked"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(ended.Body); err != nil {
		t.Fatal(err)
	}
	still := make(chan error, 1)
	go func() {
		_, err := io.ReadAll(open.Body)
		still <- err
	}()
	select {
	case err := <-still:
		t.Errorf("the other stream ended, too: %v", err)
	default:
	}
	_ = open.Body.Close()
	<-still

	// As does one that needed no key, once there is one.
	g = newGuarded(t, nil)
	local := httptest.NewServer(g)
	defer local.Close()
	without := stream(t, local.URL, "")
	g.token(edgelens.Key{Name: "first", Scopes: edgelens.Scopes()})
	if _, err := io.ReadAll(without.Body); err != nil {
		t.Fatal(err)
	}
}

package control_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"edgelens"
	"edgelens/internal/access"
	"edgelens/internal/access/accesstest"
	"edgelens/internal/control"
	"edgelens/internal/testutil"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve starts a server in a folder, which stop ends.
func serve(t *testing.T, dir string) (keys *access.Keys, stop func()) {
	t.Helper()
	log := (&testutil.LogBuffer{}).Logger()
	keys, err := access.Open(t.Context(), access.Config{}, access.Parts{Store: &accesstest.Store{}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	control.AddKeys(mux, keys)
	server, err := control.Listen(dir, mux, log)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve() }()
	return keys, func() {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := errors.Join(server.Close(ctx), <-ended); err != nil {
			t.Error(err)
		}
	}
}

func connect(t *testing.T, dir string) *control.Client {
	t.Helper()
	client, err := control.Connect(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func TestKeysOfRunningService(t *testing.T) {
	for name, dir := range map[string]string{"short path": testutil.ShortDir(t), "long path": longDir(t)} {
		t.Run(name, func(t *testing.T) {
			keys, stop := serve(t, dir)
			defer stop()
			client := connect(t, dir)
			want := edgelens.Key{
				Name: "a/b c?", Scopes: []edgelens.Scope{edgelens.ScopeJobs}, Devices: []string{"door"}, Models: []string{"m"}, SeeAll: true,
				Expires: time.Now().Add(time.Hour).UTC().Truncate(time.Second),
			}
			created, token, err := client.CreateKey(t.Context(), want)
			if err != nil {
				t.Fatal(err)
			}
			want.ID, want.Created = created.ID, created.Created
			if fmt.Sprintf("%+v", created) != fmt.Sprintf("%+v", want) {
				t.Errorf("%+v, want %+v", created, want)
			}
			if _, err := keys.Authenticate(token); err != nil {
				t.Errorf("the token at the service: %v", err)
			}
			list, err := client.Keys(t.Context())
			if err != nil || len(list) != 1 || list[0].Name != want.Name || list[0].LastUsed.IsZero() {
				t.Errorf("%+v, %v", list, err)
			}
			if revoked, err := client.RevokeKey(t.Context(), want.Name); err != nil || revoked.ID != created.ID || revoked.Revoked.IsZero() {
				t.Errorf("%+v, %v", revoked, err)
			}
			if _, err := keys.Authenticate(token); !errors.Is(err, edgelens.ErrUnauthorized) {
				t.Errorf("a revoked key at the service: %v", err)
			}
			// Errors are those of the service.
			if _, err := client.RevokeKey(t.Context(), "nobody"); !errors.Is(err, edgelens.ErrNotFound) || !strings.Contains(err.Error(), "edgelens key list") {
				t.Errorf("%v", err)
			}
			if _, token, err := client.CreateKey(t.Context(), edgelens.Key{Name: "app"}); !errors.Is(err, edgelens.ErrInvalid) || token != "" {
				t.Errorf("%v", err)
			}
		})
	}
}

// longDir is a folder whose path is too long for a socket.
func longDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestSocketIsPrivateAndRemoved(t *testing.T) {
	dir := testutil.ShortDir(t)
	_, stop := serve(t, dir)
	info, err := os.Stat(filepath.Join(dir, "control.sock"))
	if err != nil || info.Mode().Perm() != 0o600 || info.Mode().Type() != os.ModeSocket {
		t.Errorf("%v, %v", info, err)
	}
	stop()
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v", left, err)
	}
	if _, err := control.Connect(t.Context(), dir); !errors.Is(err, control.ErrNoService) {
		t.Errorf("%v, want ErrNoService", err)
	}
}

// The socket that a killed service left is nobody's, and the next one takes its place.
func TestSocketOfKilledService(t *testing.T) {
	for name, dir := range map[string]string{"short path": testutil.ShortDir(t), "long path": longDir(t)} {
		t.Run(name, func(t *testing.T) {
			if len(dir) < 90 {
				left, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "control.sock")})
				if err != nil {
					t.Fatal(err)
				}
				left.SetUnlinkOnClose(false)
				if err := left.Close(); err != nil {
					t.Fatal(err)
				}
			} else if err := os.Symlink(filepath.Join(t.TempDir(), "gone"), filepath.Join(dir, "control.sock.folder")); err != nil {
				t.Fatal(err)
			}
			if _, err := control.Connect(t.Context(), dir); !errors.Is(err, control.ErrNoService) {
				t.Errorf("%v, want ErrNoService", err)
			}
			_, stop := serve(t, dir)
			defer stop()
			if _, err := connect(t, dir).Keys(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// A service of another version rejects what it does not know.
func TestUnknownMembersAreRejected(t *testing.T) {
	dir := testutil.ShortDir(t)
	_, stop := serve(t, dir)
	defer stop()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(dir, "control.sock"))
	}
	client := http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	for path, body := range map[string]string{"/keys": `{"name":"app","scopes":["jobs"],"countries":["DE"]}`, "/keys?": `{"name":"app","scopes":["jobs"]} {}`} {
		response, err := client.Post("http://control"+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", body, response.Status)
		}
	}
	if _, err := control.Connect(t.Context(), filepath.Join(dir, "none")); !errors.Is(err, control.ErrNoService) {
		t.Errorf("a folder that is missing: %v, want ErrNoService", err)
	}
}

package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"

	"edgelens"
	"edgelens/internal/access"
	"edgelens/internal/config"
	"edgelens/internal/control"
	"edgelens/internal/ledger"
)

// sessionFile is the file of the data folder with the secret of sessions.
const sessionFile = "session.key"

// openKeys reads the keys of clients.
func openKeys(ctx context.Context, c *config.Config, l *ledger.Ledger, log *slog.Logger) (*access.Keys, error) {
	return access.Open(ctx, c.Access, access.Parts{Store: l.Keys, SessionFile: filepath.Join(c.DataDir, sessionFile), Log: log})
}

// checkAccess refuses a service that everyone in the network could use, unless http.open is set, which is logged.
func checkAccess(c *config.Config, keys *access.Keys, log *slog.Logger) error {
	switch {
	case c.HTTP.Open:
		log.Error("HTTP accepts any client, who may read everything and open doors: make a key by `edgelens key create`, and remove http.open", "event", "http_open", "listen", c.HTTP.Listen)
	case keys.Needed():
	case !listensOnLoopback(c.HTTP.Listen):
		return fmt.Errorf("%w: listen is %s, which other machines can reach, and there is no key yet: make the first one with `edgelens key create --data-dir %s --name NAME --scopes admin`, or set http.keys_file (docs/access.md); http.open: true lets everyone use the service without a key",
			edgelens.ErrInvalid, c.HTTP.Listen, c.DataDir)
	case c.PublicURL != "" || len(c.HTTP.TrustedProxies) > 0:
		log.Warn("every request is rejected until there is a key, because http.public_url or http.trusted_proxies is set: make one by `edgelens key create`", "event", "http_no_keys")
	}
	return nil
}

// listensOnLoopback reports whether an address, host:port, is certainly for this machine alone.
func listensOnLoopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.Unmap().IsLoopback()
}

// newControl opens the socket for commands, which end with ctx where they take long. A file system without sockets is no
// reason not to start.
func newControl(ctx context.Context, c *config.Config, keys *access.Keys, of *identities, deviceKeys control.DeviceKeyStore, b backups, f control.Federation, kept control.KeptMeter, log *slog.Logger) *control.Server {
	mux := http.NewServeMux()
	control.AddKeys(mux, keys)
	control.AddCertificates(mux, of)
	control.AddDeviceKeys(mux, deviceKeys)
	control.AddBackups(ctx, mux, b)
	control.AddFederation(mux, f)
	control.AddKept(mux, kept)
	server, err := control.Listen(c.DataDir, mux, log)
	if err != nil {
		log.Warn("commands such as `edgelens key` and `edgelens backup` cannot reach this service", "event", "control_unavailable", "error", err)
		return nil
	}
	return server
}

// UseKeys calls do with the keys of the data folder: those of the service that uses it, or, where none runs, of its
// ledger. Warnings go to logs.
func UseKeys(ctx context.Context, c *config.Config, logs io.Writer, do func(control.KeyStore) error) error {
	return useDataFolder(ctx, c, logs,
		func(client *control.Client) error { return do(client) },
		func(l *ledger.Ledger, log *slog.Logger) error {
			keys, err := openKeys(ctx, c, l, log)
			if err != nil {
				return err
			}
			return do(keys)
		})
}

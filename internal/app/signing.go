package app

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/identity/envelope"
	"edgelens/identity/signing"
	"edgelens/internal/chain"
	"edgelens/internal/config"
	"edgelens/internal/control"
	"edgelens/internal/datadir"
	"edgelens/internal/ledger"
	"edgelens/internal/notify/event"
)

// openSigner reads the keys of the node, and makes them at the first start.
func openSigner(c *config.Config, log *slog.Logger, metrics prometheus.Registerer) (*signing.Node, error) {
	if err := datadir.Make(c.DataDir); err != nil {
		return nil, err
	}
	node, err := signing.Open(c.DataDir, c.Signing)
	if err != nil {
		return nil, err
	}
	node.Observe(log, metrics)
	return node, nil
}

// newComposer returns the composer of the events that are delivered.
func newComposer(c *config.Config, jobs *jobs) event.Composer {
	composer := event.Composer{Fresh: c.Terminal.Fresh, Link: linksTo(c)}
	if c.Signing.SignEvents {
		composer.Signer = jobs.signer
	}
	return composer
}

// newChainExporter returns what exports the chains of events, with events as they were at their results.
func newChainExporter(l *ledger.Ledger, signer chain.Signer, composer event.Composer) chain.Exporter {
	return chain.Exporter{Reader: l.Chains, Signer: signer, Now: time.Now, Event: func(d *edgelens.Delivery) (json.RawMessage, error) {
		return json.Marshal(composer.Compose(d, d.Result.CreatedAt))
	}}
}

// openRing reads the public keys of devices.
func openRing(ctx context.Context, l *ledger.Ledger) (*envelope.Ring, error) {
	return envelope.OpenRing(ctx, l.DeviceKeys)
}

// newOpener returns what opens the sealed messages of devices.
func newOpener(c *config.Config, jobs *jobs) (*envelope.Opener, error) {
	key, err := jobs.signer.SealingKey()
	if err != nil {
		return nil, err
	}
	return envelope.NewOpener(c.Envelopes, key, jobs.deviceKeys.Find, jobs.ledger.DeviceKeys, time.Now)
}

// UseDeviceKeys calls do with the public keys of devices: those of the service that uses the data folder, or, where none
// runs, of its ledger. Warnings go to logs.
func UseDeviceKeys(ctx context.Context, c *config.Config, logs io.Writer, do func(control.DeviceKeyStore) error) error {
	return useDataFolder(ctx, c, logs,
		func(client *control.Client) error { return do(client) },
		func(l *ledger.Ledger, _ *slog.Logger) error {
			ring, err := openRing(ctx, l)
			if err != nil {
				return err
			}
			return do(ring)
		})
}

package app

import (
	"context"
	"errors"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/identity/envelope"
	"edgelens/internal/config"
	"edgelens/internal/notify"
	"edgelens/internal/notify/webhook"
	"edgelens/terminal"
	"edgelens/terminal/dialects"
)

// terminals is the MQTT bridge with its broker, and the delivery of events to sinks.
type terminals struct {
	broker broker
	bridge *terminal.Bridge // nil without a broker
	// opener opens sealed messages, for the bridge and for sensors, so that none counts for both; nil without a broker.
	opener     *envelope.Opener
	hook       *webhook.Webhook
	dispatcher *notify.Dispatcher
	// dispatching is set once the dispatcher was started: Stop must follow Start.
	started, dispatching bool
}

// newTerminals starts the private broker if needed, and connects the bridge to jobs. It does not subscribe yet.
func newTerminals(ctx context.Context, c *config.Config, jobs *jobs, states *states, identities *identities, log *slog.Logger, metrics *prometheus.Registry) (*terminals, error) {
	t := &terminals{}
	composer := newComposer(c, jobs)
	var err error
	if t.hook, err = webhook.New(c.Webhook, composer, jobs.ledger.Images); err != nil {
		return nil, err
	}
	if t.dispatcher, err = notify.New(jobs.ledger.Outbox, notify.DefaultConfig(), jobs.tracer, log, metrics); err != nil {
		return nil, err
	}
	spoken := dialects.New(c.Dialects)
	if t.broker, err = newBroker(ctx, c, spoken, identities, log); err != nil {
		return nil, err
	}
	if t.broker.url == "" {
		return t, nil
	}
	if t.opener, err = newOpener(c, jobs); err != nil {
		return nil, errors.Join(err, t.broker.stop(ctx))
	}
	settings := c.Terminal
	settings.URL, settings.Certificate = t.broker.url, shownTo(c)
	parts := terminal.Parts{
		Dialects: spoken, Records: observedRecords{jobs.queue, states}, Devices: jobs.ledger.Devices, Commands: jobs.ledger.Commands, Envelopes: t.opener,
		Routes: routes(c.Webhook), Zone: dialects.Zones(c.Dialects), Composer: composer, BrokerReportsDrops: t.broker.child != nil, Node: jobs.node, Certified: identities.authority.Certified, Tracer: jobs.tracer, Log: log, Registerer: metrics,
	}
	if child := t.broker.child; child != nil {
		parts.ClientSecret = child.ClientSecret()
		if child.HasFormerSession() {
			parts.FormerSessionEmptied = child.FormerSessionEmptied
		}
	}
	t.bridge, err = terminal.New(ctx, settings, parts)
	if err != nil {
		return nil, errors.Join(err, t.broker.stop(ctx))
	}
	return t, nil
}

// routes returns the sinks of a record: the MQTT topic, and the webhook where its filter matches.
func routes(hook webhook.Config) func(*edgelens.Record) []edgelens.Route {
	return func(r *edgelens.Record) []edgelens.Route {
		all := []edgelens.Route{{Sink: terminal.EventsSink}}
		if wanted, image := hook.Wants(r); wanted {
			all = append(all, edgelens.Route{Sink: webhook.Sink, Image: image})
		}
		return all
	}
}

// linksTo returns the URL of a result's image, for as long as images are kept; nil where they are not.
func linksTo(c *config.Config) func(result string) string {
	if !c.Ledger.KeepImages {
		return nil
	}
	base := c.PublicURL
	if base == "" {
		base = c.HTTP.Scheme() + "://" + c.HTTP.Listen
	}
	return func(result string) string { return base + "/api/results/" + result + "/image" }
}

// start starts the bridge and the delivery of events.
func (t *terminals) start() error {
	var sinks []notify.Sink
	if t.bridge != nil {
		if err := t.bridge.Start(); err != nil {
			return err
		}
		t.started = true
		sinks = append(sinks, t.bridge.Events())
	}
	sinks = append(sinks, t.hook)
	t.dispatching = true
	t.dispatcher.Start(sinks...)
	return nil
}

// stop ends delivery, the bridge and the broker, in this order.
func (t *terminals) stop(ctx context.Context) error {
	var errs []error
	if t.dispatching {
		t.dispatcher.Stop()
	}
	t.hook.Close()
	if t.started {
		errs = append(errs, t.bridge.Stop(ctx))
	}
	return errors.Join(append(errs, t.broker.stop(ctx))...)
}

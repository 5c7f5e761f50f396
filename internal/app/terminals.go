package app

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/internal/config"
	"edgelens/internal/ledger"
	"edgelens/internal/notify"
	"edgelens/internal/notify/event"
	"edgelens/internal/notify/webhook"
	"edgelens/internal/telemetry"
	"edgelens/terminal"
	"edgelens/terminal/dialects"
	"edgelens/worker"
)

// terminals is the MQTT bridge with its broker, and who is told of what comes in.
type terminals struct {
	broker     broker
	bridge     *terminal.Bridge // nil without a broker
	hook       *webhook.Webhook
	dispatcher *notify.Dispatcher
	// told is set once somebody may be told: Stop must follow Start.
	started, told bool
}

// newTerminals starts the private broker if there is to be one, and fits the
// face to jobs. Nothing is heard yet.
func newTerminals(ctx context.Context, c *config.Config, jobs *jobs, log *slog.Logger, metrics *prometheus.Registry) (*terminals, error) {
	t := &terminals{}
	composer := event.Composer{Fresh: c.Terminal.Fresh, Link: linksTo(c)}
	var err error
	if t.hook, err = webhook.New(c.Webhook, composer, jobs.ledger); err != nil {
		return nil, err
	}
	if t.dispatcher, err = notify.New(jobs.ledger, notify.DefaultConfig(), log, metrics); err != nil {
		return nil, err
	}
	telemetry.RegisterOutbox(metrics, func() map[string]telemetry.OutboxStats { return outboxStats(jobs.ledger, log) })
	spoken := dialects.New(c.Dialects)
	if t.broker, err = newBroker(ctx, c, spoken, log); err != nil {
		return nil, err
	}
	if t.broker.url == "" {
		return t, nil
	}
	settings := c.Terminal
	settings.URL = t.broker.url
	parts := terminal.Parts{
		Dialects: spoken, Records: intake{jobs.ledger, jobs.queue, c.Jobs.JobTimeout}, Devices: jobs.ledger, Commands: jobs.ledger,
		Routes: routes(c.Webhook), Zone: dialects.Zones(c.Dialects), Composer: composer, BrokerReportsDrops: t.broker.child != nil, Node: jobs.node, Log: log, Registerer: metrics,
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

// routes says who is told of a record: everybody on the broker, and the webhook
// of what it wants.
func routes(hook webhook.Config) func(*edgelens.Record) []edgelens.Route {
	return func(r *edgelens.Record) []edgelens.Route {
		all := []edgelens.Route{{Sink: terminal.EventsSink}}
		if told, image := hook.Wants(r); told {
			all = append(all, edgelens.Route{Sink: webhook.Sink, Image: image})
		}
		return all
	}
}

// linksTo returns where a result's image is, for as long as images are kept;
// nil where they are not.
func linksTo(c *config.Config) func(result string) string {
	if !c.Ledger.KeepImages {
		return nil
	}
	base := c.PublicURL
	if base == "" {
		base = "http://" + c.HTTP.Listen
	}
	return func(result string) string { return base + "/api/results/" + result + "/image" }
}

// start begins to hear and to tell.
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
	t.told = true
	t.dispatcher.Start(sinks...)
	return nil
}

// stop ends telling, hearing and the broker, in this order.
func (t *terminals) stop(ctx context.Context) error {
	var errs []error
	if t.told {
		t.dispatcher.Stop()
	}
	t.hook.Close()
	if t.started {
		errs = append(errs, t.bridge.Stop(ctx))
	}
	return errors.Join(append(errs, t.broker.stop(ctx))...)
}

// intake fits ledger and queue into the port of package terminal.
type intake struct {
	ledger  *ledger.Ledger
	queue   *worker.Queue
	timeout time.Duration // of a job
}

func (i intake) Receive(ctx context.Context, r edgelens.Reception) (existing bool, err error) {
	r.Job.Deadline = time.Now().Add(i.timeout)
	job, existing, err := i.ledger.Receive(ctx, r)
	if err == nil && job.ID != "" {
		i.queue.Dispatch(ctx, job)
	}
	return existing, err
}

// outboxStats measures the outbox for a scrape.
func outboxStats(l *ledger.Ledger, log *slog.Logger) map[string]telemetry.OutboxStats {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	stats, err := l.OutboxStats(ctx)
	if err != nil {
		log.Warn("measure the outbox", "error", err)
		return nil
	}
	// With a 0 where nothing waits: alarms want a number.
	all := map[string]telemetry.OutboxStats{terminal.EventsSink: {}, webhook.Sink: {}}
	for sink, s := range stats {
		all[sink] = telemetry.OutboxStats(s)
	}
	return all
}

package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"edgelens"
	"edgelens/identity/signing"
	"edgelens/internal/certificate"
	"edgelens/internal/config"
	"edgelens/internal/control"
	"edgelens/internal/datadir"
	"edgelens/internal/telemetry"
	"edgelens/learn/federation"
	"edgelens/learn/federation/coordinator"
)

// coordinatorFolder is the folder of the data folder with a coordinator's state.
const coordinatorFolder = "coordinator"

// CoordinatorOptions are how a coordinator runs.
type CoordinatorOptions struct {
	// Listen is its address, host:port, and StatusListen that of health and metrics; empty for none.
	Listen, StatusListen string
	// TLS are the files of the certificate; none serves plain HTTP.
	TLS certificate.Files
	// Definition is that of the federation; one without a head continues what is in the data folder.
	Definition federation.Definition
	// Started is called with the address once it listens; nil for nothing.
	Started func(address string)
}

// Coordinate runs the coordinator of a federation until ctx ends or a part fails.
func Coordinate(ctx context.Context, c *config.Config, version string, logs io.Writer, options CoordinatorOptions) (err error) {
	metrics := telemetry.NewRegistry(version)
	log, endLog := openLog(c.Log, logs, metrics)
	defer endLog()
	if err := datadir.Make(c.DataDir); err != nil {
		return err
	}
	if running, err := control.Connect(ctx, c.DataDir); err == nil {
		running.Close()
		return fmt.Errorf("%w; give the coordinator a data folder of its own by --data-dir", edgelens.ErrInUse)
	}
	signer, err := openSigner(c, log, metrics)
	if err != nil {
		return err
	}
	party := signing.Party{Node: signer}
	opened, err := coordinator.Open(coordinator.Parts{Folder: filepath.Join(c.DataDir, coordinatorFolder), Keys: party, Log: log, Registerer: metrics}, options.Definition)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	return serveCoordinator(ctx, c, options, &coordinating{opened, party}, metrics, log)
}

// serveCoordinator serves nodes and commands until ctx ends or a part fails.
func serveCoordinator(ctx context.Context, c *config.Config, options CoordinatorOptions, of *coordinating, metrics *prometheus.Registry, log *slog.Logger) error {
	server := &http.Server{
		Handler: of.Handler(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 5 * time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	readiness, scheme := telemetry.NewReadiness(), "http"
	if options.TLS.IsSet() {
		follower, err := certificate.Follow(options.TLS, "--tls", log)
		if err != nil {
			return err
		}
		server.TLSConfig, scheme = follower.Config(), "https"
		readiness.AddCheck(func() []edgelens.Condition { return follower.Conditions("certificate") })
	}
	mux := http.NewServeMux()
	control.AddFederation(mux, of)
	commands, err := control.Listen(c.DataDir, mux, log)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", options.Listen)
	if err != nil {
		return errors.Join(fmt.Errorf("listen on %s: %w; choose another --listen", options.Listen, err), CloseWithin(StopTimeout, commands.Close))
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { of.Run(ctx); return nil })
	group.Go(commands.Serve)
	group.Go(func() error {
		serve := server.Serve
		if scheme == "https" {
			serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
		}
		if err := serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve nodes: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		return errors.Join(CloseWithin(responseTimeout, server.Shutdown), CloseWithin(StopTimeout, commands.Close))
	})
	if options.StatusListen != "" {
		if _, err := serveStatus(ctx, group, options.StatusListen, "--status-listen", readiness, metrics); err != nil {
			group.Go(func() error { return err })
		}
	}
	address := scheme + "://" + listener.Addr().String()
	log.Info("coordinator started", "event", "federation_started", "address", address, "head", of.Status().Definition.Head)
	if options.Started != nil {
		options.Started(address)
	}
	return group.Wait()
}

// coordinating is a coordinator, for commands.
type coordinating struct {
	*coordinator.Coordinator
	party signing.Party
}

// RunFederation implements control.Federation.
func (c *coordinating) RunFederation(_ context.Context, command string, request json.RawMessage) (json.RawMessage, error) {
	switch command {
	case federation.CommandInvite:
		var invite federation.InviteRequest
		if err := readCommand(request, &invite); err != nil {
			return nil, err
		}
		token, expires, err := c.Invite(invite.Node, invite.Within)
		return answerCommand(federation.Invited{Node: invite.Node, Token: token.String(), Expires: expires}, err)
	case federation.CommandRemove:
		var remove federation.NodeRequest
		if err := readCommand(request, &remove); err != nil {
			return nil, err
		}
		return answerCommand(struct{}{}, c.Remove(remove.Node))
	case federation.CommandRounds:
		var limit federation.RoundsRequest
		if err := readCommand(request, &limit); err != nil {
			return nil, err
		}
		return answerCommand(c.Rounds(max(1, limit.Limit)))
	case federation.CommandStatus:
		return statusAnswer(federation.RoleCoordinator, c.Status())
	case federation.CommandReceipts:
		return receiptsAnswer(c.party, c.Receipts)
	}
	return nil, fmt.Errorf("%w: the data folder is that of a coordinator; `edgelens federation %.40s` needs that of a node in --data-dir", edgelens.ErrInvalid, command)
}

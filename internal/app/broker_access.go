package app

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"edgelens"
	"edgelens/identity/pki"
	"edgelens/internal/certificate"
	"edgelens/internal/config"
	"edgelens/internal/supervise"
	"edgelens/terminal/dialect"
)

// brokerAccessInterval is how often it is checked which certificates have expired.
const brokerAccessInterval = time.Minute

// brokerAccess keeps the rules of the private broker in step with the certificates: a device that has one is a user of its id.
// It is safe for use by many goroutines.
type brokerAccess struct {
	config    *config.Config
	spoken    []dialect.Dialect
	authority *pki.Authority
	child     *supervise.Mosquitto
	log       *slog.Logger

	mu sync.Mutex
	// devices are those of the rules in force.
	devices []string
	// failed is set where the last change was not applied, and restart where it needs a restart.
	failed, restart bool
}

// access returns the present rules.
func (b *brokerAccess) access() (supervise.MosquittoAccess, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now()
}

// now is access with the lock held.
func (b *brokerAccess) now() (access supervise.MosquittoAccess, err error) {
	var certified []string
	if b.config.Mosquitto.ClientAuth != supervise.ClientAuthOff {
		certified = b.authority.Devices()
		if access.Authority, err = b.authority.PEM(); err != nil {
			return access, err
		}
		if access.Revocations, err = b.authority.BrokerRevocations(); err != nil {
			return access, err
		}
		access.WithoutPassword = certified
	}
	if access.ACL, err = brokerRules(b.config, b.spoken, certified); err != nil {
		return access, err
	}
	b.devices = certified
	return access, nil
}

// apply has the broker apply the present rules; with restart, it ends all connections, and so those of a device whose
// certificate was revoked.
func (b *brokerAccess) apply(restart bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	access, err := b.now()
	if err == nil {
		err = b.child.SetAccess(access, restart)
	}
	if b.failed = err != nil; b.failed {
		b.restart = b.restart || restart
		b.log.Error("the broker does not have the new rules of certificates, trying again", "event", "broker_rules_failed", "error", err)
		return
	}
	b.restart = false
	b.log.Info("the broker has new rules", "event", "broker_rules", "certificates", len(b.devices), "restart", restart)
}

// run applies what could not be applied, and ends the connections of devices whose certificates have expired, until ctx ends.
func (b *brokerAccess) run(ctx context.Context) {
	tick := time.NewTicker(brokerAccessInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if due, restart := b.due(); due {
			b.apply(restart)
		}
	}
}

// due reports whether the rules in force are not the present ones, and whether a device has lost its own.
func (b *brokerAccess) due() (due, restart bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	devices := b.authority.Devices()
	lost := slices.ContainsFunc(b.devices, func(d string) bool { return !slices.Contains(devices, d) })
	return b.failed || lost, b.restart || lost
}

// checkClientAuth checks what the settings about certificates of clients need.
func checkClientAuth(c *config.Config, identities *identities) error {
	mode := c.Mosquitto.ClientAuth
	problem := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", edgelens.ErrInvalid, fmt.Sprintf(format, args...))
	}
	switch {
	case c.Terminal.Certificate.IsSet() && c.Terminal.URL == "":
		return problem("mqtt.tls.client_cert is for the broker of mqtt.url, which is not set; remove it, or set mqtt.tls.cert for the private broker")
	case c.Terminal.RequireCertificate && !identities.authority.Exists():
		return problem("terminal.require_certificate is set, and there is no certificate authority; `edgelens ca init` makes one")
	case c.Terminal.RequireCertificate && c.Terminal.URL == "" && mode == supervise.ClientAuthOff:
		return problem("terminal.require_certificate is set, and the private broker asks for no certificates: set mqtt.tls.client_auth to %s or %s", supervise.ClientAuthRequire, supervise.ClientAuthOptional)
	case mode == supervise.ClientAuthOff:
		return nil
	case c.Terminal.URL != "":
		return problem("mqtt.tls.client_auth is for the private broker, and mqtt.url names another, which must demand the certificates itself; remove one of them")
	case !identities.authority.Exists():
		return problem("mqtt.tls.client_auth is %s, and there is no certificate authority; `edgelens ca init` makes one", mode)
	case !c.Mosquitto.TLS.IsSet():
		return problem("mqtt.tls.client_auth is %s, and needs TLS: set mqtt.tls.cert and mqtt.tls.key, which `edgelens ca show` names", mode)
	case mode == supervise.ClientAuthOptional && c.Mosquitto.PasswordFile == "":
		return problem("mqtt.tls.client_auth is %s, and without mqtt.password_file any client could take the name of a device that has a certificate; set it, or %s", mode, supervise.ClientAuthRequire)
	}
	return nil
}

// shownTo returns our own certificate for a broker that mqtt.url names; none for the private one.
func shownTo(c *config.Config) certificate.Files {
	if c.Terminal.URL == "" {
		return certificate.Files{}
	}
	return c.Terminal.Certificate
}

func distinct(names []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

package pki

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"edgelens"
	"edgelens/identity/keys"
	"edgelens/internal/atomicfile"
)

const (
	// nodeValidity is the validity of this node's certificate, and renewNodeBefore how long before its end it is renewed.
	nodeValidity    = 90 * 24 * time.Hour
	renewNodeBefore = 30 * 24 * time.Hour
	// maxHosts bounds the names and addresses in a node's certificate.
	maxHosts = 100
	// keepExpired is how long expired certificates stay in the register.
	keepExpired = 365 * 24 * time.Hour
	// maintainEvery is how often Run looks.
	maintainEvery = time.Hour
)

// nodeName is the name of a node in its certificate.
func nodeName(node string) string { return reserved + "-" + node }

// NodeCertificate returns this node's certificate; edgelens.ErrNotFound where there is none.
func (a *Authority) NodeCertificate() (*x509.Certificate, error) {
	return readCertificate(a.path(NodeCertificateFile))
}

// Run renews this node's certificate and the revocation list in time, and removes what expired long ago, until ctx ends.
func (a *Authority) Run(ctx context.Context) {
	tick := time.NewTicker(maintainEvery)
	defer tick.Stop()
	for {
		if a.Exists() {
			a.Maintain(ctx)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Maintain does once what Run does. There must be an authority.
func (a *Authority) Maintain(ctx context.Context) {
	a.issuing.Lock()
	defer a.issuing.Unlock()
	if reason := a.nodeDue(); reason != "" {
		a.parts.Log.Info("renewing the certificate of this node", "event", "node_certificate_due", "reason", reason)
		if err := a.renewNode(ctx, nil); err != nil {
			a.parts.Log.Error("renewing the certificate of this node failed, trying again in an hour", "event", "node_certificate_failed", "error", err)
		}
	}
	if _, err := a.Revocations(); err != nil {
		a.parts.Log.Error("making the revocation list failed, trying again in an hour", "event", "revocations_failed", "error", err)
	}
	before := a.parts.Now().Add(-keepExpired)
	if err := a.parts.Store.RemoveExpired(ctx, before); err != nil {
		a.parts.Log.Warn("removing expired certificates failed", "error", err)
		return
	}
	a.mu.Lock()
	a.register.removeExpired(before)
	a.mu.Unlock()
}

// nodeDue returns why this node needs another certificate; "" if it does not.
func (a *Authority) nodeDue() string {
	present, err := a.NodeCertificate()
	switch {
	case err != nil:
		return "there is none that can be used"
	case present.CheckSignatureFrom(a.mustCertificate()) != nil:
		return "it is of another authority"
	case a.parts.Now().Add(renewNodeBefore).After(present.NotAfter):
		return "it expires on " + present.NotAfter.Format(time.DateOnly)
	}
	for _, host := range a.parts.Hosts() {
		if !slices.Contains(hostsOf(present), host) {
			return "this machine has the new name or address " + host
		}
	}
	return ""
}

// mustCertificate returns the authority's certificate, where there is one.
func (a *Authority) mustCertificate() *x509.Certificate {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.certificate
}

// renewNode issues a certificate for this node, whose key stays, also for further names and addresses. The former ones stay
// in it: an operator may have added some. issuing must be held.
func (a *Authority) renewNode(ctx context.Context, further []string) error {
	key, err := keys.LoadOrNew(a.path(NodeKeyFile))
	if err != nil {
		return err
	}
	hosts := append(slices.Clone(further), a.parts.Hosts()...)
	present, err := a.NodeCertificate()
	switch {
	case err == nil:
		hosts = append(hosts, hostsOf(present)...)
	case !errors.Is(err, edgelens.ErrNotFound):
		a.parts.Log.Warn("the certificate of this node cannot be read, and is replaced", "error", err)
	}
	hosts = distinct(hosts)
	issued, err := a.issue(ctx, subject{
		kind: edgelens.CertificateOfNode, name: nodeName(a.parts.Node), key: &key.PublicKey, validity: nodeValidity, hosts: hosts[:min(len(hosts), maxHosts)],
	}, nil)
	if err != nil {
		return err
	}
	chain, err := a.Chain(issued)
	if err != nil {
		return err
	}
	if err := atomicfile.Write(a.path(NodeCertificateFile), chain, 0o644); err != nil {
		return fmt.Errorf("write the certificate of this node: %w: %w", edgelens.ErrStorage, err)
	}
	return nil
}

// checkHosts returns an edgelens.ErrInvalid for what is neither a host name nor an address.
func checkHosts(hosts []string) error {
	for _, host := range hosts {
		if host == "" || net.ParseIP(host) == nil && strings.ContainsAny(host, "/: \t\r\n\"*") {
			return fmt.Errorf("%w: %q is neither a host name nor an address; give it without https:// and port", edgelens.ErrInvalid, host)
		}
	}
	return nil
}

// hostsOf returns the names and addresses in a certificate.
func hostsOf(c *x509.Certificate) []string {
	hosts := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		hosts = append(hosts, ip.String())
	}
	return hosts
}

// distinct returns names in order, once each.
func distinct(names []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

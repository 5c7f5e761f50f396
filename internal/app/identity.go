package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"edgelens"
	"edgelens/identity/pki"
	"edgelens/internal/certificate"
	"edgelens/internal/config"
	"edgelens/internal/control"
	"edgelens/internal/ledger"
)

// identityFolder is the folder of the data folder with the keys and certificates of the authority and this node.
const identityFolder = "identity"

// identities is the certificate authority of the data folder, for commands and for HTTP.
type identities struct {
	authority *pki.Authority
	folder    string
	// broker is kept in step with the certificates, once there is one.
	broker atomic.Pointer[brokerAccess]
}

// openIdentities opens the authority of the data folder.
func openIdentities(ctx context.Context, c *config.Config, l *ledger.Ledger, log *slog.Logger) (*identities, error) {
	node, err := nodeName(c.DataDir)
	if err != nil {
		return nil, err
	}
	i := &identities{folder: filepath.Join(c.DataDir, identityFolder)}
	i.authority, err = pki.Open(ctx, pki.Parts{Folder: i.folder, Store: l.Certificates, Node: node, Hosts: certificate.Hosts, Log: log, Changed: i.changed})
	if err != nil {
		return nil, fmt.Errorf("open the certificate authority: %w", err)
	}
	return i, nil
}

// changed applies a change of certificates to the broker.
func (i *identities) changed(revoked bool) {
	if broker := i.broker.Load(); broker != nil {
		broker.apply(revoked)
	}
}

// run renews what expires, until ctx ends.
func (i *identities) run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	if broker := i.broker.Load(); broker != nil {
		running.Go(func() { broker.run(ctx) })
	}
	i.authority.Run(ctx)
}

// CreateAuthority implements control.Certificates.
func (i *identities) CreateAuthority(ctx context.Context, wanted control.NewAuthority) (control.Authority, error) {
	if err := i.authority.Create(ctx, wanted.Name, wanted.Hosts); err != nil {
		return control.Authority{}, err
	}
	return i.Authority(ctx)
}

// Authority implements control.Certificates.
func (i *identities) Authority(context.Context) (control.Authority, error) {
	root, err := i.authority.Certificate()
	if err != nil {
		return control.Authority{}, err
	}
	text, err := i.authority.PEM()
	if err != nil {
		return control.Authority{}, err
	}
	found := control.Authority{
		Name: root.Subject.CommonName, PEM: string(text), SHA256: certificate.Fingerprint(text), NotBefore: root.NotBefore, NotAfter: root.NotAfter,
		NodeCertificate: filepath.Join(i.folder, pki.NodeCertificateFile), NodeKey: filepath.Join(i.folder, pki.NodeKeyFile),
	}
	node, err := i.authority.NodeCertificate()
	if err != nil {
		return control.Authority{}, err
	}
	found.NodeExpires, found.Hosts = node.NotAfter, node.DNSNames
	for _, address := range node.IPAddresses {
		found.Hosts = append(found.Hosts, address.String())
	}
	return found, nil
}

// Certificates implements control.Certificates.
func (i *identities) Certificates(context.Context) ([]control.Certificate, error) {
	return certificateForms(i.authority.Certificates()), nil
}

func certificateForms(list []edgelens.Certificate) []control.Certificate {
	now, forms := time.Now(), make([]control.Certificate, 0, len(list))
	for _, c := range list {
		forms = append(forms, control.NewCertificate(c, now))
	}
	return forms
}

// Enroll implements control.Certificates.
func (i *identities) Enroll(ctx context.Context, request control.EnrolmentRequest) (control.IssuedCertificate, error) {
	enroll := i.authority.Enroll
	if request.Renew {
		enroll = i.authority.Renew
	}
	issued, err := enroll(ctx, request.Device, []byte(request.CSR), request.Validity)
	if err != nil {
		return control.IssuedCertificate{}, err
	}
	chain, err := i.authority.Chain(issued)
	return control.IssuedCertificate{Certificate: control.NewCertificate(issued, time.Now()), Chain: string(chain)}, err
}

// NewEnrolmentToken implements control.Certificates.
func (i *identities) NewEnrolmentToken(ctx context.Context, request control.TokenRequest) (control.EnrolmentToken, error) {
	token, expires, err := i.authority.NewToken(ctx, request.Device, request.Within, request.Validity)
	return control.EnrolmentToken{Token: token, Expires: expires}, err
}

// RevokeDevice implements control.Certificates.
func (i *identities) RevokeDevice(ctx context.Context, device string) ([]control.Certificate, error) {
	revoked, err := i.authority.Revoke(ctx, device)
	return certificateForms(revoked), err
}

// UseCertificates calls do with the certificates of the data folder: those of the service that uses it, or, where none runs, of
// its ledger. Warnings go to logs.
func UseCertificates(ctx context.Context, c *config.Config, logs io.Writer, do func(control.Certificates) error) error {
	return useDataFolder(ctx, c, logs,
		func(client *control.Client) error { return do(client) },
		func(l *ledger.Ledger, log *slog.Logger) error {
			opened, err := openIdentities(ctx, c, l, log)
			if err != nil {
				return fmt.Errorf("use the certificates of %s: %w", c.DataDir, err)
			}
			return do(opened)
		})
}

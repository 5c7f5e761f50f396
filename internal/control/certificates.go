package control

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"edgelens"
)

// Authority is the certificate authority of a site.
type Authority struct {
	Name string `json:"name"`
	// PEM is its certificate, and SHA256 the fingerprint in hexadecimal bytes with colons.
	PEM       string    `json:"pem"`
	SHA256    string    `json:"sha256"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	// NodeCertificate and NodeKey are the files of this node's certificate and its key, Expires when it does.
	NodeCertificate string    `json:"node_certificate"`
	NodeKey         string    `json:"node_key"`
	NodeExpires     time.Time `json:"node_expires"`
	// Hosts are the names and addresses in it.
	Hosts []string `json:"hosts"`
}

// NewAuthority describes an authority that is to be made: its name, and further names and addresses of this node.
type NewAuthority struct {
	Name  string   `json:"name"`
	Hosts []string `json:"hosts,omitempty"`
}

// EnrolmentRequest asks for a device's certificate; Validity 0 means the usual one.
type EnrolmentRequest struct {
	Device string `json:"device"`
	// CSR is the certificate signing request in PEM.
	CSR      string        `json:"csr,omitempty"`
	Validity time.Duration `json:"validity,omitempty"`
	// Renew asks for another certificate of a device that has one.
	Renew bool `json:"renew,omitempty"`
}

// TokenRequest asks for a token by which a device enrolls itself, within that time.
type TokenRequest struct {
	Device   string        `json:"device"`
	Within   time.Duration `json:"within"`
	Validity time.Duration `json:"validity,omitempty"`
}

// EnrolmentToken is the token, which is shown once.
type EnrolmentToken struct {
	Token   string    `json:"token"`
	Expires time.Time `json:"expires"`
}

// Certificate is the form of an edgelens.Certificate, which `edgelens device list --json` prints, too.
type Certificate struct {
	Serial    string                    `json:"serial"`
	Kind      edgelens.CertificateKind  `json:"kind"`
	Name      string                    `json:"name"`
	State     edgelens.CertificateState `json:"state"`
	KeyID     string                    `json:"key_id"`
	SHA256    string                    `json:"sha256"`
	Issued    time.Time                 `json:"issued"`
	NotBefore time.Time                 `json:"not_before"`
	NotAfter  time.Time                 `json:"not_after"`
	Revoked   time.Time                 `json:"revoked,omitzero"`
}

// NewCertificate returns the form of a certificate, with its state at that time.
func NewCertificate(c edgelens.Certificate, now time.Time) Certificate {
	return Certificate{
		Serial: c.Serial, Kind: c.Kind, Name: c.Name, State: c.State(now), KeyID: c.KeyID, SHA256: c.SHA256,
		Issued: c.Issued, NotBefore: c.NotBefore, NotAfter: c.NotAfter, Revoked: c.Revoked,
	}
}

// IssuedCertificate is a certificate with its chain in PEM.
type IssuedCertificate struct {
	Certificate Certificate `json:"certificate"`
	Chain       string      `json:"chain"`
}

// Certificates issues and revokes certificates: the service's authority, or a Client.
type Certificates interface {
	CreateAuthority(ctx context.Context, wanted NewAuthority) (Authority, error)
	Authority(ctx context.Context) (Authority, error)
	Certificates(ctx context.Context) ([]Certificate, error)
	Enroll(ctx context.Context, request EnrolmentRequest) (IssuedCertificate, error)
	NewEnrolmentToken(ctx context.Context, request TokenRequest) (EnrolmentToken, error)
	// RevokeDevice ends the certificates of a device, and returns them.
	RevokeDevice(ctx context.Context, device string) ([]Certificate, error)
}

// AddCertificates adds the handlers for certificates.
func AddCertificates(mux *http.ServeMux, of Certificates) {
	mux.HandleFunc("GET /ca", handle(func(r *http.Request) (any, error) { return of.Authority(r.Context()) }))
	mux.HandleFunc("POST /ca", handle(func(r *http.Request) (any, error) {
		var wanted NewAuthority
		if err := read(r, &wanted); err != nil {
			return nil, err
		}
		return of.CreateAuthority(r.Context(), wanted)
	}))
	mux.HandleFunc("GET /certificates", handle(func(r *http.Request) (any, error) { return of.Certificates(r.Context()) }))
	mux.HandleFunc("POST /certificates", handle(func(r *http.Request) (any, error) {
		var request EnrolmentRequest
		if err := read(r, &request); err != nil {
			return nil, err
		}
		return of.Enroll(r.Context(), request)
	}))
	mux.HandleFunc("POST /certificates/tokens", handle(func(r *http.Request) (any, error) {
		var request TokenRequest
		if err := read(r, &request); err != nil {
			return nil, err
		}
		return of.NewEnrolmentToken(r.Context(), request)
	}))
	mux.HandleFunc("DELETE /certificates/{device}", handle(func(r *http.Request) (any, error) {
		return of.RevokeDevice(r.Context(), r.PathValue("device"))
	}))
}

// CreateAuthority implements Certificates.
func (c *Client) CreateAuthority(ctx context.Context, wanted NewAuthority) (made Authority, err error) {
	err = c.call(ctx, http.MethodPost, "/ca", wanted, &made)
	return made, err
}

// Authority implements Certificates.
func (c *Client) Authority(ctx context.Context) (found Authority, err error) {
	err = c.call(ctx, http.MethodGet, "/ca", nil, &found)
	return found, err
}

// Certificates implements Certificates.
func (c *Client) Certificates(ctx context.Context) (list []Certificate, err error) {
	err = c.call(ctx, http.MethodGet, "/certificates", nil, &list)
	return list, err
}

// Enroll implements Certificates.
func (c *Client) Enroll(ctx context.Context, request EnrolmentRequest) (issued IssuedCertificate, err error) {
	err = c.call(ctx, http.MethodPost, "/certificates", request, &issued)
	return issued, err
}

// NewEnrolmentToken implements Certificates.
func (c *Client) NewEnrolmentToken(ctx context.Context, request TokenRequest) (token EnrolmentToken, err error) {
	err = c.call(ctx, http.MethodPost, "/certificates/tokens", request, &token)
	return token, err
}

// RevokeDevice implements Certificates.
func (c *Client) RevokeDevice(ctx context.Context, device string) (revoked []Certificate, err error) {
	err = c.call(ctx, http.MethodDelete, "/certificates/"+url.PathEscape(device), nil, &revoked)
	return revoked, err
}

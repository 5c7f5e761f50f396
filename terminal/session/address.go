package session

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"sync"
	"time"

	"edgelens/internal/certificate"
)

// writePart is the number of bytes that must be written within the write timeout: fewer
// are no progress.
const writePart = 64 << 10

// An Address is the address of a broker with the login.
type Address struct {
	network, at        string
	tls                *tls.Config
	username, password string
	shown              string
}

// ParseAddress parses the URL of a broker: mqtt:// or tcp:// (default port 1883),
// mqtts://, ssl:// or tls:// (8883), or unix:///path; with user:password@ in front of
// the host where the broker requires a login. caFile is a PEM file of the certificates
// that are trusted for a broker with TLS; "" trusts those of this machine.
func ParseAddress(text, caFile string) (Address, error) {
	u, err := url.Parse(text)
	if err != nil {
		return Address{}, errors.New("is not a URL such as mqtt://host:1883") // the error would repeat a password
	}
	a := Address{network: "tcp", username: u.User.Username()}
	a.password, _ = u.User.Password()
	u.User = nil
	a.shown = u.String()
	port := "1883"
	switch u.Scheme {
	case "mqtt", "tcp":
	case "mqtts", "ssl", "tls":
		port, a.tls = "8883", &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
	case "unix":
		a.network, a.at = "unix", u.Path
		if u.Path == "" || u.Host != "" {
			return Address{}, errors.New("must have three slashes for a socket: unix:///path")
		}
		return a, nil
	default:
		return Address{}, fmt.Errorf("must begin with mqtt://, mqtts:// or unix://, not %q", u.Scheme+"://")
	}
	if u.Hostname() == "" || u.Path != "" && u.Path != "/" {
		return Address{}, errors.New("must have a host, and nothing after it but a port: mqtt://host:1883")
	}
	if u.Port() != "" {
		port = u.Port()
	}
	a.at = net.JoinHostPort(u.Hostname(), port)
	if a.tls != nil && caFile != "" {
		if a.tls.RootCAs, err = readCertificates(caFile); err != nil {
			return Address{}, err
		}
	}
	return a, nil
}

func readCertificates(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("cannot be trusted: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("cannot be trusted: %s has no certificate in PEM", file)
	}
	return pool, nil
}

// WithCertificate returns the same address, where we identify ourselves by a certificate; the zero Files is none. The files are
// read at each connect, so that they can be replaced meanwhile. The error is for a broker without TLS, and for files that cannot
// be used.
func (a Address) WithCertificate(files certificate.Files) (Address, error) {
	if !files.IsSet() {
		return a, nil
	}
	if a.tls == nil {
		return Address{}, errors.New("is not one of TLS (mqtts://), so that no certificate can be shown")
	}
	if _, err := files.Load(); err != nil {
		return Address{}, fmt.Errorf("cannot be used with a certificate: %w", err)
	}
	a.tls = a.tls.Clone()
	a.tls.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return files.Load() }
	return a, nil
}

// String returns the URL without user and password.
func (a Address) String() string { return a.shown }

// dial connects, including the TLS handshake.
func (a Address) dial(ctx context.Context, limits limits) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, limits.dial)
	defer cancel()
	if a.tls != nil {
		dialer := tls.Dialer{Config: a.tls}
		conn, err := dialer.DialContext(ctx, a.network, a.at)
		if err != nil {
			return nil, err
		}
		return &deadlineConn{Conn: conn, timeout: limits.write}, nil
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, a.network, a.at)
	if err != nil {
		return nil, err
	}
	return &deadlineConn{Conn: conn, timeout: limits.write}, nil
}

// deadlineConn fails a write that makes no progress: otherwise that write and all later
// ones would block forever on a broker that hangs. paho locks it around each packet,
// which is written in parts.
type deadlineConn struct {
	net.Conn
	sync.Mutex
	timeout time.Duration
	// broken is the error of a failed write; no write follows it. Guarded by the lock.
	broken error
}

// drainTimeout is how long after a failed write received data is still read: a broker
// that was killed may have acknowledged it to its sender.
const drainTimeout = time.Second

// Write implements net.Conn. It writes in parts, so that a large message on a slow
// connection gets the time that it needs. A failed write is the last one, and the
// connection ends when all is read: paho would go on after a failure with QoS 1, and
// write the next packet after half of this one.
func (c *deadlineConn) Write(b []byte) (int, error) {
	if c.broken != nil {
		return 0, c.broken
	}
	written := 0
	for {
		err := c.SetWriteDeadline(time.Now().Add(c.timeout))
		if err == nil {
			var n int
			n, err = c.Conn.Write(b[written:min(written+writePart, len(b))])
			written += n
		}
		if err != nil {
			c.broken = err
			if c.SetReadDeadline(time.Now().Add(drainTimeout)) != nil {
				_ = c.Close() // the reader gets the error
			}
			return written, err
		}
		if written == len(b) {
			return written, nil
		}
	}
}

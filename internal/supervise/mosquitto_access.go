package supervise

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"edgelens"
	"edgelens/internal/atomicfile"
)

// MosquittoAccess is what the clients of a private mosquitto may do. Unlike the MosquittoConfig, it can change while it runs.
type MosquittoAccess struct {
	// ACL is a mosquitto ACL file for its users; "" allows all clients everything.
	ACL string
	// Authority has the certificate that clients' certificates are signed by, and Revocations the list of those that are revoked,
	// both in PEM; for ClientAuthOptional and ClientAuthRequire.
	Authority, Revocations []byte
	// WithoutPassword are users whose password is ignored, since they have certificates.
	WithoutPassword []string
}

// SetAccess has mosquitto apply other rules from now on, to clients that are connected, too. With restart, all clients are
// disconnected, so that one whose certificate was revoked is: mosquitto looks at the revocation list when a client connects, and
// lets it resume an earlier TLS session without. Sessions and queued messages survive that. The error wraps ErrDiskFull,
// ErrStorage or ErrInvalid, and then the rules before it stay.
func (m *Mosquitto) SetAccess(access MosquittoAccess, restart bool) error {
	m.files.mu.Lock()
	defer m.files.mu.Unlock()
	if _, err := m.files.access(m.config, access); err != nil {
		return fmt.Errorf("change the rules of mosquitto: %w", cannotWrite(err))
	}
	if restart {
		m.Restart()
	} else {
		m.Signal(syscall.SIGHUP)
	}
	return nil
}

// The files of a MosquittoAccess.
func (f *mosquittoFiles) authority() string   { return filepath.Join(f.dir, "clients-ca.pem") }
func (f *mosquittoFiles) revocations() string { return filepath.Join(f.dir, "clients-revoked.pem") }

// access writes the files for authentication and the ACL, and returns the lines about them. They hold for all listeners: with
// settings for each, mosquitto 2.0 loses the listener of a stored session, and drops its messages until its client reconnects
// (measured).
func (f *mosquittoFiles) access(config MosquittoConfig, access MosquittoAccess) (string, error) {
	text := "allow_anonymous true\n"
	if config.PasswordFile != "" {
		path := filepath.Join(f.dir, "passwords")
		if err := f.writePasswords(config.PasswordFile, path, access.WithoutPassword); err != nil {
			return "", err
		}
		text = "allow_anonymous false\npassword_file " + path + "\n"
	}
	if config.ClientAuth != ClientAuthOff {
		if len(access.Authority) == 0 || len(access.Revocations) == 0 {
			return "", fmt.Errorf("%w: tls.client_auth needs an authority and its revocation list", edgelens.ErrInvalid)
		}
		err := errors.Join(atomicfile.Write(f.authority(), access.Authority, 0o600), atomicfile.Write(f.revocations(), access.Revocations, 0o600))
		if err != nil {
			return "", err
		}
	}
	if access.ACL != "" {
		path := filepath.Join(f.dir, "acl")
		if err := atomicfile.Write(path, []byte(access.ACL+f.user.rule()), 0o600); err != nil {
			return "", err
		}
		text += "acl_file " + path + "\n"
	}
	return text, nil
}

// writePasswords copies a password file without the lines of some users, and adds our own user.
func (f *mosquittoFiles) writePasswords(from, to string, without []string) error {
	passwords, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if f.ownPassword == "" { // once: its salt is random
		if f.ownPassword, err = f.user.passwordLine(); err != nil {
			return err
		}
	}
	var kept bytes.Buffer
	for line := range strings.Lines(string(passwords)) {
		if name, _, _ := strings.Cut(line, ":"); !slices.Contains(without, name) {
			kept.WriteString(line)
		}
	}
	kept.WriteString("\n" + f.ownPassword)
	return atomicfile.Write(to, kept.Bytes(), 0o600)
}

// certificates returns the lines of a listener for clients with certificates: each is the user that its certificate names, and
// has one connection, so that it cannot take over the session of another.
func (f *mosquittoFiles) certificates(encryption string) string {
	return fmt.Sprintf("%scafile %s\ncrlfile %s\nrequire_certificate true\nuse_identity_as_username true\nuse_username_as_clientid true\n", encryption, f.authority(), f.revocations())
}

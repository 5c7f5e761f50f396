// Package certificate reads TLS certificates from files and follows their changes, and makes self-signed ones.
package certificate

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Files name a certificate with the chain behind it, and its private key, both in PEM. The zero value is no
// certificate.
type Files struct {
	Certificate, Key string
}

// IsSet reports whether there is to be a certificate.
func (f Files) IsSet() bool { return f.Certificate != "" || f.Key != "" }

// Validate reports all errors at once, each with its setting's name. The zero value is valid.
func (f Files) Validate() error {
	switch {
	case !f.IsSet():
		return nil
	case f.Certificate == "":
		return fmt.Errorf("tls.key is %q, and needs its certificate: set tls.cert, too (`edgelens tls self-signed` makes both)", f.Key)
	case f.Key == "":
		return fmt.Errorf("tls.cert is %q, and needs its private key: set tls.key, too (`edgelens tls self-signed` makes both)", f.Certificate)
	}
	_, err := f.load()
	return err
}

// Absolute returns the same files by absolute paths, for a program that runs in another folder.
func (f Files) Absolute() (Files, error) {
	if !f.IsSet() {
		return f, nil
	}
	var errs [2]error
	f.Certificate, errs[0] = filepath.Abs(f.Certificate)
	f.Key, errs[1] = filepath.Abs(f.Key)
	return f, errors.Join(errs[:]...)
}

// Load reads both. The error names the setting, and what to do.
func (f Files) Load() (*tls.Certificate, error) { return f.load() }

// load reads both. The error names the setting, and what to do.
func (f Files) load() (*tls.Certificate, error) {
	certificate, err := os.ReadFile(f.Certificate)
	if err != nil {
		return nil, fmt.Errorf("tls.cert cannot be read: %w", err)
	}
	if err := isCertificate(certificate); err != nil {
		return nil, fmt.Errorf("tls.cert %s %w", f.Certificate, err)
	}
	key, err := os.ReadFile(f.Key)
	if err != nil {
		return nil, fmt.Errorf("tls.key cannot be read: %w", err)
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil { // in the library's words, which may quote the file
		return nil, fmt.Errorf("tls.key %s is not the private key (PEM, without a passphrase) of the first certificate in %s", f.Key, f.Certificate)
	}
	return &pair, nil
}

// isCertificate checks that a text begins with a certificate in PEM, apart from comments.
func isCertificate(text []byte) error {
	block, _ := pem.Decode(text)
	if block == nil {
		return errors.New("has no certificate in PEM (-----BEGIN CERTIFICATE-----)")
	}
	if block.Type != "CERTIFICATE" {
		return fmt.Errorf("has a %q where the certificate must be", block.Type)
	}
	if _, err := x509.ParseCertificate(block.Bytes); err != nil {
		return errors.New("has a certificate that is damaged")
	}
	return nil
}

// version is what changes when the files do.
type version struct {
	certificate, key stamp
}

type stamp struct {
	modified time.Time
	size     int64
}

func (f Files) version() (version, error) {
	certificate, err := stampOf(f.Certificate)
	if err != nil {
		return version{}, err
	}
	key, err := stampOf(f.Key)
	return version{certificate, key}, err
}

// stampOf follows symbolic links: ACME clients and secrets of Kubernetes replace what they lead to.
func stampOf(path string) (stamp, error) {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}, err
	}
	if info.IsDir() {
		return stamp{}, &fs.PathError{Op: "read", Path: path, Err: errors.New("it is a folder")}
	}
	return stamp{info.ModTime(), info.Size()}, nil
}

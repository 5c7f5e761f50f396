package app

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"edgelens"
	"edgelens/identity/keys"
	"edgelens/identity/pki"
	"edgelens/internal/atomicfile"
	"edgelens/internal/control"
)

// DeviceFiles are the files that EnrollHere writes.
type DeviceFiles struct {
	Key, Certificate, Authority string
	Expires                     time.Time
}

// EnrollHere gets a device's certificate with a key in a folder, which is made if it is missing, and writes it there with that of
// the authority.
func EnrollHere(ctx context.Context, of control.Certificates, request control.EnrolmentRequest, folder string) (DeviceFiles, error) {
	files := DeviceFiles{
		Key: filepath.Join(folder, request.Device+".key"), Certificate: filepath.Join(folder, request.Device+".pem"), Authority: filepath.Join(folder, pki.CertificateFile),
	}
	if err := pki.CheckDevice(request.Device); err != nil { // before it becomes part of a path
		return DeviceFiles{}, err
	}
	authority, err := of.Authority(ctx)
	if err != nil {
		return DeviceFiles{}, err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return DeviceFiles{}, fmt.Errorf("make the folder for the key: %w", err)
	}
	key, err := keys.LoadOrNew(files.Key)
	if err != nil {
		return DeviceFiles{}, err
	}
	csr, err := pki.NewRequest(key, request.Device)
	if err != nil {
		return DeviceFiles{}, err
	}
	request.CSR = string(csr)
	issued, err := of.Enroll(ctx, request)
	if err != nil {
		return DeviceFiles{}, err
	}
	files.Expires = issued.Certificate.NotAfter
	for path, text := range map[string]string{files.Certificate: issued.Chain, files.Authority: authority.PEM} {
		if err := atomicfile.Write(path, []byte(text), 0o644); err != nil {
			return DeviceFiles{}, fmt.Errorf("write the certificate: %w", err)
		}
	}
	return files, nil
}

// ReadRequest reads a certificate signing request from a file, or from stdin where it is "-".
func ReadRequest(file string, stdin io.Reader) ([]byte, error) {
	from := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("read the certificate signing request: %w", err)
		}
		defer f.Close() // read only
		from = f
	}
	text, err := io.ReadAll(io.LimitReader(from, pki.MaxRequest+1))
	if err != nil {
		return nil, fmt.Errorf("read the certificate signing request: %w", err)
	}
	if len(text) > pki.MaxRequest {
		return nil, fmt.Errorf("read the certificate signing request: %w: it has more than %d bytes", edgelens.ErrInvalid, pki.MaxRequest)
	}
	return text, nil
}

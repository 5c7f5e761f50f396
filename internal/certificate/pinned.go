package certificate

import (
	"bytes"
	"crypto/tls"
	"errors"
)

// Pinned returns the configuration of a client that trusts the certificate in the file and no other, whatever its names: for
// programs on the same machine, which reach the service by the loopback interface.
func (f Files) Pinned() (*tls.Config, error) {
	own, err := f.load()
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // #nosec G402 -- VerifyConnection compares the certificate itself
		VerifyConnection: func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 || !bytes.Equal(state.PeerCertificates[0].Raw, own.Certificate[0]) {
				return errors.New("the service has another certificate than the file of http.tls.cert; it reads a new one within seconds")
			}
			return nil
		},
	}, nil
}

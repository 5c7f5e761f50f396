package supervise_test

import (
	"crypto/tls"
	"path/filepath"
	"testing"
	"time"

	"edgelens/internal/certificate"
	"edgelens/internal/supervise"
	"edgelens/internal/testutil"
)

// certificateFor writes a certificate for a name into a folder.
func certificateFor(t *testing.T, folder, name string) certificate.Files {
	t.Helper()
	files, _, err := certificate.SelfSigned{Hosts: []string{name, "127.0.0.1"}, Days: 90, Now: time.Now()}.Write(folder, true)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestMosquittoTLS(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a folder with blanks")
	config := supervise.DefaultMosquittoConfig()
	config.Listen, config.TLS = testutil.FreeAddress(t), certificateFor(t, folder, "old.example")
	if err := config.Validate(); err != nil {
		t.Fatal(err)
	}
	m := startMosquitto(t, t.TempDir(), config, "")

	if out, err := client(t, "mosquitto_pub", config.Listen, "--cafile", config.TLS.Certificate, "-t", "x", "-m", "1"); err != nil {
		t.Errorf("a client that trusts the certificate: %v %s", err, out)
	}
	if out, err := client(t, "mosquitto_pub", config.Listen, "-t", "x", "-m", "1"); err == nil {
		t.Errorf("a client in plain text was accepted: %s", out)
	}

	// The certificate is replaced while it runs, without a restart.
	pid := m.PID()
	certificateFor(t, folder, "new.example")
	testutil.Eventually(t, "the new certificate is presented", func() bool {
		conn, err := tls.Dial("tcp", config.Listen, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // what is presented is what is tested
		if err != nil {
			return false
		}
		defer conn.Close()
		names := conn.ConnectionState().PeerCertificates[0].DNSNames
		return len(names) > 0 && names[0] == "new.example"
	})
	if m.PID() != pid {
		t.Error("mosquitto was restarted")
	}
}

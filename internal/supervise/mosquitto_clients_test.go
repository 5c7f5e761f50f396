package supervise_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgelens/identity/pki/pkitest"
	"edgelens/internal/certificate"
	"edgelens/internal/supervise"
	"edgelens/internal/testutil"
)

// accessOf returns what the clients of a broker may do: each device on its own topics.
func accessOf(t *testing.T, site *pkitest.Site) supervise.MosquittoAccess {
	t.Helper()
	access := supervise.MosquittoAccess{ACL: "# rules\n", WithoutPassword: site.Devices()}
	for _, device := range site.Devices() {
		access.ACL += "user " + device + "\ntopic write up/" + device + "\ntopic read down/" + device + "\n\n"
	}
	var err error
	if access.Authority, err = site.PEM(); err != nil {
		t.Fatal(err)
	}
	if access.Revocations, err = site.BrokerRevocations(); err != nil {
		t.Fatal(err)
	}
	return access
}

// startWithCertificates starts a broker whose clients need certificates.
func startWithCertificates(t *testing.T, site *pkitest.Site, change func(*supervise.MosquittoConfig)) (*supervise.Mosquitto, supervise.MosquittoConfig, *testutil.LogBuffer) {
	t.Helper()
	config := supervise.DefaultMosquittoConfig()
	config.Listen, config.TLS, config.ClientAuth = testutil.FreeAddress(t), site.Node(), supervise.ClientAuthRequire
	if change != nil {
		change(&config)
	}
	log := &testutil.LogBuffer{}
	return startMosquittoWith(t, t.TempDir(), config, accessOf(t, site), log), config, log
}

// as returns the arguments of a client with a certificate.
func as(site *pkitest.Site, files certificate.Files, more ...string) []string {
	return append([]string{"--cafile", site.CAFile(), "--cert", files.Certificate, "--key", files.Key}, more...)
}

// subscriber is a mosquitto_sub that runs.
type subscriber struct {
	t     *testing.T
	out   testutil.LogBuffer
	ended chan struct{}
	stop  context.CancelFunc
}

func subscribe(t *testing.T, address string, args ...string) *subscriber {
	t.Helper()
	program, err := exec.LookPath("mosquitto_sub")
	if err != nil {
		t.Skip("there is no mosquitto_sub; `make setup` installs the clients of mosquitto")
	}
	host, port, _ := strings.Cut(address, ":")
	ctx, stop := context.WithCancel(t.Context())
	s := &subscriber{t: t, ended: make(chan struct{}), stop: stop}
	// It writes lines to a pipe at its end, otherwise.
	cmd := exec.CommandContext(ctx, "stdbuf", append([]string{"-oL", program, "-h", host, "-p", port, "-q", "1", "-d", "-v"}, args...)...)
	cmd.Stdout, cmd.Stderr = &s.out, &s.out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { defer close(s.ended); _ = cmd.Wait() }() // until it is stopped
	t.Cleanup(func() { stop(); <-s.ended })
	testutil.Eventually(t, "it has subscribed", func() bool { return strings.Contains(s.out.String(), "Subscribed") })
	return s
}

func TestMosquittoDemandsCertificates(t *testing.T) {
	site, stranger := pkitest.New(t), pkitest.New(t)
	door, gate, revoked := site.Device("door", 0), site.Device("gate", 0), site.Device("yard", 0)
	if _, err := site.Revoke(t.Context(), "yard"); err != nil {
		t.Fatal(err)
	}
	site.Ahead = -2 * time.Hour
	expired := site.Device("shed", time.Hour)
	site.Ahead = 0
	m, config, log := startWithCertificates(t, site, nil)
	folder := t.TempDir()
	leafOnly := certificate.Files{Certificate: filepath.Join(folder, "leaf.pem"), Key: door.Key}
	chain, err := os.ReadFile(door.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	end := "-----END CERTIFICATE-----\n"
	first, _, _ := strings.Cut(string(chain), end)
	if err := os.WriteFile(leafOnly.Certificate, []byte(first+end), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args []string
		ok   bool
	}{
		"a device":                         {as(site, door), true},
		"the certificate alone":            {as(site, leafOnly), true}, // the broker has the authority
		"none":                             {[]string{"--cafile", site.CAFile()}, false},
		"none, and a user's name":          {[]string{"--cafile", site.CAFile(), "-u", "door", "-P", "x"}, false},
		"one of another authority":         {as(site, stranger.Device("door", 0)), false},
		"a revoked one":                    {as(site, revoked), false},
		"an expired one":                   {as(site, expired), false},
		"the certificate of another's key": {as(site, certificate.Files{Certificate: gate.Certificate, Key: door.Key}), false},
		"in plain text":                    {nil, false},
	} {
		out, err := client(t, "mosquitto_pub", config.Listen, append(test.args, "-q", "1", "-t", "up/door", "-m", "x")...)
		if (err == nil) != test.ok {
			t.Errorf("%s: %v %s", name, err, out)
		}
	}
	// They are counted by why they were refused; the last one closes the connection itself, as its key is not the certificate's.
	testutil.Eventually(t, "all are counted", func() bool {
		n := m.RefusedClients()
		return n[supervise.RefusedWithout] == 2 && n[supervise.RefusedCertificate] == 3 && n[supervise.RefusedOther] >= 1
	})
	if text := log.String(); !strings.Contains(text, "event=mqtt_client_refused") || strings.Contains(text, m.ClientSecret()) {
		t.Errorf("%s", text)
	}
	if user, _, _ := strings.Cut(strings.TrimPrefix(m.URL(), "unix://"), ":"); strings.Contains(log.String(), user) {
		t.Error("the name of our own user is in the log")
	}
}

// A device publishes on its own topics alone, whatever user and client id it asks for; new devices are known at once.
func TestMosquittoUserIsCertificate(t *testing.T) {
	site := pkitest.New(t)
	door, gate := site.Device("door", 0), site.Device("gate", 0)
	m, config, _ := startWithCertificates(t, site, nil)
	access := accessOf(t, site)
	access.ACL += "user listener\ntopic read up/#\n"
	listener := site.Device("listener", 0)
	if err := m.SetAccess(access, false); err != nil {
		t.Fatal(err)
	}
	s := subscribe(t, config.Listen, as(site, listener, "-t", "up/#")...)
	publish := func(files certificate.Files, args ...string) {
		t.Helper()
		if out, err := client(t, "mosquitto_pub", config.Listen, as(site, files, append(args, "-q", "1")...)...); err != nil {
			t.Fatalf("%v %s", err, out)
		}
	}
	publish(door, "-t", "up/gate", "-m", "forged-1")
	publish(door, "-u", "gate", "-i", "gate", "-t", "up/gate", "-m", "forged-2")
	publish(gate, "-t", "up/gate", "-m", "real")
	testutil.Eventually(t, "the message of the gate", func() bool { return strings.Contains(s.out.String(), "up/gate real") })
	if strings.Contains(s.out.String(), "forged") {
		t.Errorf("a device published as another:\n%s", &s.out)
	}
	pid := m.PID()
	yard := site.Device("yard", 0)
	access.ACL += "\nuser yard\ntopic write up/yard\n"
	if err := m.SetAccess(access, false); err != nil {
		t.Fatal(err)
	}
	testutil.Eventually(t, "the new device is believed", func() bool {
		publish(yard, "-t", "up/yard", "-m", "new")
		return strings.Contains(s.out.String(), "up/yard new")
	})
	if m.PID() != pid {
		t.Error("the broker was restarted for a new device")
	}
}

// A device that is connected is disconnected when its certificate is revoked, and comes not back; others do, with their sessions.
func TestMosquittoEndsRevoked(t *testing.T) {
	site := pkitest.New(t)
	door, gate := site.Device("door", 0), site.Device("gate", 0)
	m, config, _ := startWithCertificates(t, site, nil)
	thief := subscribe(t, config.Listen, as(site, door, "-t", "down/door", "-c", "-i", "thief")...)
	other := subscribe(t, config.Listen, as(site, gate, "-t", "down/gate", "-c", "-i", "other")...)
	if _, err := site.Revoke(t.Context(), "door"); err != nil {
		t.Fatal(err)
	}
	pid, restarts := m.PID(), m.Restarts()
	if err := m.SetAccess(accessOf(t, site), true); err != nil {
		t.Fatal(err)
	}
	testutil.Eventually(t, "the broker runs again", func() bool { return m.Up() && m.PID() != pid })
	testutil.Eventually(t, "the other is back", func() bool { return strings.Count(other.out.String(), "Subscribed") >= 2 })
	if out, err := client(t, "mosquitto_pub", config.Listen, as(site, door, "-q", "1", "-t", "up/door", "-m", "x")...); err == nil {
		t.Errorf("the revoked device is accepted: %s", out)
	}
	if n := strings.Count(thief.out.String(), "Subscribed"); n != 1 {
		t.Errorf("the revoked device subscribed %d times:\n%s", n, &thief.out)
	}
	if m.Restarts() != restarts {
		t.Error("a restart on purpose counts as one of a broken broker")
	}
}

// With passwords and certificates, a device that has a certificate cannot use a password.
func TestMosquittoOptionalCertificates(t *testing.T) {
	if _, err := exec.LookPath("mosquitto_passwd"); err != nil {
		t.Skip("there is no mosquitto_passwd; `make setup` installs mosquitto")
	}
	site := pkitest.New(t)
	passwords := filepath.Join(t.TempDir(), "passwords")
	if err := os.WriteFile(passwords, []byte("door:secret\nold:secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mosquitto_passwd", "-U", passwords).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	door := site.Device("door", 0)
	_, config, _ := startWithCertificates(t, site, func(c *supervise.MosquittoConfig) {
		c.ClientAuth, c.ClientListen, c.PasswordFile = supervise.ClientAuthOptional, testutil.FreeAddress(t), passwords
	})
	for name, test := range map[string]struct {
		address string
		args    []string
		ok      bool
	}{
		"a password":                    {config.Listen, []string{"--cafile", site.CAFile(), "-u", "old", "-P", "secret"}, true},
		"a certificate":                 {config.ClientListen, as(site, door), true},
		"a password and no certificate": {config.ClientListen, []string{"--cafile", site.CAFile(), "-u", "old", "-P", "secret"}, false},
		"the password of one with both": {config.Listen, []string{"--cafile", site.CAFile(), "-u", "door", "-P", "secret"}, false},
		"a certificate and no password": {config.Listen, as(site, door), false},
		"neither":                       {config.Listen, []string{"--cafile", site.CAFile()}, false},
	} {
		if out, err := client(t, "mosquitto_pub", test.address, append(test.args, "-t", "x", "-m", "x")...); (err == nil) != test.ok {
			t.Errorf("%s: %v %s", name, err, out)
		}
	}
}

//go:build cgo

package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgelens/identity/keys"
	"edgelens/identity/pki"
	"edgelens/identity/pki/pkitest"
	"edgelens/internal/certificate"
	"edgelens/internal/config"
	"edgelens/internal/control"
	"edgelens/internal/supervise"
	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/testutil"
	"edgelens/recognize"
	"edgelens/terminal/session"
)

// withAuthority makes an authority in the data folder, and has the private broker demand certificates.
func withAuthority(t *testing.T, c *config.Config) {
	t.Helper()
	supervisetest.FindMosquitto(t)
	use(t, c, func(of control.Certificates) {
		made, err := of.CreateAuthority(t.Context(), control.NewAuthority{Name: "test"})
		if err != nil {
			t.Fatal(err)
		}
		c.Mosquitto.TLS = certificate.Files{Certificate: made.NodeCertificate, Key: made.NodeKey}
	})
	c.Mosquitto.Listen, c.Mosquitto.ClientAuth = testutil.FreeAddress(t), supervise.ClientAuthRequire
	c.Dialects.Zone, c.Recognize.Quality = "UTC", recognize.QualityOff
	c.Terminal.RequireCertificate = true
	c.Rules.Readers = []string{"listener"}
}

// use does something with the certificates of the data folder, whether a service runs or not.
func use(t *testing.T, c *config.Config, do func(control.Certificates)) {
	t.Helper()
	err := UseCertificates(t.Context(), c, &testutil.LogBuffer{}, func(of control.Certificates) error { do(of); return nil })
	if err != nil {
		t.Fatal(err)
	}
}

// enrolled enrolls a device, and returns its files.
func enrolled(t *testing.T, c *config.Config, device string) (files DeviceFiles) {
	t.Helper()
	use(t, c, func(of control.Certificates) {
		var err error
		if files, err = EnrollHere(t.Context(), of, control.EnrolmentRequest{Device: device}, t.TempDir()); err != nil {
			t.Fatal(err)
		}
	})
	return files
}

// connectAs connects a device with its certificate, or by the user and password in the address.
func connectAs(t *testing.T, url string, files DeviceFiles, filters ...string) *peer {
	t.Helper()
	address, err := session.ParseAddress(url, files.Authority)
	if err == nil && files.Key != "" {
		address, err = address.WithCertificate(certificate.Files{Certificate: files.Certificate, Key: files.Key})
	}
	if err != nil {
		t.Fatal(err)
	}
	return connectTo(t, address, "any", filters...)
}

// A terminal with a certificate is believed, from the moment that it is enrolled until it is revoked; its identity is that of the
// certificate.
func TestTerminalWithCertificate(t *testing.T) {
	testutil.SkipIfShort(t, "it starts servers")
	c := settings(t)
	withColors(t, c)
	withAuthority(t, c)
	s, log, _ := serving(t, c)
	url := "mqtts://" + strings.Replace(c.Mosquitto.Listen, "127.0.0.1", "localhost", 1)
	listener := connectAs(t, url, enrolled(t, c, "listener"), "edgelens/v1/events/#")
	door := connectAs(t, url, enrolled(t, c, "1026700"))
	door.publish(fungxis.Record("1026700", first(passed(1)), second(passed(1))))
	testutil.Eventually(t, "the event of the door", func() bool { return len(listener.events("1026700")) == 1 })

	// It cannot speak for another.
	err := door.Publish(t.Context(), session.Outgoing{Topic: "fungxi_1026701_upLink", Payload: []byte(`{"cmd":"heartU"}`), QoS: 1})
	if !errors.Is(err, session.ErrNotAllowed) {
		t.Errorf("as another device: %v", err)
	}
	use(t, c, func(of control.Certificates) {
		if _, err := of.RevokeDevice(t.Context(), "1026700"); err != nil {
			t.Fatal(err)
		}
	})
	testutil.Eventually(t, "the revoked device is refused", func() bool { err := door.LastError(); return !door.Up() && err != nil })
	testutil.Eventually(t, "others are not", listener.Up)
	testutil.Eventually(t, "its attempts are counted", func() bool {
		return metric(s, `edgelens_mqtt_refused_handshakes_total{reason="certificate"}`) >= 1
	})
	gate := connectAs(t, url, enrolled(t, c, "1026702"))
	gate.publish(fungxis.Record("1026702", first(passed(2)), second(passed(2))))
	testutil.Eventually(t, "the event of another door", func() bool { return len(listener.events("1026702")) == 1 })
	if door.Up() || len(listener.events("1026700")) != 1 {
		t.Error("the revoked device is believed")
	}
	if text := log.String(); strings.Contains(text, "PRIVATE") || !strings.Contains(text, "event=certificate_revoked") || !strings.Contains(text, "event=broker_rules") {
		t.Errorf("%s", text)
	}
	if a := s.get("/metrics"); !strings.Contains(string(a.body), `edgelens_device_certificates{state="revoked"} 1`) || !strings.Contains(string(a.body), `edgelens_certificate_expiry_timestamp_seconds{for="authority"}`) {
		t.Errorf("%s", a.body)
	}
}

// A terminal without a certificate, which may use a password still, is refused, counted and shown.
func TestTerminalWithoutCertificate(t *testing.T) {
	testutil.SkipIfShort(t, "it starts servers")
	program, err := exec.LookPath("mosquitto_passwd")
	if err != nil {
		t.Skip("there is no mosquitto_passwd; `make setup` installs mosquitto")
	}
	c := settings(t)
	withColors(t, c)
	withAuthority(t, c)
	c.Mosquitto.ClientAuth, c.Mosquitto.ClientListen = supervise.ClientAuthOptional, testutil.FreeAddress(t)
	c.Mosquitto.PasswordFile = filepath.Join(t.TempDir(), "passwords")
	if err := os.WriteFile(c.Mosquitto.PasswordFile, []byte("1026701:secret\n1026700:secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(program, "-U", c.Mosquitto.PasswordFile).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	s, log, _ := serving(t, c)
	with := "mqtts://" + strings.Replace(c.Mosquitto.ClientListen, "127.0.0.1", "localhost", 1)
	without := "mqtts://1026701:secret@" + strings.Replace(c.Mosquitto.Listen, "127.0.0.1", "localhost", 1)
	files := enrolled(t, c, "1026700")
	listener := connectAs(t, with, enrolled(t, c, "listener"), "edgelens/v1/events/#")
	old := connectAs(t, without, DeviceFiles{Authority: files.Authority})
	old.publish(fungxis.Record("1026701", first(passed(1)), second(passed(1))))
	door := connectAs(t, with, files)
	door.publish(fungxis.Record("1026700", first(passed(2)), second(passed(2))))
	testutil.Eventually(t, "the event of the door", func() bool { return len(listener.events("1026700")) == 1 })
	testutil.Eventually(t, "the other is counted", func() bool { return metric(s, `edgelens_mqtt_dropped_total{reason="uncertified"}`) >= 1 })
	if n := len(listener.events("1026701")); n != 0 {
		t.Errorf("%d events of a device without a certificate", n)
	}
	if a := s.get("/api/not-understood"); !strings.Contains(string(a.body), "edgelens device enroll") || !strings.Contains(string(a.body), "1026701") {
		t.Errorf("%s", a.body)
	}
	if a := s.get("/api/devices"); strings.Contains(string(a.body), "1026701") {
		t.Errorf("it is a known device: %s", a.body)
	}
	if !log.Contains("terminal.require_certificate") {
		t.Error("it is not in the log")
	}
}

// Settings that need an authority, or each other, stop the start with what to do.
func TestClientAuthNeeds(t *testing.T) {
	for want, edit := range map[string]func(*testing.T, *config.Config){
		"edgelens ca init": func(_ *testing.T, c *config.Config) { c.Mosquitto.ClientAuth = supervise.ClientAuthRequire },
		"terminal.require_certificate is set, and there is no": func(_ *testing.T, c *config.Config) { c.Terminal.RequireCertificate = true },
		"mqtt.tls.cert and mqtt.tls.key": func(t *testing.T, c *config.Config) {
			withAuthority(t, c)
			c.Mosquitto.TLS = certificate.Files{}
		},
		"mqtt.password_file": func(t *testing.T, c *config.Config) {
			withAuthority(t, c)
			c.Mosquitto.ClientAuth = supervise.ClientAuthOptional
		},
		"asks for no certificates": func(t *testing.T, c *config.Config) {
			withAuthority(t, c)
			c.Mosquitto.ClientAuth = supervise.ClientAuthOff
		},
		"mqtt.tls.client_cert is for": func(t *testing.T, c *config.Config) {
			withAuthority(t, c)
			c.Terminal.Certificate = c.Mosquitto.TLS
		},
		"http.tls.client_ca must name": func(_ *testing.T, c *config.Config) { c.HTTP.ClientCRLs = []string{"none.crl"} },
		"http.tls.client_ca: set it":   func(_ *testing.T, c *config.Config) { c.HTTP.ClientAuth = "require" },
		"and needs HTTPS":              func(_ *testing.T, c *config.Config) { c.HTTP.ClientCA = "own" },
		"must demand the certificates itself": func(t *testing.T, c *config.Config) {
			withAuthority(t, c)
			c.Terminal.URL = "mqtts://broker.example"
		},
	} {
		t.Run(want, func(t *testing.T) {
			c := settings(t)
			withColors(t, c)
			edit(t, c)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := Serve(ctx, c, "test", &testutil.LogBuffer{}, Reload{}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
		})
	}
}

// What a device must keep to itself never leaves it, and what is there is used again.
func TestEnrollHere(t *testing.T) {
	c := settings(t)
	supervisetest.FindMosquitto(t)
	withAuthority(t, c)
	folder := filepath.Join(t.TempDir(), "door")
	use(t, c, func(of control.Certificates) {
		first, err := EnrollHere(t.Context(), of, control.EnrolmentRequest{Device: "door"}, folder)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(first.Key); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
		key, err := keys.Load(first.Key)
		if err != nil {
			t.Fatal(err)
		}
		second, err := EnrollHere(t.Context(), of, control.EnrolmentRequest{Device: "door", Renew: true}, folder)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := keys.Load(second.Key); err != nil || !again.Equal(key) {
			t.Errorf("the key was replaced: %v", err)
		}
		for _, bad := range []string{"../door", "edgelens-1", ""} {
			if _, err := EnrollHere(t.Context(), of, control.EnrolmentRequest{Device: bad}, folder); err == nil {
				t.Errorf("%q was enrolled", bad)
			}
		}
		if _, err := ReadRequest("-", strings.NewReader(strings.Repeat("x", pki.MaxRequest+1))); err == nil {
			t.Error("a long request was read")
		}
	})
}

// A node identifies itself to a broker elsewhere by a certificate.
func TestNodeWithCertificate(t *testing.T) {
	testutil.SkipIfShort(t, "it starts servers")
	program := supervisetest.FindMosquitto(t)
	site, listen := pkitest.New(t), testutil.FreeAddress(t)
	_, port, _ := strings.Cut(listen, ":")
	file := filepath.Join(t.TempDir(), "mosquitto.conf")
	text := fmt.Sprintf("user root\nlistener %s 127.0.0.1\ncafile %s\ncertfile %s\nkeyfile %s\nrequire_certificate true\nuse_identity_as_username true\n",
		port, site.CAFile(), site.Node().Certificate, site.Node().Key)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	broker := exec.CommandContext(t.Context(), program, "-c", file)
	if err := broker.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = broker.Wait() }) // it ends with the test's context
	c := settings(t)
	withColors(t, c)
	c.Terminal.URL, c.Terminal.CAFile, c.Terminal.Certificate = "mqtts://localhost:"+port, site.CAFile(), site.Device("node-1", 0)
	if err := c.Terminal.Validate(); err != nil {
		t.Fatal(err)
	}
	_, log, _ := serving(t, c)
	log.waitFor(t, `msg="connected to the MQTT broker".*-up`)
	log.waitFor(t, `msg="connected to the MQTT broker".*-sensors`)
}

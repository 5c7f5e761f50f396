package supervise_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/supervise"
	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/testutil"
)

func startMosquitto(t *testing.T, dir string, config supervise.MosquittoConfig, acl string) *supervise.Mosquitto {
	t.Helper()
	return startMosquittoWith(t, dir, config, supervise.MosquittoAccess{ACL: acl}, &testutil.LogBuffer{})
}

func startMosquittoWith(t *testing.T, dir string, config supervise.MosquittoConfig, access supervise.MosquittoAccess, log *testutil.LogBuffer) *supervise.Mosquitto {
	t.Helper()
	supervisetest.FindMosquitto(t)
	m, err := supervise.StartMosquitto(t.Context(), dir, config, access, log.Logger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Stop(context.Background()) })
	return m
}

// client runs mosquitto_pub or mosquitto_sub at the broker.
func client(t *testing.T, program, listen string, args ...string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("there is no %s; `make setup` installs mosquitto-clients", program)
	}
	_, port, _ := strings.Cut(listen, ":")
	out, err := exec.CommandContext(t.Context(), program, append([]string{"-h", "127.0.0.1", "-p", port}, args...)...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func TestMosquittoKeepsAcknowledgedMessages(t *testing.T) {
	dir, config := t.TempDir(), supervise.DefaultMosquittoConfig()
	config.Listen = testutil.FreeAddress(t)
	m := startMosquitto(t, dir, config, "")
	subscribe := func(wait string) (string, error) {
		return client(t, "mosquitto_sub", config.Listen, "-i", "away", "-c", "-q", "1", "-t", "x", "-W", wait, "-C", "20")
	}
	message := func(n int) string { return fmt.Sprintf("message-%d", n) }
	_, _ = subscribe("1") // a session, then away
	for n := range 20 {
		if out, err := client(t, "mosquitto_pub", config.Listen, "-q", "1", "-t", "x", "-m", message(n)); err != nil {
			t.Fatalf("publish: %v %s", err, out)
		}
	}
	// After a second or so it is on the disk: the file shows it, which is replaced atomically.
	file := filepath.Join(dir, "data", "mosquitto.db")
	testutil.Eventually(t, "the queue is on the disk", func() bool {
		kept, err := os.ReadFile(file)
		return err == nil && bytes.Contains(kept, []byte(message(19)))
	})
	before := m.PID()
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	testutil.Eventually(t, "it is restarted", func() bool { return m.Up() && m.PID() != before })
	out, err := subscribe("10")
	if lines := strings.Fields(out); err != nil || len(lines) != 20 || lines[0] != message(0) || lines[19] != message(19) {
		t.Errorf("after the kill: %v %q", err, out)
	}
}

// Messages for a client on our socket, whose session the broker has stored, are queued until it reconnects.
func TestMosquittoKeepsOurSession(t *testing.T) {
	config := supervise.DefaultMosquittoConfig()
	config.Listen = testutil.FreeAddress(t)
	dir := t.TempDir()
	m := startMosquitto(t, dir, config, "")
	address, err := url.Parse(m.URL())
	if err != nil {
		t.Fatal(err)
	}
	password, _ := address.User.Password()
	// A session for a second, then offline. mosquitto_sub of 2.0 does not support sockets.
	subscribe := func() (*net.UnixConn, error) {
		conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Net: "unix", Name: address.Path})
		if err != nil {
			return nil, err
		}
		_, err = conn.Write(connectPacket("ours", address.User.Username(), password))
		return conn, err
	}
	conn, err := subscribe()
	if err != nil {
		t.Fatal(err)
	}
	read(t, conn, 4)                                         // CONNACK
	_, err = conn.Write([]byte{0x82, 6, 0, 1, 0, 1, 'x', 1}) // SUBSCRIBE to x at QoS 1
	if err != nil {
		t.Fatal(err)
	}
	read(t, conn, 5) // SUBACK
	file := filepath.Join(dir, "data", "mosquitto.db")
	testutil.Eventually(t, "the session is on the disk", func() bool {
		kept, err := os.ReadFile(file)
		return err == nil && bytes.Contains(kept, []byte("oursx"))
	})
	before := m.PID()
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	testutil.Eventually(t, "it is restarted", func() bool { return m.Up() && m.PID() != before })
	if out, err := client(t, "mosquitto_pub", config.Listen, "-q", "1", "-t", "x", "-m", "hello"); err != nil {
		t.Fatalf("publish: %v %s", err, out)
	}
	if conn, err = subscribe(); err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	read(t, conn, 4) // CONNACK
	if got := read(t, conn, 12); !bytes.HasSuffix(got, []byte("hello")) {
		t.Errorf("%q", got)
	}
}

// connectPacket is an MQTT 3.1.1 CONNECT for a persistent session.
func connectPacket(id, user, password string) []byte {
	body := []byte{0, 4, 'M', 'Q', 'T', 'T', 4, 0xc0, 0, 10}
	for _, text := range []string{id, user, password} {
		body = append(binary.BigEndian.AppendUint16(body, uint16(len(text))), text...)
	}
	return append([]byte{0x10, byte(len(body))}, body...)
}

func read(t *testing.T, conn net.Conn, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.ReadFull(conn, b); err != nil {
		t.Fatalf("read %d bytes: %v", n, err)
	}
	return b
}

func TestMosquittoUsersAreLimitedByACL(t *testing.T) {
	config := supervise.DefaultMosquittoConfig()
	config.Listen, config.PasswordFile = testutil.FreeAddress(t), filepath.Join(t.TempDir(), "passwords")
	if err := os.WriteFile(config.PasswordFile, []byte("door:secret\ngate:secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("mosquitto_passwd"); err != nil {
		t.Skip("there is no mosquitto_passwd; `make setup` installs mosquitto")
	}
	if out, err := exec.Command("mosquitto_passwd", "-U", config.PasswordFile).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	startMosquitto(t, t.TempDir(), config, "user door\ntopic write door/up\ntopic read door/down\n\nuser gate\ntopic readwrite #\n")
	door, gate := []string{"-u", "door", "-P", "secret"}, []string{"-u", "gate", "-P", "secret"}
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"unknown":       {nil, "not authorised"},
		"wrong":         {[]string{"-u", "door", "-P", "guess"}, "not authorised"},
		"a known user":  {door, ""},
		"another topic": {door, ""}, // QoS 0 to a denied topic is dropped silently
	} {
		out, err := client(t, "mosquitto_pub", config.Listen, append(test.args, "-t", "door/up", "-m", "x")...)
		if (err == nil) != (test.want == "") || !strings.Contains(out, test.want) {
			t.Errorf("%s: %v %q, want %q", name, err, out, test.want)
		}
	}
	// The gate receives what the door may publish, and nothing else.
	for topic, received := range map[string]bool{"door/up": true, "gate/up": false} {
		sub := make(chan string, 1)
		go func() {
			out, _ := client(t, "mosquitto_sub", config.Listen, append(gate, "-t", "#", "-W", "2", "-C", "1", "-F", "%t")...)
			sub <- out
		}()
		got, deadline := "", time.After(3*time.Second)
	publish:
		for {
			_, _ = client(t, "mosquitto_pub", config.Listen, append(door, "-t", topic, "-m", "x")...)
			select {
			case got = <-sub:
				break publish
			case <-deadline:
				break publish
			default:
			}
		}
		if (got == topic) != received {
			t.Errorf("%s: received %q, want it received: %v", topic, got, received)
		}
	}
}

// With client_id_by_user, a user that takes the client id of another leaves that one's connection alone.
func TestMosquittoClientIDByUser(t *testing.T) {
	if _, err := exec.LookPath("mosquitto_passwd"); err != nil {
		t.Skip("there is no mosquitto_passwd; `make setup` installs mosquitto")
	}
	for name, byUser := range map[string]bool{"by user": true, "as asked for": false} {
		t.Run(name, func(t *testing.T) {
			config := supervise.DefaultMosquittoConfig()
			config.Listen, config.PasswordFile, config.ClientIDByUser = testutil.FreeAddress(t), filepath.Join(t.TempDir(), "passwords"), byUser
			if err := os.WriteFile(config.PasswordFile, []byte("door:secret\ngate:secret\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command("mosquitto_passwd", "-U", config.PasswordFile).CombinedOutput(); err != nil {
				t.Fatalf("%v %s", err, out)
			}
			startMosquitto(t, t.TempDir(), config, "")
			connect := func(id, user string) net.Conn {
				conn, err := net.Dial("tcp", config.Listen)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = conn.Close() })
				if _, err := conn.Write(connectPacket(id, user, "secret")); err != nil {
					t.Fatal(err)
				}
				if answer := read(t, conn, 4); answer[3] != 0 {
					t.Fatalf("CONNACK %v", answer)
				}
				return conn
			}
			gate := connect("gate-1", "gate")
			connect("gate-1", "door")
			_, err := gate.Write([]byte{0xc0, 0}) // PINGREQ
			_ = gate.SetReadDeadline(time.Now().Add(10 * time.Second))
			answer := make([]byte, 2)
			if err == nil {
				_, err = io.ReadFull(gate, answer)
			}
			if kept := err == nil && answer[0] == 0xd0; kept != byUser {
				t.Errorf("the connection is kept: %v (%v, %v)", kept, answer, err)
			}
		})
	}
}

func TestMosquittoStartsEmptyWithDamagedData(t *testing.T) {
	dir, config := t.TempDir(), supervise.DefaultMosquittoConfig()
	config.Listen = testutil.FreeAddress(t)
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "data", "mosquitto.db"), []byte(strings.Repeat("junk", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	startMosquitto(t, dir, config, "")
	if _, err := os.Stat(filepath.Join(dir, "data.unreadable", "mosquitto.db")); err != nil {
		t.Error(err)
	}
}

func TestMosquittoPortTaken(t *testing.T) {
	supervisetest.FindMosquitto(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	config := supervise.DefaultMosquittoConfig()
	config.Listen = l.Addr().String()
	m, err := supervise.StartMosquitto(t.Context(), t.TempDir(), config, supervise.MosquittoAccess{}, slog.New(slog.DiscardHandler))
	if err == nil {
		_ = m.Stop(context.Background())
		t.Fatal("it started on a port that is taken")
	}
	if !strings.Contains(err.Error(), "Address already in use") {
		t.Errorf("%v", err)
	}
}

func TestMosquittoConfig(t *testing.T) {
	if err := supervise.DefaultMosquittoConfig().Validate(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*supervise.MosquittoConfig){
		"listen":              func(c *supervise.MosquittoConfig) { c.Listen = "127.0.0.1:0" },
		"password_file":       func(c *supervise.MosquittoConfig) { c.PasswordFile = "/nowhere/passwords" },
		"max_packet_bytes":    func(c *supervise.MosquittoConfig) { c.MaxPacketBytes = 1 },
		"max_queued_bytes":    func(c *supervise.MosquittoConfig) { c.MaxQueuedBytes = 1 },
		"max_queued_messages": func(c *supervise.MosquittoConfig) { c.MaxQueuedMessages = 0 },
		"max_connections":     func(c *supervise.MosquittoConfig) { c.MaxConnections = 0 },
	} {
		config := supervise.DefaultMosquittoConfig()
		change(&config)
		if err := config.Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for listen, want := range map[string]bool{"127.0.0.1:1883": true, "[::1]:1883": true, "localhost:1": true, "0.0.0.0:1883": false, ":1883": false, "192.168.1.5:1883": false} {
		config := supervise.MosquittoConfig{Listen: listen}
		if config.Loopback() != want {
			t.Errorf("%s: loopback is %v", listen, !want)
		}
	}
	if _, err := supervise.FindMosquitto(); err != nil && !errors.Is(err, edgelens.ErrNotFound) {
		t.Error(err)
	}
}

// A broker without data has no session of an earlier version; one with data may have one until it was emptied. The
// secret of our client ids does not change.
func TestMosquittoFormerSession(t *testing.T) {
	dir, config := t.TempDir(), supervise.DefaultMosquittoConfig()
	config.Listen = testutil.FreeAddress(t)
	m := startMosquitto(t, dir, config, "")
	secret := m.ClientSecret()
	if m.HasFormerSession() || len(secret) < 16 || strings.Contains(m.URL(), secret) {
		t.Errorf("a new one: %v, secret of %d bytes", m.HasFormerSession(), len(secret))
	}
	if err := os.Remove(filepath.Join(dir, "former-session-emptied")); err != nil { // as earlier versions left it
		t.Fatal(err)
	}
	if !m.HasFormerSession() {
		t.Error("that of an earlier version has none")
	}
	if err := m.FormerSessionEmptied(); err != nil || m.HasFormerSession() {
		t.Errorf("emptied: %v", err)
	}
	if err := m.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if again := startMosquitto(t, dir, config, ""); again.ClientSecret() != secret || again.HasFormerSession() {
		t.Error("after a restart it is another")
	}
}

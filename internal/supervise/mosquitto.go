package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"edgelens"
)

// Mosquitto is a private mosquitto child. Terminals connect to the address of its config; this process uses a Unix
// socket that only this user can access, with an MQTT user that no ACL limits.
type Mosquitto struct {
	*Process
	files  *mosquittoFiles
	config MosquittoConfig
	// refused counts the clients without a valid certificate.
	refused *refusedClients
	// unwatch ends the watching of its certificate, for which it needs a signal.
	unwatch context.CancelFunc
	watch   sync.WaitGroup
}

// StartMosquitto starts a mosquitto with its data below dir, which is created if missing, and returns when it answers;
// ctx bounds that only. The caller must Stop it. config must be valid.
//
// Queued messages and sessions survive its end and ours, except perhaps those of the last second. Where it does not
// start because of its data, that is set aside and it starts empty.
//
// The error wraps ErrNotFound where there is no mosquitto, else one of those of
// Process.Start, ErrDiskFull, ErrStorage or ErrInvalid.
func StartMosquitto(ctx context.Context, dir string, config MosquittoConfig, access MosquittoAccess, log *slog.Logger) (*Mosquitto, error) {
	program, err := FindMosquitto()
	if err != nil {
		return nil, err
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("start mosquitto: %w: %w", edgelens.ErrInvalid, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("start mosquitto: %w", cannotWrite(err))
	}
	user, err := loadBrokerUser(dir)
	if err != nil {
		return nil, fmt.Errorf("start mosquitto: %w", cannotWrite(err))
	}
	files := &mosquittoFiles{keptData: keptData{dir: dir, of: "mosquitto"}, user: user}
	refused := newRefusedClients(log)
	process := New(Spec{
		Name:    "mosquitto",
		Path:    program,
		Args:    []string{"-c", files.config()},
		Env:     []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")},
		Dir:     dir,
		Prepare: func() (func(), error) { return files.prepare(config, access) },
		Ready:   func(ctx context.Context) error { return pingMosquitto(ctx, files.socket) },
		Alive:   func(ctx context.Context) error { return pingMosquitto(ctx, files.socket) },
		// It saves acknowledged messages before it ends.
		OrphanSignal: syscall.SIGTERM,
		// It does not answer while it writes a long queue to a slow card.
		Silence: 30 * time.Second,
		Recover: func(d ExitError) bool { return brokerDataDamaged(d) && files.setDataAside(d, log) },
		// It logs the names and ids of clients; without passwords, the name of ours is a secret.
		Hide:    []string{user.clientSecret(), user.name, user.password},
		Observe: refused.read,
		Log:     log,
	})
	if _, err := os.Stat(filepath.Join(files.data(), brokerDatabase)); errors.Is(err, fs.ErrNotExist) {
		// There is no session of an earlier version yet.
		if err := os.WriteFile(filepath.Join(dir, formerName), nil, 0o600); err != nil {
			return nil, fmt.Errorf("start mosquitto: %w", cannotWrite(err))
		}
	}
	if err := process.Start(ctx); err != nil {
		return nil, err
	}
	m := &Mosquitto{Process: process, files: files, config: config, refused: refused}
	m.watchCertificate(log)
	return m, nil
}

// watchCertificate has mosquitto read a new certificate, until Stop.
func (m *Mosquitto) watchCertificate(log *slog.Logger) {
	ctx, cancel := context.WithCancel(context.Background())
	m.unwatch = cancel
	if !m.config.TLS.IsSet() {
		return
	}
	m.watch.Go(func() {
		m.config.TLS.Watch(ctx, func() {
			log.Info("certificate for terminals replaced", "event", "certificate_replaced")
			m.Signal(syscall.SIGHUP)
		})
	})
}

// Stop is that of the Process.
func (m *Mosquitto) Stop(ctx context.Context) error {
	m.unwatch()
	m.watch.Wait()
	return m.Process.Stop(ctx)
}

// URL returns "unix://user:password@/path" of the socket, which stays the same
// until Stop.
func (m *Mosquitto) URL() string {
	user := url.UserPassword(m.files.user.name, m.files.user.password)
	return (&url.URL{Scheme: "unix", User: user, Path: m.files.socket}).String()
}

// ClientSecret returns the secret part of our client ids, so that no client of the terminals' port can use them; it
// does not change.
func (m *Mosquitto) ClientSecret() string { return m.files.user.clientSecret() }

// HasFormerSession reports whether there may be a session of an earlier version, whose client id had no secret, until
// FormerSessionEmptied was called.
func (m *Mosquitto) HasFormerSession() bool {
	_, err := os.Stat(filepath.Join(m.files.dir, formerName))
	return errors.Is(err, fs.ErrNotExist)
}

// FormerSessionEmptied stores that there is no such session any more.
func (m *Mosquitto) FormerSessionEmptied() error {
	return os.WriteFile(filepath.Join(m.files.dir, formerName), nil, 0o600)
}

// FindMosquitto returns the path of mosquitto; the error wraps ErrNotFound. Debian installs it where only root's PATH
// leads.
func FindMosquitto() (string, error) {
	for _, name := range []string{"mosquitto", "/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"} {
		if path, err := exec.LookPath(name); err == nil {
			return filepath.Abs(path)
		}
	}
	return "", fmt.Errorf("start mosquitto: %w: there is no mosquitto on PATH; install it with `apt install mosquitto`, or set mqtt.url to a broker that runs elsewhere", edgelens.ErrNotFound)
}

// brokerDatabase is mosquitto's file of sessions, in its data folder.
const brokerDatabase = "mosquitto.db"

// brokerDataDamaged reports whether mosquitto ended because of its data: by its last lines, or because it crashed
// before it was ready.
func brokerDataDamaged(d ExitError) bool {
	output := strings.Join(d.Lines, "\n")
	return d.Crashed || strings.Contains(output, "persistent database") || strings.Contains(output, "Couldn't open database")
}

// pingMosquitto is GreetBroker at the socket.
func pingMosquitto(ctx context.Context, socket string) error {
	return GreetBroker(ctx, "unix", socket)
}

// GreetBroker returns nil where an MQTT broker answers CONNECT with CONNACK
// (MQTT 3.1.1, 3.1 and 3.2), with any code. network and address are
// those of net.Dial.
func GreetBroker(ctx context.Context, network, address string) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	// CONNECT, 12 bytes to follow: protocol "MQTT", level 4, clean session,
	// keep alive 10 s, no client id. And DISCONNECT, once it is answered.
	connect := []byte{0x10, 12, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 10, 0, 0}
	if _, err := conn.Write(connect); err != nil {
		return err
	}
	var answer [4]byte
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return err
	}
	if answer[0] != 0x20 {
		return errors.New("mosquitto answers CONNECT with something else than CONNACK")
	}
	_, _ = conn.Write([]byte{0xe0, 0}) // a close without DISCONNECT counts as an error
	return nil
}

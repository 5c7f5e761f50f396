package supervise

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"edgelens/internal/certificate"
	"edgelens/internal/socketpath"
)

// MosquittoConfig is the address of a private mosquitto for terminals, and its limits.
type MosquittoConfig struct {
	// Listen is the address for terminals, host:port.
	Listen string
	// PasswordFile has the users and their passwords, as mosquitto_passwd writes them; empty allows anonymous clients.
	PasswordFile string
	// ClientIDByUser gives each client its user's name as client id, whatever it asks for, where there are users: one
	// connection for each, so that no user can take over the session of another.
	ClientIDByUser bool
	// TLS has the certificate for terminals; without one they connect in plain text.
	TLS certificate.Files
	// ClientAuth is whether terminals need certificates: ClientAuthOff, ClientAuthOptional or ClientAuthRequire.
	ClientAuth string
	// ClientListen is the address for clients with certificates, host:port, with ClientAuthOptional.
	ClientListen string
	// MaxPacketBytes is the largest message.
	MaxPacketBytes int
	// MaxQueuedBytes and MaxQueuedMessages bound the queue of one offline client.
	MaxQueuedBytes    int64
	MaxQueuedMessages int
	// MaxConnections is the maximum number of clients.
	MaxConnections int
}

// How clients of the terminals' port are known.
const (
	// ClientAuthOff: by their passwords, if there is a password file.
	ClientAuthOff = "off"
	// ClientAuthOptional: at Listen as with ClientAuthOff, and at ClientListen by their certificates.
	ClientAuthOptional = "optional"
	// ClientAuthRequire: by their certificates alone.
	ClientAuthRequire = "require"
)

// DefaultMosquittoConfig listens on the loopback interface only; 16 MiB a message, 10,000 messages and an eighth of the
// memory (64 to 512 MiB) a client: mosquitto acknowledges and drops messages beyond that.
func DefaultMosquittoConfig() MosquittoConfig {
	return MosquittoConfig{
		Listen: "127.0.0.1:1883", ClientAuth: ClientAuthOff, ClientListen: "127.0.0.1:8883", MaxPacketBytes: 16 << 20,
		MaxQueuedBytes: min(max(totalMemory()/8, 64<<20), 512<<20), MaxQueuedMessages: 10_000, MaxConnections: 2000,
	}
}

// Validate reports all errors at once, each with its setting's name.
func (c MosquittoConfig) Validate() error {
	var errs []error
	problem := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if _, _, err := splitAddress("listen", c.Listen); err != nil {
		errs = append(errs, err)
	}
	if _, _, err := splitAddress("tls.client_listen", c.ClientListen); err != nil {
		errs = append(errs, err)
	}
	if !slices.Contains([]string{ClientAuthOff, ClientAuthOptional, ClientAuthRequire}, c.ClientAuth) {
		problem("tls.client_auth must be %s, %s or %s, not %q", ClientAuthOff, ClientAuthOptional, ClientAuthRequire, c.ClientAuth)
	}
	if c.PasswordFile != "" {
		if _, err := os.Stat(c.PasswordFile); err != nil {
			problem("password_file cannot be used: %w; mosquitto_passwd -c makes one", err)
		}
	}
	if err := c.TLS.Validate(); err != nil {
		errs = append(errs, err)
	}
	if c.MaxPacketBytes < 64<<10 || c.MaxPacketBytes > 256<<20 {
		problem("max_packet_bytes must be %d to %d, not %d", 64<<10, 256<<20, c.MaxPacketBytes)
	}
	if c.MaxQueuedBytes < 1<<20 || c.MaxQueuedBytes > 1<<40 {
		problem("max_queued_bytes must be %d to %d, not %d", 1<<20, int64(1)<<40, c.MaxQueuedBytes)
	}
	if c.MaxQueuedMessages < 1 || c.MaxQueuedMessages > 65535*100 {
		problem("max_queued_messages must be 1 to %d, not %d", 65535*100, c.MaxQueuedMessages)
	}
	if c.MaxConnections < 1 || c.MaxConnections > 1_000_000 {
		problem("max_connections must be 1 to 1000000, not %d", c.MaxConnections)
	}
	return errors.Join(errs...)
}

// splitAddress returns the host and port of a setting. Port 0 would let the system choose, which mosquitto does not support.
func splitAddress(setting, address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	if err != nil || port < 1 || port > 65535 || strings.ContainsAny(host, " \t\r\n") {
		return "", 0, fmt.Errorf("%s must be host:port with a port of 1 to 65535, not %q", setting, address)
	}
	return host, port, nil
}

// Loopback reports whether only this machine can reach the broker.
func (c MosquittoConfig) Loopback() bool {
	host, _, err := splitAddress("listen", c.Listen)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// mosquittoFiles are the files of a private mosquitto.
type mosquittoFiles struct {
	keptData
	user   brokerUser
	socket string // known once prepared
	// mu guards the files of a MosquittoAccess, and what is below.
	mu sync.Mutex
	// ownPassword is the line of user in the password file; "" before there is one.
	ownPassword string
}

func (f *mosquittoFiles) config() string { return filepath.Join(f.dir, "mosquitto.conf") }

// prepare creates them, and returns a function that removes the socket.
func (f *mosquittoFiles) prepare(config MosquittoConfig, access MosquittoAccess) (func(), error) {
	if err := f.keptData.prepare(); err != nil {
		return nil, err
	}
	socket, remove, err := socketpath.Choose(f.dir, "mosquitto.sock")
	if err != nil {
		return nil, err
	}
	f.socket = socket
	if err := f.write(config, access); err != nil {
		remove()
		return nil, cannotWrite(err)
	}
	return remove, nil
}

// write writes mosquitto.conf, for mosquitto 2.0, anew at each start;
// https://mosquitto.org/man/mosquitto-conf-5.html is the reference.
func (f *mosquittoFiles) write(config MosquittoConfig, access MosquittoAccess) error {
	for _, path := range []string{f.dir, f.socket} {
		if strings.ContainsAny(path, "\r\n") {
			return fmt.Errorf("the path %q has a line break, which mosquitto.conf cannot hold", path)
		}
	}
	rules, err := f.access(config, access)
	if err != nil {
		return err
	}
	listeners, err := f.listeners(config)
	if err != nil {
		return err
	}
	text := fmt.Sprintf(`# Written by edgelens at each start; changes are lost.
%s%s
# For edgelens: a socket in a folder that is private to this user.
listener 0 %s

%s
# Acknowledged messages survive once they are saved, which is every second, and
# not at every change: that would save the whole queue again and again, and block
# all clients meanwhile (docs/adr/0009-terminals.md has the figures).
persistence true
persistence_location %s/
autosave_on_changes false
autosave_interval 1
persistent_client_expiration 14d

max_packet_size %d
max_queued_bytes %d
max_queued_messages %d
max_inflight_messages 100
set_tcp_nodelay true

# $SYS reports dropped messages.
sys_interval 5
%slog_type error
log_type warning
log_type notice
`, rules, ownUser(), f.socket, listeners, f.data(), config.MaxPacketBytes, config.MaxQueuedBytes, config.MaxQueuedMessages, messages(config))
	return os.WriteFile(f.config(), []byte(text), 0o600)
}

// messages returns the lines about what is logged. Clients that are refused in the TLS handshake are logged with the connections
// alone, and at once on standard error alone, which is not buffered.
func messages(config MosquittoConfig) string {
	if config.ClientAuth == ClientAuthOff {
		return "connection_messages false\nlog_dest stdout\n"
	}
	return "connection_messages true\nlog_dest stderr\n"
}

// listeners returns the lines of the ports for terminals.
func (f *mosquittoFiles) listeners(config MosquittoConfig) (string, error) {
	encryption, err := encryption(config.TLS)
	if err != nil {
		return "", err
	}
	certificates := f.certificates(encryption)
	own := clientIDs(config) + encryption
	if config.ClientAuth == ClientAuthRequire {
		own = certificates
	}
	text, err := listenerLines("listen", config.Listen, config.MaxConnections, own)
	if err != nil || config.ClientAuth != ClientAuthOptional {
		return text, err
	}
	further, err := listenerLines("tls.client_listen", config.ClientListen, config.MaxConnections, certificates)
	return text + further, err
}

func listenerLines(setting, address string, maxConnections int, lines string) (string, error) {
	host, port, err := splitAddress(setting, address)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("# For terminals.\nlistener %d %s\nmax_connections %d\n%s\n", port, host, maxConnections, lines), nil
}

// clientIDs returns the lines about the ids of terminals' clients.
func clientIDs(config MosquittoConfig) string {
	if !config.ClientIDByUser || config.PasswordFile == "" {
		return ""
	}
	return "use_username_as_clientid true\n"
}

// encryption returns the lines for TLS. Mosquitto reads both files again at SIGHUP.
func encryption(files certificate.Files) (string, error) {
	if !files.IsSet() {
		return "", nil
	}
	files, err := files.Absolute()
	if err != nil {
		return "", err
	}
	if strings.ContainsAny(files.Certificate+files.Key, "\r\n") {
		return "", errors.New("the path of a certificate has a line break, which mosquitto.conf cannot hold")
	}
	return fmt.Sprintf("certfile %s\nkeyfile %s\ntls_version tlsv1.2\n", files.Certificate, files.Key), nil
}

// ownUser stops a mosquitto that root starts from switching to another user, who could not read our files. Others
// cannot switch.
func ownUser() string {
	if os.Getuid() != 0 {
		return ""
	}
	name := "root"
	if me, err := user.Current(); err == nil {
		name = me.Username
	}
	return "user " + name + "\n"
}

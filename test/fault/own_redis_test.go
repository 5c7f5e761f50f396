//go:build fault

package fault

import (
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"edgelens/internal/supervise"
	"edgelens/internal/testutil"
)

// ownRedis is an external Redis without persistence.
type ownRedis struct {
	t   *testing.T
	dir string
	url string
	// network and address are its address, options the arguments for it.
	network, address string
	options          []string
	cmd              *exec.Cmd
}

// newRedis starts one on a socket.
func newRedis(t *testing.T) *ownRedis {
	t.Helper()
	r := absentRedis(t)
	r.start()
	return r
}

// absentRedis is one on a socket that is not started yet. The socket's folder
// has a short name.
func absentRedis(t *testing.T) *ownRedis {
	t.Helper()
	dir := testutil.ShortDir(t)
	socket := filepath.Join(dir, "s")
	r := &ownRedis{t: t, dir: dir, url: "unix://" + socket, network: "unix", address: socket, options: []string{"--port", "0", "--unixsocket", socket}}
	t.Cleanup(func() {
		if r.cmd != nil {
			r.kill()
		}
	})
	return r
}

// absentRedisOnPort is one on a TCP port that is not started yet.
func absentRedisOnPort(t *testing.T) *ownRedis {
	t.Helper()
	address := testutil.FreeAddress(t)
	_, port, _ := net.SplitHostPort(address) // it is one
	r := absentRedis(t)
	r.url, r.network, r.address, r.options = "redis://"+address, "tcp", address, []string{"--bind", "127.0.0.1", "--port", port}
	return r
}

func (r *ownRedis) start() {
	r.t.Helper()
	path, err := supervise.FindRedis()
	if err != nil {
		r.t.Fatal(err)
	}
	r.cmd = exec.Command(path, append(r.options, "--dir", r.dir, "--save", "", "--appendonly", "no")...)
	r.cmd.Args[0] = "redis-server"
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	testutil.Eventually(r.t, "redis-server answers", func() bool {
		answer, err := redisCommand(r.network, r.address, "PING")
		return err == nil && answer == "+PONG"
	})
}

func (r *ownRedis) kill() {
	_ = r.cmd.Process.Signal(syscall.SIGKILL)
	_ = r.cmd.Wait()
}

// redisCommand sends one command to a Redis and returns the answer's line.
func redisCommand(network, address, command string) (string, error) {
	conn, err := net.Dial(network, address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	if _, err := conn.Write([]byte(command + "\r\n")); err != nil {
		return "", err
	}
	answer := make([]byte, 100)
	n, err := conn.Read(answer)
	return strings.TrimSpace(string(answer[:n])), err
}

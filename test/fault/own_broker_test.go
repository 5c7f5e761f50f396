//go:build fault

package fault

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"edgelens/internal/supervise"
	"edgelens/internal/testutil"
)

// ownBroker is an external mosquitto, as durable as the private one.
type ownBroker struct {
	t       *testing.T
	dir     string
	address string
	cmd     *exec.Cmd
}

func newBroker(t *testing.T) *ownBroker {
	t.Helper()
	b := &ownBroker{t: t, dir: t.TempDir(), address: testutil.FreeAddress(t)}
	_, port, _ := net.SplitHostPort(b.address) // it is one
	config := fmt.Sprintf("listener %s 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location %s/\nautosave_on_changes false\nautosave_interval 1\n"+
		"max_queued_messages 10000\nmax_queued_bytes %d\nuser root\n", port, b.dir, 64<<20)
	if err := os.WriteFile(filepath.Join(b.dir, "conf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	b.start()
	t.Cleanup(b.kill)
	return b
}

func (b *ownBroker) start() {
	b.t.Helper()
	path, err := supervise.FindMosquitto()
	if err != nil {
		b.t.Fatal(err)
	}
	b.cmd = exec.Command(path, "-c", filepath.Join(b.dir, "conf"))
	if err := b.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	for supervise.GreetBroker(ctx, "tcp", b.address) != nil {
		if ctx.Err() != nil {
			b.t.Fatal("mosquitto does not start")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (b *ownBroker) kill() {
	_ = b.cmd.Process.Signal(syscall.SIGKILL)
	_ = b.cmd.Wait()
}

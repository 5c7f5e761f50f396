package suite

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"edgelens"
	"edgelens/benchmarks/proc"
)

// Remote is a service that was not started by bench. Its CPU time and memory are read from /metrics; those of its
// children are unknown.
type Remote struct {
	Base string
	// Key is the token of a key with the scopes recognize, jobs and metrics; "" for none.
	Key string
}

// URL implements Service.
func (r Remote) URL() string { return strings.TrimSuffix(r.Base, "/") }

// CPU implements Service.
func (r Remote) CPU(ctx context.Context) (time.Duration, error) {
	seconds, err := r.metric(ctx, "process_cpu_seconds_total")
	return time.Duration(seconds * float64(time.Second)), err
}

// Resident implements Service.
func (r Remote) Resident(ctx context.Context) (int64, error) {
	bytes, err := r.metric(ctx, "process_resident_memory_bytes")
	return int64(bytes), err
}

// metric reads one value of the Prometheus text format
// (https://prometheus.io/docs/instrumenting/exposition_formats/).
func (r Remote) metric(ctx context.Context, name string) (float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.URL()+"/metrics", nil)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w: %v", name, edgelens.ErrInvalid, err)
	}
	response, err := WithKey(&http.Client{Transport: http.DefaultTransport}, r.Key).Do(request)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w; check that the service runs there", name, err)
	}
	defer response.Body.Close() // read only
	if err := checkKey(response.StatusCode, r.URL()); err != nil {
		return 0, err
	}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, errors.Join(fmt.Errorf("%w: %s/metrics has no %s; check that it is edgelens", edgelens.ErrNotFound, r.URL(), name), lines.Err())
}

// checkKey returns an error for the status of a service that needs a key, or another one.
func checkKey(status int, base string) error {
	if status != http.StatusUnauthorized && status != http.StatusForbidden {
		return nil
	}
	return fmt.Errorf("%w: %s answers %d; give a key with the scopes recognize, jobs and metrics by --key-file or EDGELENS_KEY", edgelens.ErrUnauthorized, base, status)
}

// Own is a service that was started for the benchmark.
type Own struct {
	base    string
	command *exec.Cmd
	ended   chan struct{} // closed when the process has ended
	// Ready is the time from exec until it was ready to recognize, and Idle its resident memory then.
	Ready time.Duration
	Idle  int64
}

// StartTimeout bounds the start of a service.
const StartTimeout = 60 * time.Second

// FreeAddress returns an address of this machine with a free port.
func FreeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return listener.Addr().String(), listener.Close()
}

// Start runs the program until Stop; args must make it serve on a free port and log JSON. Logs go to log, too. It
// returns when the service is ready.
func Start(ctx context.Context, program string, args []string, log io.Writer) (*Own, error) {
	return start(ctx, exec.Command(program, args...), "", "/readyz", log)
}

// start runs a service that listens at base, or where base is "" at the address in its log, until it answers 200 at the
// path ready.
func start(ctx context.Context, command *exec.Cmd, base, ready string, log io.Writer) (*Own, error) {
	own := &Own{command: command, ended: make(chan struct{})}
	own.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for this process, which ends it
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start the service: %w", err)
	}
	own.command.Stdout, own.command.Stderr = writer, writer
	began := time.Now()
	err = own.command.Start()
	_ = writer.Close() // the process has it now
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the service: %w", err), reader.Close())
	}
	address := make(chan string, 2) // the log can send one, too
	if base != "" {
		address <- base
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer reader.Close() // nothing is lost
		readLog(reader, log, address)
	}()
	go func() {
		defer close(own.ended)
		_ = own.command.Wait() // its status does not matter
		<-read
	}()
	ctx, cancel := context.WithTimeout(ctx, StartTimeout)
	defer cancel()
	if err := own.await(ctx, address, ready); err != nil {
		return nil, errors.Join(fmt.Errorf("start the service: %w", err), own.Stop())
	}
	own.Ready = time.Since(began)
	if own.Idle, err = own.Resident(ctx); err != nil {
		return nil, errors.Join(err, own.Stop())
	}
	return own, nil
}

// LogTail keeps the end of a log. It is for one goroutine.
type LogTail struct{ bytes.Buffer }

// maxLogTail is its size in bytes.
const maxLogTail = 4 << 10

// Write implements io.Writer.
func (t *LogTail) Write(p []byte) (int, error) {
	n, err := t.Buffer.Write(p)
	if over := t.Len() - maxLogTail; over > 0 {
		t.Next(over)
	}
	return n, err
}

// readLog copies the log until the process ends, and sends the service's address from the line that has it.
func readLog(from io.Reader, to io.Writer, address chan<- string) {
	lines := bufio.NewReader(from)
	found := false
	for {
		line, err := lines.ReadBytes('\n')
		_, _ = to.Write(line) // progress only
		var entry struct{ Msg, Address string }
		if !found && json.Unmarshal(line, &entry) == nil && entry.Msg == "edgelens started" {
			address <- entry.Address
			found = true
		}
		if err != nil {
			return
		}
	}
}

func (o *Own) await(ctx context.Context, address <-chan string, ready string) error {
	gone := errors.New("it ended at once; see the end of its log")
	select {
	case o.base = <-address:
	case <-o.ended:
		return gone
	case <-ctx.Done():
		return fmt.Errorf("its log has no address: %w", ctx.Err())
	}
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, o.base+ready, nil)
		if err != nil {
			return err
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close() // only its status matters
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-o.ended:
			return gone
		case <-ctx.Done():
			return fmt.Errorf("it is not ready in time: %w", ctx.Err())
		}
	}
}

// URL implements Service.
func (o *Own) URL() string { return o.base }

// CPU implements Service, with all children of the process.
func (o *Own) CPU(context.Context) (time.Duration, error) { return proc.CPU(o.command.Process.Pid) }

// Resident implements Service, for the process alone.
func (o *Own) Resident(context.Context) (int64, error) { return proc.Resident(o.command.Process.Pid) }

// Memory is the resident memory of the process and its children in bytes; pages that are shared count once on the machine.
func (o *Own) Memory() (int64, error) { return proc.Memory(o.command.Process.Pid) }

// Written is how many bytes the process and its children have had the kernel write to disks.
func (o *Own) Written() (int64, error) { return proc.Written(o.command.Process.Pid) }

// Stop ends the process and waits for it.
func (o *Own) Stop() error {
	_ = o.command.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-o.ended:
		return nil
	case <-time.After(20 * time.Second):
		_ = o.command.Process.Kill() // it may have ended
		<-o.ended
		return errors.New("the service did not stop in time and was killed")
	}
}

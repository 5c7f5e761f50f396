package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"edgelens/benchmarks/load"
	"edgelens/benchmarks/proc"
)

const (
	// startTimeout bounds a start, stopTimeout a stop in which the time does not count.
	startTimeout = 60 * time.Second
	stopTimeout  = 40 * time.Second
	// interpreters is what the figures are about.
	interpreters = 2
)

// service is a running edgelens with a data folder of its own.
type service struct {
	command *exec.Cmd
	ended   chan struct{} // closed when the process has ended
	folder  string
	log     *os.File
	// address is the host and port of HTTP, and broker that of MQTT.
	address, broker string
	key             string
}

// start starts the program, and returns once it is ready and warm.
func (b *bench) start(ctx context.Context, more ...string) (*service, error) {
	folder, err := os.MkdirTemp("", "edgelens-abuse-")
	if err != nil {
		return nil, err
	}
	s := &service{folder: folder, key: b.key, ended: make(chan struct{})}
	if err := s.spawn(ctx, b, more); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w\n%s", b.program, err, s.logTail()), s.end())
	}
	if err := b.warm(ctx, s); err != nil {
		return nil, errors.Join(fmt.Errorf("warm up the service: %w\n%s", err, s.logTail()), s.end())
	}
	return s, nil
}

func (s *service) spawn(ctx context.Context, b *bench, more []string) (err error) {
	if s.log, err = os.Create(filepath.Join(s.folder, "log")); err != nil {
		return err
	}
	if s.broker, err = freeAddress(); err != nil {
		return err
	}
	args := []string{"serve", "--listen=127.0.0.1:0", "--mqtt-listen=" + s.broker, "--data-dir=" + filepath.Join(s.folder, "data"), "--models-dir=" + b.models,
		"--recognize-allow-stand-in=true", "--inference-interpreters=" + strconv.Itoa(interpreters), "--log-format=json"}
	s.command = exec.Command(b.program, append(append(args, b.serveFlags...), more...)...)
	s.command.Dir = s.folder
	s.command.Stdout, s.command.Stderr = s.log, s.log
	// Settings of this shell are not the service's.
	s.command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	s.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for this process, which ends it
	if err := s.command.Start(); err != nil {
		s.command = nil
		return err
	}
	go func() {
		_ = s.command.Wait() // its state is read from the command
		close(s.ended)
	}()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for s.address == "" {
		if !s.alive() || !pause(ctx, 5*time.Millisecond) {
			return errors.New("it has not started")
		}
		s.address = s.startedAt()
	}
	c := s.client(0)
	defer c.close()
	for {
		if a, err := c.do(ctx, "GET", "/readyz", ""); err == nil && a.status == 200 {
			return nil
		}
		if !s.alive() || !pause(ctx, 5*time.Millisecond) {
			return errors.New("it is not ready")
		}
	}
}

// startedAt is the host and port in the log; "" before the line is written.
func (s *service) startedAt() string {
	text, _ := io.ReadAll(io.NewSectionReader(s.log, 0, 1<<20)) // an error is an incomplete text
	for line := range bytes.Lines(text) {
		var entry struct{ Msg, Address string }
		if json.Unmarshal(line, &entry) == nil && entry.Msg == "edgelens started" {
			return strings.TrimPrefix(entry.Address, "http://")
		}
	}
	return ""
}

// warmUps is how many requests for each interpreter have all code and buffers in memory.
const warmUps = 15

func (b *bench) warm(ctx context.Context, s *service) error {
	crowd := b.crowd(s, interpreters)
	defer crowd.close()
	var group errgroup.Group
	for worker := range interpreters {
		group.Go(func() error {
			for n := range warmUps {
				if status, _ := crowd.Do(ctx, worker, n); status != load.Good {
					return fmt.Errorf("an ordinary image is answered with %s", status)
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if b.results.Version == "" {
		b.describe(ctx, s)
	}
	return nil
}

// describe stores the version and the model.
func (b *bench) describe(ctx context.Context, s *service) {
	b.results.Version, b.results.Model = "of unknown version", "unknown"
	if out, err := exec.CommandContext(ctx, b.program, "version").Output(); err == nil {
		b.results.Version, _, _ = strings.Cut(strings.TrimPrefix(strings.TrimSpace(string(out)), "edgelens "), "\n")
	}
	c := s.client(0)
	defer c.close()
	var answer struct {
		Model struct{ Name string }
	}
	a, err := c.do(ctx, "POST", "/api/recognize", "Content-Type: image/jpeg\r\n", b.photo)
	if err == nil && json.Unmarshal(a.body, &answer) == nil && answer.Model.Name != "" {
		b.results.Model = answer.Model.Name
	}
}

func (s *service) alive() bool {
	select {
	case <-s.ended:
		return false
	default:
		return true
	}
}

func (s *service) pid() int { return s.command.Process.Pid }

// errEnded: the process ended by itself.
var errEnded = errors.New("the service ended by itself")

// mustLive returns an error with the end of the log where the process has ended.
func (s *service) mustLive() error {
	if s.alive() {
		return nil
	}
	return fmt.Errorf("%w (%v):\n%s", errEnded, s.command.ProcessState, s.logTail())
}

// logTail is the end of the log.
func (s *service) logTail() string {
	const tail = 2000
	size := s.logSize()
	text := make([]byte, min(tail, size))
	if s.log != nil {
		_, _ = s.log.ReadAt(text, size-int64(len(text))) // an error is an incomplete text
	}
	return strings.TrimSpace(string(text))
}

func (s *service) logSize() int64 {
	if s.log == nil {
		return 0
	}
	info, err := s.log.Stat()
	if err != nil {
		return 0
	}
	return info.Size()
}

// end ends the process as systemd does, and removes its folder.
func (s *service) end() error {
	if s.command != nil {
		_, _ = s.terminate(stopTimeout) // row stop measures it
	}
	return s.kill()
}

// kill ends the process and its children, whatever they do, and removes its folder.
func (s *service) kill() error {
	if s.command != nil {
		processes, _ := proc.Tree(s.pid()) // none once it has ended
		_ = s.command.Process.Kill()       // it may have ended
		<-s.ended
		for pid, p := range processes {
			if p.Running(pid) {
				_ = syscall.Kill(pid, syscall.SIGKILL) // it may end by itself
			}
		}
	}
	if s.log != nil {
		_ = s.log.Close() // read only from here
	}
	return os.RemoveAll(s.folder)
}

// errNotStopped: the process did not end in time.
var errNotStopped = errors.New("it does not stop")

// terminate sends SIGTERM, and returns how long it took to end.
func (s *service) terminate(timeout time.Duration) (time.Duration, error) {
	begin := time.Now()
	_ = s.command.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-s.ended:
		return time.Since(begin), nil
	case <-time.After(timeout):
		return time.Since(begin), errNotStopped
	}
}

// cpu is the CPU time of the process and all its children.
func (s *service) cpu() time.Duration {
	total, err := proc.CPU(s.pid())
	if err != nil {
		return 0 // it has ended, which mustLive reports
	}
	return total
}

// client returns a connection from the n-th address.
func (s *service) client(n int) *client {
	return &client{address: s.address, from: addressOf(n), key: s.key, timeout: answerTimeout}
}

// addressOf is one of many addresses of this machine, so that a bound for one address is not one for a crowd.
func addressOf(n int) net.IP { return net.IPv4(127, 0, byte(1+n/250%250), byte(1+n%250)) }

// freeAddress returns an address on which nothing listens, with a port below those of outgoing connections.
func freeAddress() (string, error) {
	for range 1000 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(12_000+rand.N(10_000)))
		if listener, err := net.Listen("tcp", address); err == nil {
			return address, listener.Close()
		}
	}
	return "", errors.New("there is no free port on 127.0.0.1")
}

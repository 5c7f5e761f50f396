//go:build fault

package faulttest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"edgelens/supervise"
)

// redisSays sends one command to a Redis socket and returns the answer's line.
func redisSays(socket, command string) (string, error) {
	conn, err := net.Dial("unix", socket)
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

// The private Redis is killed, and made to forget everything, with jobs under
// way: the service makes up for it.
func TestRedisForgets(t *testing.T) {
	s := newService(t)
	s.start()
	socket := filepath.Join(s.data, "redis", "redis.sock")
	if _, err := os.Stat(socket); err != nil { // the path was too long for a socket
		link, err := os.Readlink(socket + ".folder")
		if err != nil {
			t.Fatal(err)
		}
		socket = filepath.Join(link, "redis.sock")
	}
	faults := []struct {
		name string
		do   func() error
	}{
		{"kill -9", func() error {
			children := s.children()
			if len(children) != 1 {
				return fmt.Errorf("%d redis-servers run", len(children))
			}
			return syscall.Kill(children[0], syscall.SIGKILL)
		}},
		{"FLUSHALL", func() error {
			answer, err := redisSays(socket, "FLUSHALL")
			if err == nil && answer != "+OK" {
				err = fmt.Errorf("it says %s", answer)
			}
			return err
		}},
	}
	n := rounds(t)
	var slowest time.Duration
	for round := range n {
		for _, fault := range faults {
			c := newClient(t, s)
			sent := c.burst(inFlight, busyPictures(), "cache=false")
			after := rand.IntN(inFlight + 1)
			s.until("the jobs are accepted", startWithin, func() bool { all, _ := c.count(); return all >= after })
			if err := fault.do(); err != nil {
				t.Fatalf("%s: %v", fault.name, err)
			}
			start := time.Now()
			sent.Wait()
			if all, _ := c.count(); all != inFlight {
				t.Errorf("%s: %d of %d got a 202", fault.name, all, inFlight)
			}
			c.kept(resumeWithin)
			slowest = max(slowest, time.Since(start))
			c.unchanged()
			s.until("Redis is up", resumeWithin, func() bool { answer, err := redisSays(socket, "PING"); return err == nil && answer == "+PONG" })
		}
		if (round+1)%max(1, n/10) == 0 {
			say("Redis killed %d and flushed %d of %d times: nothing lost; all done at most %.1f s later", round+1, round+1, n, slowest.Seconds())
		}
	}
}

// ownRedis is a Redis that somebody else runs.
type ownRedis struct {
	t      *testing.T
	dir    string
	socket string
	cmd    *exec.Cmd
}

// newRedis starts one in a folder with a short name, for its socket.
func newRedis(t *testing.T) *ownRedis {
	t.Helper()
	dir, err := os.MkdirTemp("", "fault")
	if err != nil {
		t.Fatal(err)
	}
	r := &ownRedis{t: t, dir: dir, socket: filepath.Join(dir, "s")}
	t.Cleanup(func() { r.kill(); _ = os.RemoveAll(dir) })
	r.start()
	return r
}

func (r *ownRedis) start() {
	r.t.Helper()
	path, err := supervise.FindRedis()
	if err != nil {
		r.t.Fatal(err)
	}
	r.cmd = exec.Command(path, "--port", "0", "--unixsocket", r.socket, "--dir", r.dir, "--save", "", "--appendonly", "no")
	r.cmd.Args[0] = "redis-server"
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	for deadline := time.Now().Add(startWithin); ; time.Sleep(5 * time.Millisecond) {
		if answer, err := redisSays(r.socket, "PING"); err == nil && answer == "+PONG" {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatal("redis-server does not start")
		}
	}
}

func (r *ownRedis) kill() {
	_ = r.cmd.Process.Signal(syscall.SIGKILL)
	_ = r.cmd.Wait()
}

// A configured Redis hangs, or is gone with all that it knew. Submissions go
// on, and the jobs are done when it is back.
func TestRedisAway(t *testing.T) {
	for name, fault := range map[string]struct{ leave, back func(*ownRedis) }{
		"hangs": {
			func(r *ownRedis) { _ = r.cmd.Process.Signal(syscall.SIGSTOP) },
			func(r *ownRedis) { _ = r.cmd.Process.Signal(syscall.SIGCONT) },
		},
		"is gone": {(*ownRedis).kill, (*ownRedis).start},
	} {
		t.Run(name, func(t *testing.T) {
			redis := newRedis(t)
			s := newService(t, "--redis-url", "unix://"+redis.socket)
			s.start()
			c := newClient(t, s)
			c.burst(inFlight/2, busyPictures(), "cache=false").Wait()
			fault.leave(redis)
			worst, refused := c.submitOver(outage(t), inFlight)
			say("Redis %s for %v: of %d submissions %d got a 503 and the others a 202, the slowest after %d ms",
				name, outage(t), inFlight, refused, worst.Milliseconds())
			fault.back(redis)
			back := time.Now()
			c.kept(30 * time.Second)
			c.unchanged()
			all, _ := c.count()
			say("Redis is back: all %d jobs were done after %.1f s", all, time.Since(back).Seconds())
		})
	}
}

// submitOver submits n pictures evenly over a time. Each must be answered
// within a second, by a 202 or a 503 with Retry-After.
func (c *client) submitOver(span time.Duration, n int) (worst time.Duration, refused int) {
	c.t.Helper()
	var group sync.WaitGroup
	var mu sync.Mutex
	for i := range n {
		group.Go(func() {
			p := busyPictures()[i%3]
			start := time.Now()
			id, status, header, err := c.s.submit(p, "cache=false")
			took := time.Since(start)
			mu.Lock()
			defer mu.Unlock()
			worst = max(worst, took)
			switch {
			case id != "":
				c.promised(id, p)
			case err == nil && status == http.StatusServiceUnavailable && header.Get("Retry-After") != "":
				refused++
			default:
				c.t.Errorf("a submission got %d, %v", status, err)
			}
			if took > time.Second {
				c.t.Errorf("a submission was answered after %v", took)
			}
		})
		time.Sleep(span / time.Duration(n))
	}
	group.Wait()
	return worst, refused
}

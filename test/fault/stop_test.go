//go:build fault

package fault

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// stopWithin is how long the service may take to end.
const stopWithin = 10 * time.Second

// TestStopUnderAttack stops the service beside clients in every state that could hold it up: 64 connections with
// recognitions, uploads that do not go on, headers that do not end, streams and responses that nobody reads, jobs, and
// clients that wait for one. It ends in time with status 0, and none of its children is left; nobody with a whole request gets
// anything but an answer, a 503 with Retry-After, or a closed connection.
func TestStopUnderAttack(t *testing.T) {
	for n := range slowRounds(t) {
		report("round %d", n)
		s := newService(t)
		s.start()
		address := strings.TrimPrefix(s.url.Load().(string), "http://")
		var open []net.Conn
		connect := func(text string) {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
			open = append(open, c)
		}
		defer func() {
			for _, c := range open {
				_ = c.Close()
			}
		}()
		for range 11 {
			connect("POST /api/recognize HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\nContent-Length: 28000000\r\n\r\n\xff\xd8\xff")
			connect("POST /api/recognize HTTP/1.1\r\nHost: local")
			connect("GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
			connect(strings.Repeat("GET /openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n", 200)) // not read
		}
		var jobs sync.WaitGroup
		for range 8 {
			jobs.Go(func() {
				if id, _, _, err := s.submit(busyImages()[0], "cache=false"); err == nil && id != "" {
					_, _, _ = s.look(id, "30s") // it may end in any way
				}
			})
		}
		var clients sync.WaitGroup
		var answered, refused, cut, wrong atomic.Int64
		attack, end := context.WithCancel(context.Background())
		for i := range 64 {
			clients.Go(func() {
				p := busyImages()[i%3]
				for attack.Err() == nil {
					status, header, body, err := s.exchange("POST", "/api/recognize?cache=false", "image/png", p.bytes)
					switch {
					case err != nil:
						cut.Add(1)
						time.Sleep(10 * time.Millisecond) // the service is gone, or nearly
					case status == http.StatusOK:
						answered.Add(1)
					case status == http.StatusServiceUnavailable && header.Get("Retry-After") != "":
						refused.Add(1)
					default:
						wrong.Add(1)
						t.Errorf("got %d %s", status, body)
					}
				}
			})
		}
		s.until("images are recognized", 10*time.Second, func() bool { return answered.Load() > 20 })
		begun := time.Now()
		if err := s.life.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		select {
		case <-s.life.ended:
		case <-time.After(4 * stopWithin):
			t.Error("the service does not end")
		}
		took := time.Since(begun)
		end()
		code := s.life.cmd.ProcessState.ExitCode()
		report("%d answered, %d refused, %d cut; ended after %v with status %d", answered.Load(), refused.Load(), cut.Load(), took.Round(time.Millisecond), code)
		if took > stopWithin || code != 0 {
			t.Errorf("it ended after %v with status %d, want up to %v and 0", took, code, stopWithin)
		}
		s.life = nil
		s.noOrphans()
		clients.Wait()
		jobs.Wait()
	}
}

// TestDrain sees the service unavailable before it stops to serve.
func TestDrain(t *testing.T) {
	s := newService(t, "--stop-drain", "2s")
	s.start()
	begun := time.Now()
	if err := s.life.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.until("it is unavailable", time.Second, func() bool {
		status, _, body, err := s.exchange("GET", "/readyz", "", nil)
		return err == nil && status == http.StatusServiceUnavailable && strings.Contains(string(body), "stopping")
	})
	for time.Since(begun) < time.Second {
		if status, _, body, err := s.exchange("POST", "/api/recognize", "image/png", images(9)[0].bytes); err != nil || status != http.StatusOK {
			t.Fatalf("while draining: %d %s %v", status, body, err)
		}
	}
	<-s.life.ended
	if took, code := time.Since(begun), s.life.cmd.ProcessState.ExitCode(); took < 2*time.Second || took > 2*time.Second+stopWithin || code != 0 {
		t.Errorf("it ended after %v with status %d", took, code)
	}
	s.life = nil
}

// answerOf reads the status of the next response on a connection.
func answerOf(c net.Conn) (int, error) {
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, fmt.Errorf("read the response: %w", err)
	}
	return response.StatusCode, response.Body.Close()
}

// TestClaimedUploads has clients that claim large bodies and send nothing, and others beside them, who are all served.
func TestClaimedUploads(t *testing.T) {
	s := newService(t)
	s.start()
	address := strings.TrimPrefix(s.url.Load().(string), "http://")
	for range 40 {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write([]byte("POST /api/recognize HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\nContent-Length: 28000000\r\n\r\n\xff\xd8\xff")); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if status, err := answerOf(c); err == nil && status != http.StatusRequestTimeout {
				t.Errorf("a body that does not come got %d, want 408", status)
			}
		}()
	}
	for i := range 100 {
		p := images(200)[i%3]
		if status, _, body, err := s.exchange("POST", "/api/recognize?cache=false", "image/png", p.bytes); err != nil || status != http.StatusOK {
			t.Fatalf("another client: %d %s %v", status, body, err)
		}
	}
}

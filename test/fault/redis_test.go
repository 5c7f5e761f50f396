//go:build fault

package fault

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The private Redis is killed and loses all data, with jobs under way: the service recreates the tasks.
func TestRedisLosesData(t *testing.T) {
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
	errs := []struct {
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
			answer, err := redisCommand("unix", socket, "FLUSHALL")
			if err == nil && answer != "+OK" {
				err = fmt.Errorf("the answer is %s", answer)
			}
			return err
		}},
	}
	n := slowRounds(t)
	var slowest time.Duration
	for round := range n {
		for _, problem := range errs {
			c := newClient(t, s)
			sent := c.burst(inFlight, busyImages(), "cache=false")
			after := rand.IntN(inFlight + 1)
			s.until("the jobs are accepted", startWithin, func() bool { all, _ := c.count(); return all >= after })
			if err := problem.do(); err != nil {
				t.Fatalf("%s: %v", problem.name, err)
			}
			start := time.Now()
			sent.Wait()
			if all, _ := c.count(); all != inFlight {
				t.Errorf("%s: %d of %d got a 202", problem.name, all, inFlight)
			}
			c.kept(resumeWithin)
			slowest = max(slowest, time.Since(start))
			c.unchanged()
			s.until("Redis is up", resumeWithin, func() bool {
				answer, err := redisCommand("unix", socket, "PING")
				return err == nil && answer == "+PONG"
			})
		}
		if (round+1)%max(1, n/10) == 0 {
			report("Redis killed %d and flushed %d of %d times: nothing lost; all done at most %.1f s later", round+1, round+1, n, slowest.Seconds())
		}
	}
}

// A configured Redis hangs, or is gone with its data. Submissions continue, and the jobs are done when it is back.
func TestRedisDown(t *testing.T) {
	for name, problem := range map[string]struct{ leave, back func(*ownRedis) }{
		"hangs": {
			func(r *ownRedis) { _ = r.cmd.Process.Signal(syscall.SIGSTOP) },
			func(r *ownRedis) { _ = r.cmd.Process.Signal(syscall.SIGCONT) },
		},
		"is gone": {(*ownRedis).kill, (*ownRedis).start},
	} {
		t.Run(name, func(t *testing.T) {
			redis := newRedis(t)
			s := newService(t, "--redis-url", redis.url)
			s.start()
			c := newClient(t, s)
			c.burst(inFlight/2, busyImages(), "cache=false").Wait()
			problem.leave(redis)
			worst, refused := c.submitOver(outage(t), inFlight)
			report("Redis %s for %v: of %d submissions %d got a 503 and the others a 202, the slowest after %d ms",
				name, outage(t), inFlight, refused, worst.Milliseconds())
			problem.back(redis)
			back := time.Now()
			c.kept(30 * time.Second)
			c.unchanged()
			all, _ := c.count()
			report("Redis is back: all %d jobs were done after %.1f s", all, time.Since(back).Seconds())
		})
	}
}

// A configured Redis that is not running yet prevents neither the start nor the accepting of jobs: the service is
// ready, as only the work on jobs needs Redis. When Redis starts, they are worked on.
func TestStartWithoutRedis(t *testing.T) {
	for name, absent := range map[string]func(*testing.T) *ownRedis{"a socket": absentRedis, "a port": absentRedisOnPort} {
		t.Run(name, func(t *testing.T) {
			redis := absent(t)
			s := newService(t, "--redis-url", redis.url)
			s.start() // and is ready
			if status, _, body, err := s.exchange("POST", "/api/recognize?cache=false", "image/png", images(60)[0].bytes); status != http.StatusOK {
				t.Errorf("the synchronous route returned %d %s %v", status, body, err)
			}
			c := newClient(t, s)
			worst, refused := c.submitOver(outage(t)/4, inFlight)
			report("started without Redis: of %d submissions %d got a 503 and the others a 202, the slowest after %d ms", inFlight, refused, worst.Milliseconds())
			s.kill() // jobs accepted meanwhile survive this, too
			s.start()
			all, open := c.count()
			report("%d of %d jobs were done without Redis: a node works on its own where it has a place", all-open, all)
			redis.start()
			came := time.Now()
			c.kept(30 * time.Second)
			c.unchanged()
			report("Redis has come: all jobs were done after %.1f s", time.Since(came).Seconds())
		})
	}
}

// submitOver submits n images evenly over a time. Each must be answered
// within a second, by a 202 or a 503 with Retry-After.
func (c *client) submitOver(span time.Duration, n int) (worst time.Duration, refused int) {
	c.t.Helper()
	var group sync.WaitGroup
	var mu sync.Mutex
	for i := range n {
		group.Go(func() {
			p := busyImages()[i%3]
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

package worker_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/testutil"
	"edgelens/worker"
)

func watchQueue(t *testing.T, url string) (*worker.Queue, *testutil.LogBuffer) {
	t.Helper()
	config, log := worker.DefaultConfig(), &testutil.LogBuffer{}
	config.RedisURL, config.Concurrency = url, 1
	queue, err := worker.NewQueue(config, "node", newMemory("node"), slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = queue.Close() })
	return queue, log
}

// A Redis that answers and cannot dispatch jobs is reported with the reason; one that may lose jobs causes a warning.
func TestRedisThatCannotServe(t *testing.T) {
	t.Parallel()
	acl := func(rules string) func(t *testing.T) string {
		return func(t *testing.T) string {
			server := supervisetest.Start(t, append([]string{"--user", "u", "on", ">p"}, strings.Fields(rules)...)...)
			return strings.Replace(server.URL, "://", "://u:p@", 1)
		}
	}
	with := func(args ...string) func(t *testing.T) string {
		return func(t *testing.T) string { return supervisetest.Start(t, args...).URL }
	}
	for name, test := range map[string]struct {
		url          func(t *testing.T) string
		err, warning string
	}{
		"good":                 {with(), "", ""},
		"no EVAL":              {with("--rename-command", "EVAL", ""), "EVALSHA", ""},
		"no EVALSHA":           {with("--rename-command", "EVALSHA", ""), "EVALSHA", ""},
		"scripts denied":       {acl("~* &* +@all -@scripting"), "EVALSHA", ""},
		"EVAL denied":          {acl("~* &* +@all -eval"), "EVALSHA", ""},
		"keys of asynq denied": {acl("~edgelens:* &* +@all"), "asynq:*", ""},
		"all denied":           {acl("~* &* -@all +hello +auth"), "lacks permissions", ""},
		"INFO denied":          {acl("~* &* +@all -info"), "", "maxmemory-policy"},
		"evicts":               {with("--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"), "", "allkeys-lru"},
		"would evict":          {with("--maxmemory-policy", "volatile-ttl"), "", "volatile-ttl"},
		"too old":              {func(t *testing.T) string { return oldRedis(t, "redis_version:3.2.12\r\n") }, "Redis 3.2.12 is too old", ""},
		"no version":           {func(t *testing.T) string { return oldRedis(t, "server:other\r\n") }, "", "version"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			queue, log := watchQueue(t, test.url(t))
			if test.err == "" && test.warning == "" {
				testutil.Eventually(t, "tasks are enqueued", queue.Reachable)
				if status := queue.RedisStatus(); status.Err != nil || status.Warning != "" {
					t.Errorf("%+v", status)
				}
				return
			}
			testutil.Eventually(t, "it is detected", func() bool { s := queue.RedisStatus(); return s.Err != nil || s.Warning != "" })
			status := queue.RedisStatus()
			switch {
			case test.err != "" && (status.Err == nil || !strings.Contains(status.Err.Error(), test.err) || !status.Lasting):
				t.Errorf("%+v, want an error with %q that lasts", status, test.err)
			case test.warning != "" && (status.Err != nil || !strings.Contains(status.Warning, test.warning)):
				t.Errorf("%+v, want a warning with %q", status, test.warning)
			}
			testutil.Eventually(t, "it is logged", func() bool { return strings.Contains(log.String(), test.err+test.warning) })
		})
	}
}

// An unreachable Redis may recover by itself.
func TestUnreachableRedis(t *testing.T) {
	t.Parallel()
	queue, _ := watchQueue(t, "redis://127.0.0.1:1/0")
	testutil.Eventually(t, "it is detected", func() bool { return queue.RedisStatus().Err != nil })
	if status := queue.RedisStatus(); status.Lasting {
		t.Errorf("%+v, want a temporary error", status)
	}
}

// A worker whose Redis refuses scripts polls it slowly.
func TestRedisWithoutScriptsIsPolledSlowly(t *testing.T) {
	t.Parallel()
	server := supervisetest.Start(t, "--rename-command", "EVALSHA", "", "--rename-command", "EVAL", "")
	watch(t, server.URL)
	errorsOf := func() int {
		text, err := server.Servers[0].Client.Info(t.Context(), "stats").Result()
		if err != nil {
			t.Fatal(err)
		}
		_, after, ok := strings.Cut(text, "total_error_replies:")
		n, err := strconv.Atoi(strings.TrimSpace(after[:strings.IndexByte(after, '\r')]))
		if !ok || err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		return n
	}
	testutil.Eventually(t, "it was polled", func() bool { return errorsOf() > 5 })
	before := errorsOf()
	time.Sleep(2 * time.Second) // the measure is a rate
	if n := errorsOf() - before; n > 60 {
		t.Errorf("%d refusals in 2 s", n)
	}
}

// oldRedis is a server that accepts every command, and answers INFO with info.
func oldRedis(t *testing.T, info string) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(ctx, func() { _ = conn.Close() })
			go serveOld(conn, info) // ends with the connection
		}
	}()
	t.Cleanup(func() { stop(); _ = listener.Close(); <-served })
	return "redis://" + listener.Addr().String() + "/0"
}

func serveOld(conn net.Conn, info string) {
	r := bufio.NewReader(conn)
	for {
		command, err := readCommand(r)
		if err != nil {
			_ = conn.Close()
			return
		}
		switch strings.ToLower(command[0]) {
		case "hello", "client":
			fmt.Fprintf(conn, "-ERR unknown command '%s'\r\n", command[0])
		case "info":
			fmt.Fprintf(conn, "$%d\r\n%s\r\n", len(info), info)
		default:
			fmt.Fprint(conn, ":0\r\n")
		}
	}
}

// readCommand reads an array of bulk strings (RESP2).
func readCommand(r *bufio.Reader) ([]string, error) {
	number := func(prefix byte) (int, error) {
		line, err := r.ReadString('\n')
		if err != nil {
			return 0, err
		}
		if line[0] != prefix {
			return 0, errors.New("no command")
		}
		return strconv.Atoi(strings.TrimSpace(line[1:]))
	}
	n, err := number('*')
	if err != nil || n < 1 {
		return nil, errors.Join(err, errors.New("no command"))
	}
	command := make([]string, n)
	for i := range command {
		size, err := number('$')
		if err != nil {
			return nil, err
		}
		text := make([]byte, size+2)
		if _, err := io.ReadFull(r, text); err != nil {
			return nil, err
		}
		command[i] = string(text[:size])
	}
	return command, nil
}

package main

import (
	"bufio"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"edgelens/benchmarks/load"
	"edgelens/benchmarks/made"
)

// sinkVariable has TestSink be a server.
const sinkVariable = "EDGELENS_ABUSE_SINK"

// TestSink is the server of BenchmarkOpenLoop, in a process of its own: it discards bodies of the length that it is given
// by its client, and answers each as a refusal. It ends with its standard input.
func TestSink(t *testing.T) {
	if os.Getenv(sinkVariable) == "" {
		t.Skip("this is the server of BenchmarkOpenLoop")
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(os.Stdout, listener.Addr().String()+"\n")
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for in := bufio.NewReaderSize(conn, 64<<10); readRequest(in); {
					if _, err := io.WriteString(conn, "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 400\r\n\r\n"+strings.Repeat("x", 400)); err != nil {
						return
					}
				}
			}()
		}
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// sink starts the server.
func sink(b *testing.B) (address string) {
	b.Helper()
	command := exec.Command(os.Args[0], "-test.run=^TestSink$")
	command.Env = append(os.Environ(), sinkVariable+"=1")
	stdin, err := command.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = stdin.Close()
		_ = command.Wait() // it prints its result, which nothing reads
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// BenchmarkOpenLoop is the CPU time that a request costs this process, at 1,000 a second: of a flood, and of clients with a
// goroutine each. The kernel's work on a loopback connection is the sender's for the most part.
func BenchmarkOpenLoop(b *testing.B) {
	const clients, rate = 2048, 1000
	s := &service{address: sink(b)}
	attacker := &bench{photo: made.JPEG(1280, 720)}
	attacker.serial.Store(rand.Uint64())
	for name, run := range map[string]func(ctx context.Context, schedule []time.Duration, window time.Duration) (*load.Result, error){
		"flood": func(ctx context.Context, schedule []time.Duration, window time.Duration) (*load.Result, error) {
			c := s.client(0)
			return flood(ctx, s.address, clients, answerTimeout, schedule, window, func() [][]byte { return attacker.upload(c, attacker.photo) })
		},
		"clients": func(ctx context.Context, schedule []time.Duration, window time.Duration) (*load.Result, error) {
			c := attacker.crowd(s, clients)
			defer c.close()
			return load.Open(ctx, c, clients, schedule, window)
		},
	} {
		b.Run(name, func(b *testing.B) {
			window := time.Duration(b.N) * time.Second / rate
			schedule, err := load.Schedule(rate, load.Constant, window, 1)
			if err != nil {
				b.Fatal(err)
			}
			before := ownCPU()
			r, err := run(b.Context(), schedule, window)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64((ownCPU()-before).Microseconds())/float64(len(r.Samples)), "cpu-us/request")
			b.ReportMetric((&results{}).load("", "", r, 0).Late, "late-ms-p99")
		})
	}
}

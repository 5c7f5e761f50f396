//go:build fault

package fault

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	// probeInterval and probeTimeout are those of the balancer's readiness probes. A 503 or a refused connection takes a
	// node out, as Kubernetes takes out a Pod that ends; probeTimeouts in a row do, too.
	probeInterval = 200 * time.Millisecond
	probeTimeout  = time.Second
	probeTimeouts = 3
)

// balancer passes connections on to the nodes that are ready by /readyz, as a Service of Kubernetes does: it knows
// connections and no requests. So it repeats nothing, and a connection stays with its node until one side closes it: a
// proxy for HTTP would hide what a node does wrong.
type balancer struct {
	t        *testing.T
	listener net.Listener
	next     atomic.Int64
	// refused counts connections for which no node was ready, or that a node did not accept.
	refused atomic.Int64

	mu    sync.Mutex
	ready []string // addresses

	quit  context.CancelFunc
	parts sync.WaitGroup
}

func newBalancer(t *testing.T, addresses ...string) *balancer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, quit := context.WithCancel(context.Background())
	b := &balancer{t: t, listener: listener, quit: quit}
	for _, address := range addresses {
		b.parts.Go(func() { b.probe(ctx, address) })
	}
	b.parts.Go(func() { b.accept(ctx) })
	t.Cleanup(func() {
		quit()
		_ = listener.Close()
		b.parts.Wait()
	})
	return b
}

func (b *balancer) url() string { return "http://" + b.listener.Addr().String() }

// isReady reports whether a node gets connections.
func (b *balancer) isReady(address string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Contains(b.ready, address)
}

func (b *balancer) probe(ctx context.Context, address string) {
	prober := &http.Client{Timeout: probeTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
	tick := time.NewTicker(probeInterval)
	defer tick.Stop()
	timeouts := 0
	for {
		response, err := prober.Get("http://" + address + "/readyz")
		if err == nil {
			_ = response.Body.Close() // only the status matters
		}
		if os.IsTimeout(err) {
			timeouts++
		} else {
			timeouts = 0
		}
		if timeouts == 0 || timeouts >= probeTimeouts {
			b.set(address, err == nil && response.StatusCode == http.StatusOK)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (b *balancer) set(address string, ready bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ready = slices.DeleteFunc(b.ready, func(known string) bool { return known == address })
	if ready {
		b.ready = append(b.ready, address)
	}
}

// pick returns the nodes in turn; "" where none is ready.
func (b *balancer) pick() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.ready) == 0 {
		return ""
	}
	return b.ready[int(b.next.Add(1))%len(b.ready)]
}

func (b *balancer) accept(ctx context.Context) {
	for {
		client, err := b.listener.Accept()
		if err != nil {
			return // closed
		}
		b.parts.Go(func() {
			defer client.Close()
			node, err := net.Dial("tcp", b.pick())
			if err != nil {
				b.refused.Add(1)
				return
			}
			defer node.Close()
			defer context.AfterFunc(ctx, func() { _, _ = client.Close(), node.Close() })()
			var both sync.WaitGroup
			both.Go(func() { pass(client, node) })
			both.Go(func() { pass(node, client) })
			both.Wait()
		})
	}
}

// pass copies what one side sends to the other, and its end.
func pass(from, to net.Conn) {
	_, _ = io.Copy(to, from)
	_ = to.(*net.TCPConn).CloseWrite()
}

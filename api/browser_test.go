package api_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"edgelens/api"
	"edgelens/internal/testutil/browsertest"
)

// listen serves a server of ours on a port of its own and returns host:port.
func listen(t *testing.T, edit func(*api.Config, *api.Parts)) string {
	t.Helper()
	web := httptest.NewServer(newServer(t, edit))
	t.Cleanup(web.Close)
	return web.Listener.Addr().String()
}

// evaluate opens a page and returns what an expression gives there; a promise is
// awaited.
func evaluate(t *testing.T, ctx context.Context, page, script string) string {
	t.Helper()
	browsertest.Open(t, ctx, page)
	return browsertest.Evaluate[string](t, ctx, script)
}

// rebinder forwards connections to one server and then to another, like a name
// whose address changes.
type rebinder struct {
	net.Listener

	mu     sync.Mutex
	target string
	conns  []net.Conn
	ended  sync.WaitGroup
}

func newRebinder(t *testing.T, target string) *rebinder {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &rebinder{Listener: l, target: target}
	r.ended.Go(r.accept)
	t.Cleanup(func() {
		_ = l.Close()
		r.rebind("")
		r.ended.Wait()
	})
	return r
}

// rebind cuts every connection and sends the next ones to another server.
func (r *rebinder) rebind(target string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.target = target
	for _, c := range r.conns {
		_ = c.Close()
	}
	r.conns = nil
}

func (r *rebinder) accept() {
	for {
		client, err := r.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		server, err := net.Dial("tcp", r.target)
		if err != nil {
			_ = client.Close()
			r.mu.Unlock()
			continue
		}
		r.conns = append(r.conns, client, server)
		r.mu.Unlock()
		r.ended.Go(func() { pipe(client, server) })
		r.ended.Go(func() { pipe(server, client) })
	}
}

// pipe copies until one side ends, and then ends both.
func pipe(to, from net.Conn) {
	_, err := io.Copy(to, from)
	_ = errors.Join(err, to.Close(), from.Close())
}

// A page whose name resolves to this machine has, for the browser, the same origin as
// this service. It must receive no data and send no commands.
func TestDNSRebindingInBrowser(t *testing.T) {
	ctx := browsertest.New(t)
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<title>evil</title>")
	}))
	t.Cleanup(evil.Close)
	doors := &devices{}
	service := listen(t, func(_ *api.Config, p *api.Parts) { p.Devices = doors })
	name := newRebinder(t, evil.Listener.Addr().String())
	_, port, err := net.SplitHostPort(name.Addr().String())
	if err != nil {
		t.Fatal(err)
	}

	const attack = `(async () => {
		const list = await fetch('/api/devices')
		const command = await fetch('/', {method: 'POST', body: '{"cmd":"open"}'})
		return document.title + ' ' + list.status + ' ' + command.status
	})()`
	browsertest.Open(t, ctx, "http://evil.example:"+port)
	name.rebind(service)
	if got := browsertest.Evaluate[string](t, ctx, attack); got != "evil 421 421" || len(doors.sent) != 0 {
		t.Errorf("the page got %q, and the terminals %v", got, doors.sent)
	}
	// The same requests from a page of the service itself are answered.
	if got := evaluate(t, ctx, "http://localhost:"+port+"/docs", attack); got != "edgelens API 200 200" || len(doors.sent) != 1 {
		t.Errorf("our own page got %q, and the terminals %v", got, doors.sent)
	}
}

// Pages of allowed origins can use what their setting allows, others nothing.
func TestCORSInBrowser(t *testing.T) {
	ctx := browsertest.New(t)
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<title>page</title>")
	}))
	t.Cleanup(page.Close)
	_, port, err := net.SplitHostPort(page.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	doors := &devices{}
	service := listen(t, func(c *api.Config, p *api.Parts) {
		p.Devices, p.Events, p.History = doors, happened{{Seq: 1, Type: "job", Data: []byte(`{"id":"j"}`)}}, &history{}
		c.AllowedOrigins, c.AllowedCommandOrigins = []string{"http://dash.example:" + port}, []string{"http://panel.example:" + port}
	})
	script := `(async () => {
		const url = 'http://` + service + `', got = []
		const ask = async (path, options) => {
			try {
				const answer = await fetch(url + path, options)
				got.push(answer.status + (answer.headers.get('X-Request-Id') ? '+id' : ''))
			} catch { got.push('blocked') }
		}
		await ask('/api/recognize', {method: 'POST', headers: {'Content-Type': 'application/json', 'Idempotency-Key': 'k'}, body: '{"image":"` + image64 + `"}'})
		await ask('/api/results')
		await ask('/api/devices')
		await ask('/api/devices/` + door + `/commands', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{"cmd":"open"}'})
		await ask('/', {method: 'POST', body: '{"cmd":"open"}'})
		got.push(await new Promise(done => {
			const events = new EventSource(url + '/api/events')
			const end = word => () => { events.close(); done(word) }
			events.onopen = end('open'); events.onerror = end('blocked')
		}))
		return got.join(' ')
	})()`
	for host, want := range map[string]string{
		"dash.example":  "200+id 200+id blocked blocked blocked open",
		"panel.example": "blocked blocked 200+id 202+id 200+id blocked",
		"evil.example":  "blocked blocked blocked blocked blocked blocked",
	} {
		doors.sent = nil
		if got := evaluate(t, ctx, "http://"+host+":"+port, script); got != want {
			t.Errorf("%s: got %q, want %q", host, got, want)
		}
		if commanded := len(doors.sent) > 0; commanded != (host == "panel.example") {
			t.Errorf("%s sent %v", host, doors.sent)
		}
	}
}

package api_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"edgelens"
	"edgelens/api"
	"edgelens/internal/access"
	"edgelens/internal/access/accesstest"
	"edgelens/internal/testutil"
)

// crowdedOut is the admission of a service that refuses a flood.
func crowdedOut() *refusing {
	return &refusing{err: &edgelens.Busy{RetryAfter: 3 * time.Second, Reason: "a crowd"}}
}

// serveCounting serves, and counts the requests that net/http sees.
func serveCounting(t *testing.T, edit func(*api.Config, *api.Parts)) (s *server, address string, handled *atomic.Int64) {
	t.Helper()
	s, address = serveBy(t, (*api.Server).Serve, edit, func(s *api.Server) { handled = s.CountHandled() })
	return s, address, handled
}

// post is a request for a recognition with these headers, each with its line break.
func post(headers, body string) string {
	return "POST /api/recognize HTTP/1.1\r\nHost: localhost\r\n" + headers + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
}

// comparable is the response without what differs each time.
func comparable(t *testing.T, r *http.Response, body string) string {
	t.Helper()
	for _, name := range []string{"Retry-After", "X-Request-Id", "Date"} {
		if r.Header.Get(name) == "" {
			t.Errorf("no %s: %v", name, r.Header)
		}
	}
	body = strings.ReplaceAll(body, r.Header.Get("X-Request-Id"), "ID")
	for _, name := range []string{"Retry-After", "X-Request-Id", "Date"} {
		r.Header.Del(name)
	}
	var h bytes.Buffer
	if err := r.Header.Write(&h); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(r.Proto, r.Status, r.Close, r.ContentLength, "\n", h.String(), body)
}

// A refusal that net/http does not see is the one that the middleware would have sent, also with origins in the settings.
func TestEarlyRefusalIsTheSame(t *testing.T) {
	for _, origins := range [][]string{nil, {"https://dash.example.com"}} {
		edit := func(c *api.Config, p *api.Parts) { p.Admission, c.AllowedOrigins = crowdedOut(), origins }
		_, address, handled := serveCounting(t, edit)
		_, ordinary, handledToo := serveCounting(t, func(c *api.Config, p *api.Parts) {
			edit(c, p)
			c.RateLimit, c.RateBurst = 1e6, 1e6 // which counts each request
		})
		early, late := dial(t, address), dial(t, ordinary)
		for range 3 {
			request := post("Content-Type: image/jpeg\r\nUser-Agent: door/1\r\nAccept: */*\r\n", strings.Repeat("x", 20_000))
			early.send(request)
			late.send(request)
			got, gotBody := early.answer("POST")
			want, wantBody := late.answer("POST")
			if got, want := comparable(t, got, gotBody), comparable(t, want, wantBody); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		}
		if handled.Load() != 0 || handledToo.Load() != 3 {
			t.Errorf("net/http saw %d and %d requests, want 0 and 3", handled.Load(), handledToo.Load())
		}
	}
}

// What is not as plain as can be goes by way of net/http, whatever becomes of it there.
func TestEarlyRefusalOfPlainRequestsOnly(t *testing.T) {
	_, address, handled := serveCounting(t, func(_ *api.Config, p *api.Parts) { p.Admission = crowdedOut() })
	for name, test := range map[string]struct {
		request string
		status  int
	}{
		"another path":           {strings.Replace(post("", "x"), "recognize", "recognise", 1), 404},
		"a query":                {strings.Replace(post("", "x"), "recognize", "recognize?top_k=x", 1), 400},
		"HTTP/1.0":               {strings.Replace(post("", "x"), "HTTP/1.1", "HTTP/1.0", 1), 503},
		"no host":                {strings.Replace(post("", "x"), "Host: localhost\r\n", "", 1), 400},
		"two hosts":              {post("Host: localhost\r\n", "x"), 400},
		"a foreign host":         {strings.Replace(post("", "x"), "localhost", "evil.example", 1), 421},
		"a strange host":         {strings.Replace(post("", "x"), "localhost", "local%host", 1), 421},
		"an origin":              {post("Origin: https://evil.example\r\n", "x"), 403},
		"a page of another site": {post("Sec-Fetch-Site: cross-site\r\n", "x"), 503},
		"a coding":               {post("Content-Encoding: br\r\n", "x"), 415},
		"two lengths":            {post("Content-Length: 2\r\n", "x"), 400},
		"a signed length":        {strings.Replace(post("", "x"), "Length: 1", "Length: +1", 1), 400},
		"chunks":                 {"POST /api/recognize HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", 503},
		"a folded line":          {post("User-Agent: a\r\n b\r\n", "x"), 503},
		"a space in a name":      {post("User-Agent : a\r\n", "x"), 400},
		"a bare line feed":       {post("User-Agent: a\nOrigin: https://evil.example\r\n", "x"), 403},
		"control characters":     {post("User-Agent: a\x00\r\n", "x"), 400},
		"an expectation":         {post("Expect: 100-continue\r\n", "x"), 503},
		"a deadline":             {post("Prefer: wait=1\r\n", "x"), 503},
		"the last request":       {post("Connection: close\r\n", "x"), 503},
		"a proxy":                {post("X-Forwarded-For: 10.0.0.1\r\n", "x"), 503},
		"a key that is not ours": {post("Authorization: Basic YTpi\r\n", "x"), 503},
		"a wrong key":            {post("Authorization: Bearer elk_wrong\r\n", "x"), 401},
		"a long head":            {post("User-Agent: "+strings.Repeat("a", 5000)+"\r\n", "x"), 503},
	} {
		t.Run(name, func(t *testing.T) {
			before := handled.Load()
			c := dial(t, address)
			c.send(test.request)
			response, body := c.answer("POST")
			if response.StatusCode != test.status {
				t.Errorf("got %v %s, want %d", response, body, test.status)
			}
			if refusedByHandler := test.status != 400 || strings.Contains(name, "query"); refusedByHandler && handled.Load() == before {
				t.Error("net/http did not see it")
			}
		})
	}
	large := dial(t, address)
	large.send(head(10 << 20)) // without a body, which is not waited for
	if response, _ := large.answer("POST"); response.StatusCode != 503 || !response.Close {
		t.Errorf("a large one: %v", response)
	}
}

// Requests follow each other in any pieces, and what may be read is answered as ever; the admission is asked once for each.
func TestEarlyRefusalsInTurn(t *testing.T) {
	admission := &everyOther{}
	_, address, handled := serveCounting(t, func(_ *api.Config, p *api.Parts) { p.Admission = admission })
	c := dial(t, address)
	body := strings.Repeat("x", 9000)
	request := post("Content-Type: image/jpeg\r\n", body)
	for n, pieces := range [][]int{{len(request)}, {len(request)}, {1, 20, 4095}, {120}, {120, 5000}, {4096}, {4097}, {len(request)}, {len(request)}, {len(request)}} {
		rest := request
		for _, size := range pieces {
			size = min(size, len(rest))
			c.send(rest[:size])
			rest = rest[size:]
			time.Sleep(time.Millisecond) // the pieces are to arrive one by one, mostly
		}
		c.send(rest)
		want := []int{503, 200}[n%2]
		if response, answer := c.answer("POST"); response.StatusCode != want {
			t.Fatalf("request %d: got %v %s, want %d", n, response, answer, want)
		}
	}
	if admission.calls.Load() != 10 {
		t.Errorf("the admission was asked %d times, want once for each of 10", admission.calls.Load())
	}
	if seen := handled.Load(); seen < 5 || seen == 10 {
		t.Errorf("net/http saw %d requests: the 5 that were answered, and a head in pieces", seen)
	}
	c.send(request + request + "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n") // all at once
	for _, want := range []int{503, 200, 200} {
		if response, answer := c.answer("POST"); response.StatusCode != want {
			t.Fatalf("pipelined: got %v %s, want %d", response, answer, want)
		}
	}
}

// everyOther refuses every other request, the first one, too.
type everyOther struct{ calls atomic.Int64 }

func (e *everyOther) Admit(time.Duration) (arrived func(), err error) {
	if e.calls.Add(1)%2 == 1 {
		return nil, crowdedOut().err
	}
	return func() {}, nil
}

// admitting lets everyone through, and counts whose end it does not know.
type admitting struct{ admitted, underWay atomic.Int64 }

func (a *admitting) Admit(time.Duration) (arrived func(), err error) {
	a.admitted.Add(1)
	a.underWay.Add(1)
	return sync.OnceFunc(func() { a.underWay.Add(-1) }), nil
}

// The admission learns that a request has arrived before it is recognized, and that it has ended where it does not get that far.
func TestAdmittedRequestsEnd(t *testing.T) {
	admission := &admitting{}
	s, address := serve(t, func(_ *api.Config, p *api.Parts) { p.Admission = admission })
	var tooLate atomic.Int64
	s.recognizer.seen = func() { tooLate.Add(admission.underWay.Load()) }
	plain := "Content-Type: image/jpeg\r\n"
	body := strings.Repeat("x", 9000)
	for name, test := range map[string]struct {
		request             string
		breaksOff, admitted bool
	}{
		"plain":              {post(plain, body), false, true},
		"not plain":          {post(plain+"X-Other: 1\r\n", body), false, true},
		"a form":             {post("Content-Type: multipart/form-data; boundary=b\r\n", "--b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.jpg\"\r\n\r\nxxxx\r\n--b--\r\n"), false, true},
		"an option is wrong": {strings.Replace(post(plain, body), "/api/recognize", "/api/recognize?top_k=x", 1), false, false},
		"no image":           {post("Content-Type: text/plain\r\n", "hello"), false, true},
		"another path":       {strings.Replace(post(plain, body), "/api/recognize", "/api/none", 1), false, false},
		"broken off":         {post(plain, body)[:2000], true, true},
		"not plain either":   {post(plain+"X-Other: 1\r\n", body)[:2000], true, true},
		"a head alone":       {post(plain, body)[:20], true, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, address)
			c.send(test.request)
			if test.breaksOff {
				testutil.Eventually(t, "it is being read", func() bool { return !test.admitted || admission.underWay.Load() == 1 })
				_ = c.Close()
			} else {
				c.answer("POST")
			}
			testutil.Eventually(t, "its end is known", func() bool { return admission.underWay.Load() == 0 })
			if admitted := admission.admitted.Swap(0) == 1; admitted != test.admitted {
				t.Errorf("admitted: %v, want %v", admitted, test.admitted)
			}
		})
	}
	if tooLate.Load() > 0 {
		t.Error("requests counted as on their way while they were recognized")
	}
}

// A body that takes its time is skipped in a few steps, and the small request behind it is noticed at once.
func TestEarlyRefusalOfSlowBodies(t *testing.T) {
	_, address, handled := serveCounting(t, func(_ *api.Config, p *api.Parts) { p.Admission = crowdedOut() })
	c := dial(t, address)
	for _, size := range []int{250_000, 140_000, 20_000} {
		rest := post("", strings.Repeat("x", size))
		for len(rest) > 0 {
			piece := min(17_000, len(rest))
			c.send(rest[:piece])
			rest = rest[piece:]
			time.Sleep(time.Millisecond) // the pieces are to arrive one by one, mostly
		}
		for _, request := range []string{"", post("", "x"), post("", strings.Repeat("x", 100))} {
			c.send(request)
			if response, answer := c.answer("POST"); response.StatusCode != 503 {
				t.Fatalf("%d bytes: got %v %s", size, response, answer)
			}
		}
	}
	if handled.Load() != 0 {
		t.Errorf("net/http saw %d requests", handled.Load())
	}
}

// A client that sends requests and reads no answer is cut off, and so is one that leaves in the middle of a body.
func TestEarlyRefusalOfDeafClients(t *testing.T) {
	s, address, _ := serveCounting(t, func(_ *api.Config, p *api.Parts) { p.Admission = crowdedOut() })
	deaf := dial(t, address)
	request := post("", strings.Repeat("x", 9000))
	begun := time.Now()
	for {
		if _, err := io.WriteString(deaf.TCPConn, request); err != nil {
			break
		}
	}
	if time.Since(begun) > 25*time.Second {
		t.Error("it was not cut off")
	}
	half := dial(t, address)
	half.send(post("", strings.Repeat("x", 9000))[:5000])
	if err := half.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if response, body := half.answer("POST"); response.StatusCode != 503 {
		t.Errorf("it may still read: got %v %s", response, body)
	}
	half.closed(5 * time.Second)
	testutil.Eventually(t, "no connection is left", func() bool {
		all := testutil.Metrics(t, s.metrics)
		return all["edgelens_http_connections active"]+all["edgelens_http_connections idle"] == 0
	})
}

// Keys are checked before anything is refused early.
func TestEarlyRefusalWithKeys(t *testing.T) {
	keys, err := access.Open(t.Context(), access.Config{}, access.Parts{
		Store: &accesstest.Store{}, SessionFile: filepath.Join(t.TempDir(), "session.key"), Log: (&testutil.LogBuffer{}).Logger(),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, good, err := keys.CreateKey(t.Context(), edgelens.Key{Name: "good", Scopes: []edgelens.Scope{edgelens.ScopeRecognize}})
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := keys.CreateKey(t.Context(), edgelens.Key{Name: "other", Scopes: []edgelens.Scope{edgelens.ScopeMetrics}})
	if err != nil {
		t.Fatal(err)
	}
	_, address, handled := serveCounting(t, func(c *api.Config, p *api.Parts) { c.Open, p.Access, p.Admission = false, keys, crowdedOut() })
	for _, test := range []struct {
		name, headers string
		status        int
		early         bool
	}{
		{"bearer", "Authorization: Bearer " + good + "\r\n", 503, true},
		{"header", "X-API-Key: " + good + "\r\n", 503, true},
		{"both", "X-API-Key: " + good + "\r\nAuthorization: bearer " + good + "\r\n", 503, false},
		{"two", "X-API-Key: " + good + "\r\nAuthorization: Bearer " + other + "\r\n", 400, false},
		{"another scope", "Authorization: Bearer " + other + "\r\n", 403, false},
		{"wrong", "Authorization: Bearer " + good + "x\r\n", 401, false},
		{"none", "", 401, false},
	} {
		before := handled.Load()
		c := dial(t, address)
		c.send(post(test.headers, "x"))
		if response, body := c.answer("POST"); response.StatusCode != test.status || (handled.Load() == before) != test.early {
			t.Errorf("%s: got %v %s, want %d, early %v", test.name, response, body, test.status, test.early)
		}
	}
}

// FuzzPlainHead compares what is read with net/http.
func FuzzPlainHead(f *testing.F) {
	f.Add([]byte(post("Content-Type: image/jpeg\r\nUser-Agent: a\r\nAccept: */*\r\nConnection: keep-alive\r\n", "12345")))
	f.Add([]byte(post("Authorization: Bearer elk_a\r\nAccept-Encoding: gzip\r\nAccept-Language: de\r\n", "1")))
	f.Add([]byte(post("X-Api-Key:elk_b \r\nHost: b\r\n", "1")))
	f.Add([]byte(post("content-length: 2\r\nTransfer-Encoding: chunked\r\n", "1")))
	f.Fuzz(func(t *testing.T, received []byte) {
		size, length, host, token, ok := api.PlainHead(received)
		if !ok {
			return
		}
		reader := bufio.NewReaderSize(bytes.NewReader(received), len(received)+16)
		r, err := http.ReadRequest(reader)
		if err != nil {
			t.Fatalf("net/http refuses it: %v", err)
		}
		if r.Method != "POST" || r.RequestURI != "/api/recognize" || !r.ProtoAtLeast(1, 1) || r.Host != host || r.ContentLength != int64(length) || len(r.TransferEncoding) > 0 || r.Close {
			t.Errorf("got %d, %q, net/http has %+v", length, host, r)
		}
		if read := len(received) - reader.Buffered(); read != size {
			t.Errorf("the head has %d bytes, net/http read %d", size, read)
		}
		if want, err := api.HeaderToken(r.Header); err != nil || want != token {
			t.Errorf("the key is %q, net/http has %q, %v", token, want, err)
		}
		for _, name := range []string{"Expect", "Prefer", "Origin", "Content-Encoding", "Cookie", "Forwarded", "Via"} {
			if r.Header.Get(name) != "" {
				t.Errorf("it has %s", name)
			}
		}
	})
}

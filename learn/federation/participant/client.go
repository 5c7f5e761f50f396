package participant

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"edgelens"
	"edgelens/learn/federation"
)

const (
	// callTimeout bounds one message with its answer, and partTimeout one part of an upload or a head.
	callTimeout = 30 * time.Second
	partTimeout = 100 * time.Second
)

// client calls a coordinator. It is safe for use by many goroutines.
type client struct {
	base string
	http *http.Client
}

// newClient returns a client of the coordinator at an address, http or https. ca are certificates to trust, PEM, in place of
// the system's where it is not empty. The error wraps edgelens.ErrInvalid.
func newClient(address, ca string) (*client, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%w: the address of the coordinator must be like https://coordinator:8443", edgelens.ErrInvalid)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: callTimeout, IdleConnTimeout: time.Minute}
	if ca != "" {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM([]byte(ca)) {
			return nil, fmt.Errorf("%w: there is no certificate in PEM to trust", edgelens.ErrInvalid)
		}
		transport.TLSClientConfig.RootCAs = pool
	}
	return &client{
		base: strings.TrimRight(address, "/") + federation.Path,
		http: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}, nil
}

// close ends the connections.
func (c *client) close() { c.http.CloseIdleConnections() }

// send posts a message to a path and returns the answer. Its error may be a federation.Refusal.
func (c *client) send(ctx context.Context, path string, message []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return c.call(ctx, http.MethodPost, path, message, nil, federation.MaxMessage)
}

// call makes a request and returns the body of its answer, of at most limit bytes. Its error may be a federation.Refusal.
func (c *client) call(ctx context.Context, method, path string, body []byte, header http.Header, limit int64) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("call the coordinator: %w: %w", edgelens.ErrInvalid, err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(r)
	if err != nil {
		return nil, fmt.Errorf("call the coordinator: %w", err)
	}
	defer response.Body.Close() // read only
	text, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	switch {
	case response.StatusCode != http.StatusOK && response.StatusCode != http.StatusPartialContent:
		return nil, refusalIn(response.Status, text)
	case int64(len(text)) > limit:
		return nil, fmt.Errorf("call the coordinator: %w: its answer has more than %d bytes", edgelens.ErrInvalid, limit)
	case err != nil:
		return text, fmt.Errorf("read the answer of the coordinator: %w", err)
	}
	return text, nil
}

// refusalIn reads the body of a refused request.
func refusalIn(status string, body []byte) error {
	var form struct {
		Reason federation.Reason `json:"reason"`
		Detail string            `json:"detail"`
	}
	if json.Unmarshal(body, &form) != nil || form.Reason == "" {
		return fmt.Errorf("the coordinator answered %s", status)
	}
	return &federation.Refusal{Reason: form.Reason, Detail: strings.ToValidUTF8(fmt.Sprintf("%.300s", form.Detail), "")}
}

// maxAttempts is how often a transfer that was cut goes on without any progress.
const maxAttempts = 5

// fetch returns a document of at most limit bytes. One that was cut goes on where it stopped.
func (c *client) fetch(ctx context.Context, path string, limit int64) ([]byte, error) {
	var whole []byte
	for failures := 0; ; {
		header := http.Header{}
		if len(whole) > 0 {
			header.Set("Range", fmt.Sprintf("bytes=%d-", len(whole)))
		}
		part, cancel := context.WithTimeout(ctx, partTimeout)
		text, err := c.call(part, http.MethodGet, path, nil, header, limit-int64(len(whole)))
		cancel()
		whole = append(whole, text...)
		if err == nil {
			return whole, nil
		}
		if failures++; len(text) > 0 {
			failures = 0
		}
		if _, refused := errors.AsType[*federation.Refusal](err); refused || failures >= maxAttempts || ctx.Err() != nil || errors.Is(err, edgelens.ErrInvalid) {
			return nil, err
		}
		if !pause(ctx, failures) {
			return nil, err
		}
	}
}

// upload sends data to a path; what the coordinator has of it is not sent again, and an upload that was cut goes on where it
// stopped. Its error may be a federation.Refusal.
func (c *client) upload(ctx context.Context, path string, data []byte) error {
	total, before := int64(len(data)), int64(-1)
	for failures := 0; ; {
		received, err := c.received(ctx, path)
		if err == nil && received >= total {
			return nil
		}
		if err == nil {
			header := http.Header{"Content-Range": {fmt.Sprintf("bytes %d-%d/%d", received, total-1, total)}}
			part, cancel := context.WithTimeout(ctx, partTimeout)
			_, err = c.call(part, http.MethodPut, path, data[received:], header, federation.MaxMessage)
			cancel()
		}
		refused, _ := errors.AsType[*federation.Refusal](err)
		if err == nil || refused != nil && refused.Reason != federation.WrongOffset {
			return err
		}
		if failures++; received > before {
			failures, before = 1, received
		}
		if failures >= maxAttempts || !pause(ctx, failures) {
			return err
		}
	}
}

// received returns how many bytes of an upload the coordinator has.
func (c *client) received(ctx context.Context, path string) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	text, err := c.call(ctx, http.MethodGet, path, nil, nil, federation.MaxMessage)
	if err != nil {
		return 0, err
	}
	var form struct {
		Received int64 `json:"received"`
	}
	if err := json.Unmarshal(text, &form); err != nil || form.Received < 0 {
		return 0, fmt.Errorf("%w: the coordinator's answer cannot be read", edgelens.ErrInvalid)
	}
	return form.Received, nil
}

// pause waits before another attempt; false where ctx ends before.
func pause(ctx context.Context, failures int) bool {
	select {
	case <-time.After(time.Duration(failures) * 100 * time.Millisecond):
		return true
	case <-ctx.Done():
		return false
	}
}

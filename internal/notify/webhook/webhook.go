// Package webhook posts terminals' records to an HTTP receiver, with the fields of
// the reference service's bridge, signed according to Standard Webhooks
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"edgelens"
	"edgelens/internal/notify"
	"edgelens/internal/notify/event"
)

const (
	// Sink is the webhook's name in the outbox.
	Sink = "webhook"
	// SignatureHeader has the signature of the body's bytes by the key of the node.
	SignatureHeader = "Edgelens-Signature"
	// maxReply is the maximum number of bytes of a reply that are read.
	maxReply = 64 << 10
)

// The records that are posted.
const (
	RecordsPassed = "passed" // access was granted
	RecordsAll    = "all"
)

// The form of the image.
const (
	ImageBase64  = "base64"   // as the reference service's bridge sends it
	ImageDataURI = "data_uri" // with data:image/...;base64, in front
	ImageNone    = "none"     // img is ""
)

// Config is the receiver and what is posted to it.
type Config struct {
	// URL is the address of the receiver; empty for none. It may be private: the
	// operator sets it.
	URL string
	// Secret is the signing key: base64, with or without a leading "whsec_". Empty for none.
	Secret string
	// Records is RecordsPassed or RecordsAll.
	Records string
	// Insights posts insights, too.
	Insights bool
	// States posts changes of states, too.
	States bool
	// Image is ImageBase64, ImageDataURI or ImageNone.
	Image string
	// Timeout bounds one delivery, the reply included.
	Timeout time.Duration
	// Headers are sent with every delivery, a "Name: value" a line; such as
	// Authorization. They are secret.
	Headers string
	// CAFile is a PEM file of certificates that are trusted in addition to the system's.
	CAFile string
}

// DefaultConfig posts granted accesses, with the image, within 15 s.
func DefaultConfig() Config {
	return Config{Records: RecordsPassed, Image: ImageBase64, Timeout: 15 * time.Second}
}

// Validate reports every invalid setting at once, each with its name. It does not
// repeat a secret.
func (c Config) Validate() error {
	var errs []error
	if c.URL != "" {
		u, err := url.Parse(c.URL)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			errs = append(errs, errors.New("url must be an http:// or https:// address"))
		}
	}
	if _, err := c.key(); err != nil {
		errs = append(errs, err)
	}
	if _, err := c.headers(); err != nil {
		errs = append(errs, err)
	}
	if c.Records != RecordsPassed && c.Records != RecordsAll {
		errs = append(errs, fmt.Errorf("records must be %s or %s, not %q", RecordsPassed, RecordsAll, c.Records))
	}
	if c.Image != ImageBase64 && c.Image != ImageDataURI && c.Image != ImageNone {
		errs = append(errs, fmt.Errorf("image must be %s, %s or %s, not %q", ImageBase64, ImageDataURI, ImageNone, c.Image))
	}
	if c.Timeout < 100*time.Millisecond || c.Timeout > 5*time.Minute {
		errs = append(errs, fmt.Errorf("timeout must be 100ms to 5m, not %v", c.Timeout))
	}
	return errors.Join(errs...)
}

// key returns the bytes of the secret; none where no secret is set.
func (c Config) key() ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(c.Secret, "whsec_"))
	if err != nil || c.Secret != "" && len(key) < 16 {
		return nil, errors.New("secret must be at least 16 bytes in base64, with or without whsec_ in front")
	}
	return key, nil
}

// Wants reports whether the record is to be posted, and whether with its image.
func (c Config) Wants(r *edgelens.Record) (wanted, image bool) {
	wanted = c.URL != "" && (c.Records == RecordsAll || r.Passed)
	return wanted, wanted && c.Image != ImageNone
}

// WantsInsights reports whether insights are to be posted.
func (c Config) WantsInsights() bool { return c.URL != "" && c.Insights }

// WantsStates reports whether changes of states are to be posted.
func (c Config) WantsStates() bool { return c.URL != "" && c.States }

// Images provides the images; package ledger implements it.
type Images interface {
	// Image returns the encoded image under an id. Errors:
	// edgelens.ErrNotFound.
	Image(ctx context.Context, id string) ([]byte, error)
}

// Webhook is a notify.Sink. It is safe for use by many goroutines.
type Webhook struct {
	config   Config
	key      []byte
	images   Images
	composer event.Composer
	headers  http.Header
	client   *http.Client
	now      func() time.Time
}

// New returns a Webhook. The error is that of config.Validate, or the reason why
// config.CAFile cannot be used.
func New(config Config, composer event.Composer, images Images) (*Webhook, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("set up the webhook: %w: %w", edgelens.ErrInvalid, err)
	}
	key, err := config.key()
	if err != nil {
		return nil, err
	}
	headers, err := config.headers()
	if err != nil {
		return nil, err
	}
	roots, err := config.roots()
	if err != nil {
		return nil, fmt.Errorf("set up the webhook: %w: %w", edgelens.ErrInvalid, err)
	}
	return &Webhook{config: config, key: key, headers: headers, images: images, composer: composer, now: time.Now, client: &http.Client{
		Timeout: config.Timeout,
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute,
			TLSHandshakeTimeout: config.Timeout, TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: maxReply,
		},
		// A redirect is not followed: it may lead anywhere, and a POST that is
		// redirected may arrive without its body.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Close closes idle connections.
func (w *Webhook) Close() { w.client.CloseIdleConnections() }

// Name implements notify.Sink.
func (w *Webhook) Name() string { return Sink }

// Deliver implements notify.Sink. Any status 2xx confirms; 400, 410, 415 and 422
// are notify.ErrRejected, 413 is edgelens.ErrTooLarge; all others may be temporary.
func (w *Webhook) Deliver(ctx context.Context, d *edgelens.Delivery) error {
	body, err := w.bodyOf(ctx, d)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.config.URL, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("post to the webhook: %w", err)
	}
	maps.Copy(request.Header, w.headers)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "edgelens")
	if d.Trace != "" {
		request.Header.Set("traceparent", string(d.Trace))
	}
	w.sign(request.Header, d.Record.ID, body)
	reply, err := w.client.Do(request)
	if err != nil {
		return fmt.Errorf("post to the webhook: %w", withoutURL(err))
	}
	d.Status = reply.StatusCode
	defer reply.Body.Close()
	// Read the body, so that the connection can be reused; an endless body runs into
	// the client's timeout.
	if _, err := io.Copy(io.Discard, io.LimitReader(reply.Body, maxReply)); err != nil {
		return fmt.Errorf("read the webhook's reply: %w", withoutURL(err))
	}
	switch {
	case reply.StatusCode >= 200 && reply.StatusCode < 300:
		return nil
	case reply.StatusCode == http.StatusRequestEntityTooLarge:
		return fmt.Errorf("the webhook answers %s: %w", reply.Status, edgelens.ErrTooLarge)
	case slices.Contains(rejections, reply.StatusCode):
		return fmt.Errorf("the webhook answers %s: %w", reply.Status, notify.ErrRejected)
	case reply.StatusCode >= 300 && reply.StatusCode < 400:
		return fmt.Errorf("the webhook answers %s; redirects are not followed: set webhook.url to their target", reply.Status)
	}
	return later(reply, w.now(), fmt.Errorf("the webhook answers %s%s", reply.Status, advice[reply.StatusCode]))
}

// rejections are the statuses of a receiver that will never accept the event.
var rejections = []int{http.StatusBadRequest, http.StatusGone, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity}

// advice is what to do about a status that may be temporary.
var advice = map[int]string{
	http.StatusUnauthorized: "; check the credentials (webhook.headers, webhook.secret)",
	http.StatusForbidden:    "; it must allow this service to post",
	http.StatusNotFound:     "; check the path in webhook.url",
}

// sign sets the headers of Standard Webhooks; the signature covers
// "id.timestamp.body", with HMAC-SHA256.
func (w *Webhook) sign(header http.Header, id string, body []byte) {
	stamp := strconv.FormatInt(w.now().Unix(), 10)
	header.Set("webhook-id", id)
	header.Set("webhook-timestamp", stamp)
	if w.composer.Signer != nil {
		if signature := w.composer.Signer.SignBytes(body); signature != "" {
			header.Set(SignatureHeader, signature)
		}
	}
	if len(w.key) == 0 {
		return
	}
	mac := hmac.New(sha256.New, w.key)
	mac.Write([]byte(id + "." + stamp + "."))
	mac.Write(body)
	header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

// withoutURL removes the address, which may hold a password, from an error.
func withoutURL(err error) error {
	var problem *url.Error
	if errors.As(err, &problem) {
		return problem.Err
	}
	return err
}

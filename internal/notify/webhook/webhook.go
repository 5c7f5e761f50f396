// Package webhook tells an HTTP receiver of terminals' records, in the words of
// the article's bridge, signed as Standard Webhooks asks
// (https://github.com/standard-webhooks/standard-webhooks).
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
	// maxReply is how much of a reply is read.
	maxReply = 64 << 10
)

// Which records the receiver is told of.
const (
	RecordsPassed = "passed" // somebody was let in
	RecordsAll    = "all"
)

// How the image is sent.
const (
	ImageBase64  = "base64"   // as the article's bridge does
	ImageDataURI = "data_uri" // with data:image/...;base64, in front
	ImageNone    = "none"     // img is ""
)

// Config is the receiver and what it is told.
type Config struct {
	// URL is where to POST; empty for nobody. It may be private: it is the
	// operator's own.
	URL string
	// Secret signs: base64, with "whsec_" in front or not. Empty for none.
	Secret string
	// Records is RecordsPassed or RecordsAll.
	Records string
	// Image is ImageBase64, ImageDataURI or ImageNone.
	Image string
	// Timeout bounds one delivery, the reply included.
	Timeout time.Duration
	// Headers are sent with every delivery, a "Name: value" a line; such as
	// Authorization. They are secret.
	Headers string
	// CAFile is a file of certificates in PEM that are trusted beside the system's.
	CAFile string
}

// DefaultConfig tells of passed records, with the image, within 15 s.
func DefaultConfig() Config {
	return Config{Records: RecordsPassed, Image: ImageBase64, Timeout: 15 * time.Second}
}

// Validate reports every fault at once, each with its setting's name. It does
// not repeat a secret.
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

// key returns the bytes of the secret; none for no secret.
func (c Config) key() ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(c.Secret, "whsec_"))
	if err != nil || c.Secret != "" && len(key) < 16 {
		return nil, errors.New("secret must be at least 16 bytes in base64, with or without whsec_ in front")
	}
	return key, nil
}

// Wants reports whether the receiver is to be told of the record, and with its
// image.
func (c Config) Wants(r *edgelens.Record) (told, image bool) {
	told = c.URL != "" && (c.Records == RecordsAll || r.Passed)
	return told, told && c.Image != ImageNone
}

// Images is where images are; package ledger has them.
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

// New returns a Webhook. The error is that of config.Validate, or says why
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
		// A redirect is not followed: it may lead anywhere, and a POST along
		// one may arrive without its body.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Close lets go of idle connections.
func (w *Webhook) Close() { w.client.CloseIdleConnections() }

// Name implements notify.Sink.
func (w *Webhook) Name() string { return Sink }

// Deliver implements notify.Sink. Any status 2xx confirms; 400, 410, 415 and 422
// are notify.ErrRejected, 413 is edgelens.ErrTooLarge; everything else may pass.
func (w *Webhook) Deliver(ctx context.Context, d *edgelens.Delivery) error {
	body, err := w.body(ctx, d)
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
	w.sign(request.Header, d.Record.ID, body)
	reply, err := w.client.Do(request)
	if err != nil {
		return fmt.Errorf("post to the webhook: %w", withoutURL(err))
	}
	defer reply.Body.Close()
	// Read, so that the connection can be used again; a body that never ends
	// meets the client's timeout.
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
		return fmt.Errorf("the webhook answers %s; redirects are not followed: set webhook.url to where it leads", reply.Status)
	}
	return later(reply, w.now(), fmt.Errorf("the webhook answers %s%s", reply.Status, advice[reply.StatusCode]))
}

// rejections are the answers of a receiver that will never take the event.
var rejections = []int{http.StatusBadRequest, http.StatusGone, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity}

// advice says what to do about an answer that may pass.
var advice = map[int]string{
	http.StatusUnauthorized: "; check how it wants to be asked (webhook.headers, webhook.secret)",
	http.StatusForbidden:    "; it must let this service post",
	http.StatusNotFound:     "; check the path in webhook.url",
}

// sign sets the headers of Standard Webhooks: what is signed is
// "id.timestamp.body", with HMAC-SHA256.
func (w *Webhook) sign(header http.Header, id string, body []byte) {
	stamp := strconv.FormatInt(w.now().Unix(), 10)
	header.Set("webhook-id", id)
	header.Set("webhook-timestamp", stamp)
	if len(w.key) == 0 {
		return
	}
	mac := hmac.New(sha256.New, w.key)
	mac.Write([]byte(id + "." + stamp + "."))
	mac.Write(body)
	header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

// withoutURL keeps an address, which may hold a password, out of the log.
func withoutURL(err error) error {
	var problem *url.Error
	if errors.As(err, &problem) {
		return problem.Err
	}
	return err
}

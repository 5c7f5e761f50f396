package api

import (
	"errors"
	"fmt"
	"net"
	"time"

	"edgelens/internal/certificate"
)

// Config limits the requests of clients.
type Config struct {
	// Listen is the host:port to bind; port 0 picks a free one.
	Listen string
	// MaxImageBytes is the maximum size of an encoded image.
	MaxImageBytes int64
	// MaxUploadBytes limits all uploads in memory at a time together.
	MaxUploadBytes int64
	// ReadTimeout is how long a client may take to send its request.
	ReadTimeout time.Duration
	// MaxConnectionsPerAddress is how many connections one address may have, or one /64 of
	// IPv6, other than this machine and trusted proxies; 0: no limit.
	MaxConnectionsPerAddress int
	// PublicURL is the base URL for clients; "" means the listen address.
	PublicURL string
	// AllowedHosts are further host names that requests may have; "*"
	// means any name.
	AllowedHosts []string
	// AllowedOrigins are the origins whose web pages may use recognition, jobs,
	// results and events; "*" means any origin.
	AllowedOrigins []string
	// AllowedCommandOrigins are those whose pages may read devices, change them
	// and send commands.
	AllowedCommandOrigins []string
	// TLS has the certificate; without one, requests come in plain text.
	TLS certificate.Files
	// ClientCA is a PEM file of the authorities whose certificates clients may show, or ClientCAOwn; "" for none. ClientAuth is
	// ClientAuthOptional or ClientAuthRequire.
	ClientCA, ClientAuth string
	// ClientCRLs are files with the revocation lists of the authorities of the file ClientCA; none: theirs are not checked.
	ClientCRLs []string
	// RateLimit is the maximum number of requests per second of one client, on average; 0 is no limit. RateBurst is how
	// many it may send at once; at least 1.
	RateLimit float64
	RateBurst int
	// Open lets every client use the service without a key.
	Open bool
	// TrustedProxies are the addresses and networks whose forwarded headers
	// are trusted.
	TrustedProxies []string
}

// DefaultConfig listens on the loopback interface and accepts images of up to
// 20 MiB, 192 MiB of them at a time, on 256 connections of an address.
func DefaultConfig() Config {
	return Config{
		Listen: "127.0.0.1:8080", MaxImageBytes: 20 << 20, MaxUploadBytes: 96 << 20, ReadTimeout: 60 * time.Second, MaxConnectionsPerAddress: 256, RateBurst: 20, ClientAuth: ClientAuthOptional,
	}
}

// Validate reports all errors together, each with its setting's name.
func (c Config) Validate() error {
	var errs []error
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		errs = append(errs, fmt.Errorf("listen must be host:port such as 127.0.0.1:8080, not %q", c.Listen))
	}
	if c.MaxImageBytes < 1<<10 || c.MaxImageBytes > 1<<30 {
		errs = append(errs, fmt.Errorf("max_image_bytes must be 1024 to %d, not %d", 1<<30, c.MaxImageBytes))
	}
	if c.MaxUploadBytes < c.maxBodyBytes() {
		errs = append(errs, fmt.Errorf("max_upload_bytes must be at least %d, what one image of max_image_bytes takes as base64, not %d", c.maxBodyBytes(), c.MaxUploadBytes))
	}
	if c.ReadTimeout < time.Second {
		errs = append(errs, fmt.Errorf("read_timeout must be at least 1s, not %v", c.ReadTimeout))
	}
	if !(c.RateLimit >= 0 && c.RateLimit <= maxRate) { // NaN too
		errs = append(errs, fmt.Errorf("rate_limit must be 0 (no limit) to %d requests per second, not %v", maxRate, c.RateLimit))
	}
	if c.RateBurst < 1 || c.RateBurst > maxRate {
		errs = append(errs, fmt.Errorf("rate_burst must be 1 to %d, not %d", maxRate, c.RateBurst))
	}
	if err := c.TLS.Validate(); err != nil {
		errs = append(errs, err)
	}
	errs = append(errs, c.validateClientAuth()...)
	if c.MaxConnectionsPerAddress < 0 {
		errs = append(errs, fmt.Errorf("max_connections_per_address must be 0 (no limit) or more, not %d", c.MaxConnectionsPerAddress))
	}
	errs = append(errs, checkAllowedHosts(c.AllowedHosts)...)
	errs = append(errs, checkOrigins("allowed_origins", c.AllowedOrigins, true)...)
	errs = append(errs, checkOrigins("allowed_command_origins", c.AllowedCommandOrigins, false)...)
	errs = append(errs, checkTrustedProxies(c.TrustedProxies)...)
	return errors.Join(errs...)
}

// maxRate is more than any machine serves.
const maxRate = 1_000_000

// maxBodyBytes is the maximum size of a body: base64 makes 4 bytes of 3, and the
// envelope around it has some room.
func (c Config) maxBodyBytes() int64 { return c.MaxImageBytes/3*4 + 64<<10 }

// Scheme is how the URLs of this service begin: "http" or "https".
func (c Config) Scheme() string {
	if c.TLS.IsSet() {
		return "https"
	}
	return "http"
}

package telemetry

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"edgelens/internal/headerlines"
)

// TracesConfig is where traces are sent, and which.
type TracesConfig struct {
	// Endpoint is the URL of a collector that takes OTLP over HTTP; its path is /v1/traces where it has none. Empty: no
	// traces are recorded.
	Endpoint string
	// Sample is the share of the traces that begin here which are recorded, in [0, 1]; for others, who began them decides.
	Sample float64
	// Headers are sent along, a "Name: value" a line, such as Authorization. They are secret.
	Headers string
}

// DefaultTracesConfig records nothing, and everything once there is an endpoint.
func DefaultTracesConfig() TracesConfig { return TracesConfig{Sample: 1} }

// defaultPath is that of OTLP over HTTP.
const defaultPath = "/v1/traces"

// Validate reports all errors at once, each with its setting's name. It repeats no secret.
func (c TracesConfig) Validate() error {
	var errs []error
	if _, err := c.url(); err != nil {
		errs = append(errs, err)
	}
	if !(c.Sample >= 0 && c.Sample <= 1) { // NaN too
		errs = append(errs, fmt.Errorf("sample must be 0 to 1, not %v", c.Sample))
	}
	if _, err := c.headers(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// url returns where to post spans; "" for no endpoint.
func (c TracesConfig) url() (string, error) {
	if c.Endpoint == "" {
		return "", nil
	}
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", errors.New("endpoint must be an http:// or https:// URL such as http://127.0.0.1:4318") // not repeated: it may contain a password
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = defaultPath
	}
	return u.String(), nil
}

// exportHeaders are those that an export sets itself, in canonical form.
var exportHeaders = map[string]bool{
	"Content-Type": true, "Content-Length": true, "Content-Encoding": true, "Transfer-Encoding": true, "Connection": true, "Host": true,
}

// headers parses Headers. The error repeats no value.
func (c TracesConfig) headers() (http.Header, error) {
	return headerlines.Parse(c.Headers, exportHeaders)
}

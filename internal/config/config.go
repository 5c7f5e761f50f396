// Package config gathers the Config of every package, fills them from flags,
// environment, file and defaults (in that order of precedence), and reports
// all errors at once.
package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"edgelens/api"
	"edgelens/homeassistant"
	"edgelens/identity/envelope"
	"edgelens/identity/signing"
	"edgelens/inference"
	"edgelens/internal/access"
	"edgelens/internal/cache"
	"edgelens/internal/ledger"
	"edgelens/internal/notify/webhook"
	"edgelens/internal/supervise"
	"edgelens/internal/telemetry"
	"edgelens/preprocess"
	"edgelens/preprocess/sandbox"
	"edgelens/recognize"
	"edgelens/sensor"
	"edgelens/terminal"
	"edgelens/terminal/dialects"
	"edgelens/worker"
)

// Config is every setting of the service.
type Config struct {
	// DataDir is the folder of all data of the service. The default depends on the user: Load sets it.
	DataDir string
	// ModelsDir holds the model files; "" means "models" in DataDir.
	ModelsDir string
	// retired are the keys of the retired settings that were set.
	retired map[string]bool
	// derived are the keys of the settings that Complete has set.
	derived []string
	// sources are where the settings were set.
	sources sources
	// Model is the default model's name; "" means the manifest's default.
	Model string
	// ModelMirror is a folder or URL that `model pull` tries first.
	ModelMirror string
	// PublicURL is the base URL for clients; "" means the listen address.
	PublicURL string
	// InternalListen is the host:port of health and metrics alone; "" means none.
	InternalListen string
	// StopDrain is how long after the signal to stop the service is unavailable by its readiness and still serves.
	StopDrain time.Duration

	HTTP       api.Config
	Access     access.Config
	Recognize  recognize.Config
	Inference  inference.Config
	Preprocess preprocess.Config
	Decode     sandbox.Config
	Cache      cache.Config
	Ledger     ledger.Config
	Jobs       worker.Config
	Redis      supervise.RedisConfig
	Terminal   terminal.Config
	Dialects   dialects.Config
	Mosquitto  supervise.MosquittoConfig
	Rules      Rules
	Sensor     sensor.Config
	// HomeAssistant is what Home Assistant gets.
	HomeAssistant homeassistant.Config
	Webhook       webhook.Config
	// Signing is what the node signs.
	Signing signing.Config
	// Envelopes are which sealed messages of devices are accepted.
	Envelopes envelope.Config
	Log       telemetry.Config
	Traces    telemetry.TracesConfig
}

// Rules are the access rules of the private broker, if it has users.
type Rules struct {
	// File is a mosquitto ACL file; "" generates the rules from the users' names.
	File string
	// Readers are the users that may read events.
	Readers []string
	// Sensors are the users that may publish on the topics of sensors.
	Sensors []string
	// HomeAssistant is the user of Home Assistant; "" for none.
	HomeAssistant string
}

// Default returns the defaults.
func Default() Config {
	return Config{
		HTTP:       api.DefaultConfig(),
		Recognize:  recognize.DefaultConfig(),
		Inference:  inference.DefaultConfig(),
		Preprocess: preprocess.DefaultConfig(),
		Decode:     sandbox.DefaultConfig(),
		Cache:      cache.DefaultConfig(),
		Ledger:     ledger.DefaultConfig(),
		Jobs:       worker.DefaultConfig(),
		Redis:      supervise.DefaultRedisConfig(),
		Terminal:   terminal.DefaultConfig(),
		Dialects:   dialects.DefaultConfig(),
		Mosquitto:  supervise.DefaultMosquittoConfig(),
		Sensor:     sensor.DefaultConfig(),

		HomeAssistant: homeassistant.DefaultConfig(),
		Webhook:       webhook.DefaultConfig(),
		Signing:       signing.DefaultConfig(),
		Envelopes:     envelope.DefaultConfig(),
		Log:           telemetry.DefaultConfig(),
		Traces:        telemetry.DefaultTracesConfig(),
	}
}

// Complete derives values from other settings: the models folder, one slot more than
// interpreters, so that the next image is at hand when an interpreter is free, and as
// many concurrent jobs as slots.
func (c *Config) Complete() {
	if c.ModelsDir == "" {
		c.ModelsDir = filepath.Join(c.DataDir, "models")
		c.derived = append(c.derived, "models_dir")
	}
	c.Recognize.Slots = c.Inference.InterpretersOrCores() + 1 + inference.AcceleratedRuns*len(c.Inference.Accelerators)
	if c.Jobs.Concurrency == 0 {
		c.derived = append(c.derived, "jobs.concurrency")
		c.Jobs.Concurrency = min(max(1, c.Recognize.Slots), 1024) // Validate reports the interpreters alone
	}
	c.Mosquitto.MaxPacketBytes = c.Terminal.MaxMessageBytes
	c.PublicURL = strings.TrimSuffix(c.PublicURL, "/")
	c.HTTP.PublicURL = c.PublicURL
}

// Validate reports the errors of every package, each setting by its full key.
func (c *Config) Validate() error {
	var errs []error
	if c.DataDir == "" && !slices.Contains(c.derived, "data_dir") {
		errs = append(errs, errors.New("data_dir must not be empty"))
	}
	if u, err := url.Parse(c.PublicURL); c.PublicURL != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		errs = append(errs, errors.New("http.public_url must be an http:// or https:// URL")) // not repeated: it may contain a password
	}
	if _, _, err := net.SplitHostPort(c.InternalListen); c.InternalListen != "" && err != nil {
		errs = append(errs, fmt.Errorf("http.internal_listen must be host:port such as 127.0.0.1:9090, not %q", c.InternalListen))
	}
	if c.StopDrain < 0 || c.StopDrain > 10*time.Minute {
		errs = append(errs, fmt.Errorf("stop.drain must be 0 to 10m, not %v", c.StopDrain))
	}
	for _, section := range []struct {
		prefix string
		err    error
	}{
		{"http.", c.HTTP.Validate()},
		{"recognize.", c.Recognize.Validate()},
		{"inference.", c.Inference.Validate()},
		{"preprocess.", c.Preprocess.Validate()},
		{"decode.", c.Decode.Validate()},
		{"cache.", c.Cache.Validate()},
		{"ledger.", c.Ledger.Validate()},
		{"jobs.", c.Jobs.Validate()},
		{"redis.", c.Redis.Validate()},
		{"terminal.", c.Terminal.Validate()},
		{"terminal.", c.Dialects.Validate()},
		{"mqtt.", c.validateMosquitto()},
		{"mqtt.", c.Rules.validate()},
		{"sensor.", c.Sensor.Validate()},
		{"homeassistant.", c.HomeAssistant.Validate()},
		{"webhook.", c.Webhook.Validate()},
		{"identity.", c.Signing.Validate()},
		{"identity.", c.Envelopes.Validate()},
		{"", c.Log.Validate()},
		{"telemetry.traces.", c.Traces.Validate()},
	} {
		for _, problem := range split(section.err) {
			text := section.prefix + problem.Error()
			text = renamed.Replace(text)
			errs = append(errs, errors.New(text))
		}
	}
	return errors.Join(errs...)
}

// renamed maps the names of settings in their packages to their keys, where
// these differ.
var renamed = strings.NewReplacer(
	"http.listen ", "listen ", "jobs.redis_url ", "redis.url ",
	"terminal.url ", "mqtt.url ", "terminal.group ", "mqtt.group ", "terminal.max_message_bytes ", "mqtt.max_message_bytes ", "terminal.tls.client_cert ", "mqtt.tls.client_cert ", "terminal.tls.client_key ", "mqtt.tls.client_key ",
	"ledger.sensor_keep_points ", "sensor.keep_points ", "ledger.sensor_keep_minutes ", "sensor.keep_minutes ", "ledger.sensor_max_bytes ", "sensor.max_bytes ",
	"ledger.learn_max_examples ", "learn.max_examples ", "ledger.learn_max_bytes ", "learn.max_bytes ",
	"jobs.door_wait ", "terminal.max_wait ",
	"mqtt.max_packet_bytes ", "mqtt.max_message_bytes ", "terminal.fungxi.", "fungxi.", "terminal.facesluice.", "facesluice.",
)

// validateMosquitto accepts an empty mqtt.listen: no private broker.
func (c *Config) validateMosquitto() error {
	mosquitto := c.Mosquitto
	if mosquitto.Listen == "" {
		mosquitto.Listen = supervise.DefaultMosquittoConfig().Listen
	}
	return mosquitto.Validate()
}

func (r Rules) validate() error {
	if r.File == "" {
		return nil
	}
	if _, err := os.Stat(r.File); err != nil {
		return fmt.Errorf("acl_file cannot be used: %w", err)
	}
	return nil
}

// split is the reverse of errors.Join.
func split(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// Errors is the error about a configuration; it lists all errors.
type Errors struct{ List []error }

// Error lists the errors, one per line.
func (f *Errors) Error() string {
	lines := make([]string, 0, len(f.List)+1)
	plural := "s"
	if len(f.List) == 1 {
		plural = ""
	}
	lines = append(lines, fmt.Sprintf("the configuration has %d error%s:", len(f.List), plural))
	for _, problem := range f.List {
		lines = append(lines, "  - "+problem.Error())
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives errors.Is and errors.As every error.
func (f *Errors) Unwrap() []error { return f.List }

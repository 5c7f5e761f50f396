package config

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A setting is one value of the Config that can be set from outside by its
// key: as the flag --models-dir, as EDGELENS_MODELS_DIR, as models_dir in the
// file (a dot in a key is a level of the file).
type setting struct {
	key  string
	help string
	value
}

// A value reads and writes one field of a Config.
type value interface {
	Set(text string) error
	String() string
	Type() string
}

// settings lists every setting, with pointers into c.
func (c *Config) settings() []setting {
	return []setting{
		{"listen", "host:port to serve HTTP on; port 0 picks a free one", text(&c.HTTP.Listen)},
		{"data_dir", "folder for everything that is kept", text(&c.DataDir)},
		{"models_dir", "folder with the model files (default: models in the data folder)", text(&c.ModelsDir)},
		{"model", "name of the default model (default: the manifest's)", text(&c.Model)},
		{"model_mirror", "folder or URL to fetch models from before their public source", secretURL(&c.ModelMirror)},
		{"log_level", "debug, info, warn or error", text(&c.Log.LogLevel)},
		{"log_format", "text or json", text(&c.Log.LogFormat)},

		{"http.max_image_bytes", "largest image, in bytes as sent", integer(&c.HTTP.MaxImageBytes)},
		{"http.max_upload_bytes", "most bytes of uploads in memory at a time", integer(&c.HTTP.MaxUploadBytes)},
		{"http.public_url", "address of this service in links to images; empty: http:// and where it listens", secretURL(&c.PublicURL)},
		{"http.allowed_hosts", "further host names that the service answers to, with commas between, besides IP addresses, localhost, this machine's name and http.public_url; *: all names, which lets any web page in", list(&c.HTTP.AllowedHosts)},
		{"http.allowed_origins", "origins (https://dash.example.com) whose web pages may use recognition, jobs, results and events, with commas between; *: all; empty: none", list(&c.HTTP.AllowedOrigins)},
		{"http.allowed_command_origins", "origins whose web pages may see devices, change them and send commands; empty: none", list(&c.HTTP.AllowedCommandOrigins)},
		{"http.trusted_proxies", "addresses and networks (10.0.0.0/8) of proxies whose X-Forwarded-Host, X-Forwarded-For and Forwarded headers count; empty: none", list(&c.HTTP.TrustedProxies)},
		{"http.read_timeout", "how long a client may take to send its request", duration(&c.HTTP.ReadTimeout)},

		{"recognize.workers", "images taken in at a time; 0: one more than interpreters, the next at hand", integer(&c.Recognize.Workers)},
		{"recognize.queue", "images that may wait for a worker; -1: as many as workers", integer(&c.Recognize.Queue)},
		{"recognize.timeout", "longest time for one image, waiting included", duration(&c.Recognize.Timeout)},
		{"recognize.allow_stand_in", "let the built-in model of image quality answer, with a warning, where the default classifier is not here", boolean(&c.Recognize.AllowStandIn)},
		{"recognize.quality", "whose images are judged (blurred, dark, covered): off, terminals or all", text(&c.Recognize.Quality)},
		{"recognize.quality_min_score", "how sure such a verdict must be for an image not to be usable", float(&c.Recognize.QualityMinScore)},

		{"inference.interpreters", "interpreters of each model; 0: one for each core", integer(&c.Inference.Interpreters)},
		{"inference.threads", "threads of each interpreter", integer(&c.Inference.Threads)},
		{"inference.delegate", "auto (XNNPACK where the model allows) or none", text(&c.Inference.Delegate)},
		{"inference.requantize", "run legacy uint8 models as int8, several times faster, where they answer alike", boolean(&c.Inference.Requantize)},
		{"inference.probe", "try a new model file in a process of its own before it is loaded, so that a damaged one cannot end this one", boolean(&c.Inference.Probe)},
		{"inference.invoke_timeout", "after how long a running interpreter is given up", duration(&c.Inference.InvokeTimeout)},

		{"preprocess.max_pixels", "largest image, in pixels", integer(&c.Preprocess.MaxPixels)},
		{"preprocess.max_side", "longest side of an image, in pixels", integer(&c.Preprocess.MaxSide)},
		{"preprocess.max_memory", "max bytes that decoding one image may take; larger JPEGs are decoded at a fraction of their size, other images refused; 0: no limit", integer(&c.Preprocess.MaxMemory)},
		{"preprocess.background", "color that transparent images are laid over, as #rrggbb", text(&c.Preprocess.Background)},
		{"preprocess.max_scans", "most scans of a progressive JPEG", integer(&c.Preprocess.MaxScans)},
		{"preprocess.reduce_jpeg", "decode a JPEG at a half, fourth or eighth where its sides stay so many times the model's, 1 to 64; 0: in full", float(&c.Preprocess.ReduceJPEG)},

		{"cache.max_entries", "results kept in memory; 0 keeps none", integer(&c.Cache.MaxEntries)},
		{"cache.ttl", "how long a result is kept", duration(&c.Cache.TTL)},
		{"cache.shared", "share results with other nodes, where redis.url is set", boolean(&c.Cache.Shared)},

		{"redis.url", "Redis that dispatches jobs (redis://, rediss://, unix://, redis-sentinel://, redis-cluster://); empty: a private one", secretURL(&c.Jobs.RedisURL)},
		{"redis.max_memory_bytes", "most memory of the private Redis", integer(&c.Redis.MaxMemoryBytes)},

		{"jobs.concurrency", "jobs worked on at a time; 0: as many as workers", integer(&c.Jobs.Concurrency)},
		{"jobs.job_timeout", "how long a job has until it expires", duration(&c.Jobs.JobTimeout)},
		{"jobs.attempt_timeout", "longest time for one attempt at a job", duration(&c.Jobs.AttemptTimeout)},

		{"ledger.max_age", "how long finished jobs and results are kept", duration(&c.Ledger.MaxAge)},
		{"ledger.min_age", "age before which finished jobs, results and events are not removed for space; where they fill max_bytes, nothing more is accepted", duration(&c.Ledger.MinAge)},
		{"ledger.max_bytes", "max bytes of images and database before the oldest results are removed; outbox and ids of records do not count", integer(&c.Ledger.MaxBytes)},
		{"ledger.max_events", "events kept for streams that resume", integer(&c.Ledger.MaxEvents)},
		{"ledger.keep_images", "keep a job's image as long as the job", boolean(&c.Ledger.KeepImages)},
		{"ledger.max_queued", "most jobs that may wait", integer(&c.Ledger.MaxQueued)},
		{"ledger.min_free_bytes", "disk that must stay free for a job to be accepted", integer(&c.Ledger.MinFreeBytes)},
		{"ledger.outbox_max_age", "how long events may wait for who is to be told; access records wait longer", duration(&c.Ledger.OutboxMaxAge)},
		{"ledger.outbox_max_bytes", "most bytes that may wait so, images included", integer(&c.Ledger.OutboxMaxBytes)},
		{"ledger.remember", "how long a terminal's record is known when it comes again", duration(&c.Ledger.Remember)},
		{"ledger.remember_max", "max ids of records that are kept for that, about 140 bytes each", integer(&c.Ledger.RememberMax)},
		{"ledger.sweep_interval", "how often what is too old is looked for", duration(&c.Ledger.SweepInterval)},

		{"mqtt.url", "MQTT broker (mqtt://, mqtts://, unix://); empty: a private mosquitto", secretURL(&c.Terminal.URL)},
		{"mqtt.ca_file", "certificates in PEM that a broker with TLS is trusted for; empty: this machine's", text(&c.Terminal.CAFile)},
		{"mqtt.group", "name that nodes share which split the terminals' messages; empty: this node hears all", text(&c.Terminal.Group)},
		{"mqtt.listen", "host:port where terminals reach the private mosquitto; empty: no MQTT, where mqtt.url is empty", text(&c.Mosquitto.Listen)},
		{"mqtt.password_file", "users of the private mosquitto, by mosquitto_passwd: terminals by serial number; empty: everybody", text(&c.Mosquitto.PasswordFile)},
		{"mqtt.readers", "users of it that may read events and who is there, with commas between", list(&c.Rules.Readers)},
		{"mqtt.acl_file", "rules of it in place of ours, a mosquitto ACL file", text(&c.Rules.File)},
		{"mqtt.max_connections", "most clients of it", integer(&c.Mosquitto.MaxConnections)},
		{"mqtt.max_message_bytes", "largest MQTT message", integer(&c.Terminal.MaxMessageBytes)},

		{"terminal.default", "serial number of the terminal that POST / sends to; empty: the only one there is", text(&c.Terminal.Default)},
		{"terminal.unknown", "what becomes of new terminals: accept, quarantine or refuse", text(&c.Terminal.Unknown)},
		{"terminal.max_devices", "most terminals that are known", integer(&c.Terminal.MaxDevices)},
		{"terminal.max_waiting", "most images of one terminal that may wait to be looked at", integer(&c.Terminal.MaxWaiting)},
		{"terminal.max_image_bytes", "largest image of a terminal, in bytes", integer(&c.Dialects.MaxImageBytes)},
		{"terminal.zone", `time zone of terminals' clocks, and of single ones: "Europe/Berlin,1026700=Asia/Shanghai"; empty: this machine's, which in a container is UTC`, text(&c.Dialects.Zone)},
		{"terminal.fresh", "how old a record may be, or how far ahead, until its event says replayed", duration(&c.Terminal.Fresh)},
		{"terminal.clock_limit", "by how much a terminal's clock may be off until it is called wrong", duration(&c.Terminal.ClockLimit)},
		{"terminal.model", "model for terminals' images; empty: the default model", text(&c.Terminal.Model)},
		{"terminal.top_k", "predictions in an event", integer(&c.Terminal.TopK)},
		{"terminal.min_score", "probability below which a prediction is not told", float(&c.Terminal.MinScore)},
		{"terminal.command_ttl", "how long a command may wait to be sent", duration(&c.Terminal.CommandTTL)},

		{"fungxi.ack", "how records are acknowledged to such a terminal: none or echo", text(&c.Dialects.Fungxi.Ack)},
		{"fungxi.devices", "the only ones to listen to, with commas between; empty: all", list(&c.Dialects.Fungxi.Devices)},
		{"fungxi.heartbeat", "how often one is due to be heard from; 0: never", duration(&c.Dialects.Fungxi.Heartbeat)},
		{"fungxi.offline_after", "how long one may be silent; 0: for ever", duration(&c.Dialects.Fungxi.OfflineAfter)},

		{"facesluice.heartbeat", "how often such a camera is due to be heard from; 0: never", duration(&c.Dialects.Facesluice.Heartbeat)},
		{"facesluice.offline_after", "how long one may be silent; 0: for ever", duration(&c.Dialects.Facesluice.OfflineAfter)},

		{"webhook.url", "where to POST terminals' records; empty: nowhere", secretURL(&c.Webhook.URL)},
		{"webhook.secret", "signs them by Standard Webhooks: base64, with or without whsec_; empty: not signed", secret(&c.Webhook.Secret)},
		{"webhook.headers", "sent with each POST, a \"Name: value\" a line, such as Authorization: Bearer ...", secret(&c.Webhook.Headers)},
		{"webhook.ca_file", "certificates in PEM that are trusted beside the system's; empty: those alone", text(&c.Webhook.CAFile)},
		{"webhook.records", "which: passed or all", text(&c.Webhook.Records)},
		{"webhook.image", "how img is sent: base64, data_uri or none", text(&c.Webhook.Image)},
		{"webhook.timeout", "longest time for one POST and its answer", duration(&c.Webhook.Timeout)},
	}
}

func (s setting) flag() string { return strings.NewReplacer("_", "-", ".", "-").Replace(s.key) }

func (s setting) env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(s.key, ".", "_"))
}

// Print writes the effective configuration as an edgelens.yaml, with a mask in
// place of every secret. A file with a mask in it is refused by Load: it would be
// taken for a setting.
func (c *Config) Print(w io.Writer) error {
	section := ""
	for _, s := range c.settings() {
		indent, key := "", s.key
		if head, rest, nested := strings.Cut(s.key, "."); nested {
			if head != section {
				section = head
				if _, err := fmt.Fprintf(w, "%s:\n", head); err != nil {
					return err
				}
			}
			indent, key = "  ", rest
		}
		shown := s.String()
		if s.Type() == "string" {
			shown = strconv.Quote(shown)
		}
		help := s.help
		if slices.Contains(c.derived, s.key) { // another machine or folder has another value
			key, help = "# "+key, help+" (derived)"
		}
		if strings.Contains(shown, mask) {
			help += " (" + mask + " is not shown: put the real value here)"
		}
		if _, err := fmt.Fprintf(w, "%s%s: %s # %s\n", indent, key, shown, help); err != nil {
			return err
		}
	}
	return nil
}

type textValue struct{ p *string }

func text(p *string) value { return textValue{p} }

func (v textValue) Set(s string) error { *v.p = s; return nil }
func (v textValue) String() string     { return *v.p }
func (v textValue) Type() string       { return "string" }

// listValue is texts with commas between.
type listValue struct{ p *[]string }

func list(p *[]string) value { return listValue{p} }

func (v listValue) Set(s string) error {
	*v.p = nil
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			*v.p = append(*v.p, part)
		}
	}
	return nil
}
func (v listValue) String() string { return strings.Join(*v.p, ",") }
func (v listValue) Type() string   { return "string" }

type floatValue struct{ p *float64 }

func float(p *float64) value { return floatValue{p} }

func (v floatValue) Set(s string) error {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return fmt.Errorf("must be a number, not %q", s)
	}
	*v.p = f
	return nil
}
func (v floatValue) String() string { return strconv.FormatFloat(*v.p, 'g', -1, 64) }
func (v floatValue) Type() string   { return "float" }

type booleanValue struct{ p *bool }

func boolean(p *bool) value { return booleanValue{p} }

func (v booleanValue) Set(s string) error {
	b, err := strconv.ParseBool(s)
	if err != nil {
		return fmt.Errorf("must be true or false, not %q", s)
	}
	*v.p = b
	return nil
}
func (v booleanValue) String() string { return strconv.FormatBool(*v.p) }
func (v booleanValue) Type() string   { return "bool" }

type integerValue[T int | int64] struct{ p *T }

func integer[T int | int64](p *T) value { return integerValue[T]{p} }

func (v integerValue[T]) Set(s string) error {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || int64(T(n)) != n {
		return fmt.Errorf("must be a whole number, not %q", s)
	}
	*v.p = T(n)
	return nil
}
func (v integerValue[T]) String() string { return strconv.FormatInt(int64(*v.p), 10) }
func (v integerValue[T]) Type() string   { return "int" }

type durationValue struct{ p *time.Duration }

func duration(p *time.Duration) value { return durationValue{p} }

func (v durationValue) Set(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf(`must be a duration such as "10s" or "1m30s", not %q`, s)
	}
	*v.p = d
	return nil
}
func (v durationValue) String() string { return v.p.String() }
func (v durationValue) Type() string   { return "duration" }

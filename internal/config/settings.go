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
		{"data_dir", "folder for all data: database, images, models (default: " + systemDataDir + " for root and system users, edgelens in $XDG_DATA_HOME or ~/.local/share for others)", text(&c.DataDir)},
		{"models_dir", "folder with the model files (default: models in the data folder)", text(&c.ModelsDir)},
		{"model", "name of the default model (default: the manifest's)", text(&c.Model)},
		{"model_mirror", "folder or URL to fetch models from before their public source", secretURL(&c.ModelMirror)},
		{"log_level", "debug, info, warn or error", text(&c.Log.LogLevel)},
		{"log_format", "text or json", text(&c.Log.LogFormat)},

		{"stop.drain", "time after SIGTERM for which /readyz is unavailable and requests are still served, so that a load balancer notices; up to twice as long while there are any", duration(&c.StopDrain)},

		{"http.max_image_bytes", "maximum size of an encoded image in bytes", size(&c.HTTP.MaxImageBytes)},
		{"http.max_upload_bytes", "maximum bytes of uploads in memory at a time", size(&c.HTTP.MaxUploadBytes)},
		{"http.public_url", "base URL of this service in links to images; empty: http:// and the listen address", secretURL(&c.PublicURL)},
		{"http.allowed_hosts", "accepted host names, comma-separated, besides IP addresses, localhost, this machine's name and http.public_url; *: all names, which exposes the API to any web page", list(&c.HTTP.AllowedHosts)},
		{"http.allowed_origins", "origins (https://dash.example.com) whose web pages may use recognition, jobs, results and events, comma-separated; *: all; empty: none", list(&c.HTTP.AllowedOrigins)},
		{"http.allowed_command_origins", "origins whose web pages may read devices, change them and send commands, comma-separated; empty: none", list(&c.HTTP.AllowedCommandOrigins)},
		{"http.trusted_proxies", "addresses and networks (10.0.0.0/8) of proxies whose X-Forwarded-Host, X-Forwarded-For and Forwarded headers are trusted; empty: none", list(&c.HTTP.TrustedProxies)},
		{"http.tls.cert", "PEM file of the certificate, with its chain, for HTTPS; read again when it changes; empty: HTTP (`edgelens tls self-signed` makes one)", text(&c.HTTP.TLS.Certificate)},
		{"http.tls.key", "PEM file of the certificate's private key", secretFile(&c.HTTP.TLS.Key)},
		{"http.tls.client_ca", "PEM file of the authorities whose certificates clients may show over HTTPS, or own: that of edgelens ca init; empty: none", text(&c.HTTP.ClientCA)},
		{"http.tls.client_crl", "files with the revocation lists of the authorities in the file of http.tls.client_ca, PEM or DER, comma-separated; read again when they change; empty: revocations by them are not checked", list(&c.HTTP.ClientCRLs)},
		{"http.tls.client_auth", "optional: verify the certificate of a client that shows one; require: refuse those without; needs http.tls.client_ca", text(&c.HTTP.ClientAuth)},
		{"http.internal_listen", "host:port that serves /healthz, /readyz and /metrics alone, in plain text, without keys; empty: none", text(&c.InternalListen)},
		{"http.rate_limit", "maximum requests per second of one client, on average; 0: no limit", float(&c.HTTP.RateLimit)},
		{"http.rate_burst", "requests that a client may send at once under http.rate_limit", integer(&c.HTTP.RateBurst)},
		{"http.keys_file", "YAML file with the hashes of keys, written by edgelens key create --keys-file and shared by nodes; empty: only keys of the data folder", secretFile(&c.Access.KeysFile)},
		{"http.open", "let every client use the service without a key, which includes opening doors", boolean(&c.HTTP.Open)},
		{"http.read_timeout", "timeout for reading a request", duration(&c.HTTP.ReadTimeout)},
		{"http.max_connections_per_address", "maximum number of connections of one address (of IPv6: of one /64), other than this machine and trusted proxies; 0: no limit", integer(&c.HTTP.MaxConnectionsPerAddress)},

		{"recognize.timeout", "timeout of one recognition, queueing included, if the client sends no Prefer: wait", duration(&c.Recognize.Timeout)},
		{"recognize.max_wait", "maximum predicted time until the answer, if the client sends no Prefer: wait; requests that would take longer are refused at once; 0: recognize.timeout", duration(&c.Recognize.MaxWait)},
		{"recognize.allow_stand_in", "let the built-in quality model answer, with a warning, if the default classifier is missing", boolean(&c.Recognize.AllowStandIn)},
		{"recognize.embedding_model", "model of requests for embeddings that name none", text(&c.Recognize.EmbeddingModel)},
		{"recognize.quality", "images to check with the quality model (blurred, dark, covered): off, terminals or all", text(&c.Recognize.Quality)},
		{"recognize.quality_min_score", "minimum score of a quality verdict that makes an image unusable", float(&c.Recognize.QualityMinScore)},

		{"inference.interpreters", "interpreters of each model; 0: one per core", integer(&c.Inference.Interpreters)},
		{"inference.threads", "threads of each interpreter", integer(&c.Inference.Threads)},
		{"inference.runtime", "tflite (TensorFlow Lite), litert (LiteRT, once it is installed), or auto: tflite, and litert for models with operators that only it has", text(&c.Inference.Runtime)},
		{"inference.accelerators", "gpu: run models on the graphics processor, too, by LiteRT and Vulkan; empty: on the processor alone", list(&c.Inference.Accelerators)},
		{"inference.delegate", "auto (XNNPACK if the model allows it) or none", text(&c.Inference.Delegate)},
		{"inference.requantize", "run legacy uint8 models as int8, up to twice as fast, if the results agree", boolean(&c.Inference.Requantize)},
		{"inference.probe", "run a new model file in a child process before it is loaded, so that a damaged one cannot crash this process", boolean(&c.Inference.Probe)},
		{"inference.check", "compare the kernels that run a model with slower reference kernels, and replace those that compute wrongly", boolean(&c.Inference.Check)},
		{"inference.invoke_timeout", "time after which a running interpreter is abandoned", duration(&c.Inference.InvokeTimeout)},

		{"preprocess.max_pixels", "maximum size of an image in pixels", integer(&c.Preprocess.MaxPixels)},
		{"preprocess.max_side", "maximum width and height of an image in pixels", integer(&c.Preprocess.MaxSide)},
		{"preprocess.max_memory", "maximum bytes for decoding one image, of which decode.memory may leave less; larger JPEGs are decoded at a fraction of their size, other images rejected; 0: what decode.memory leaves", size(&c.Preprocess.MaxMemory)},
		{"preprocess.background", "color behind transparent images, as #rrggbb", text(&c.Preprocess.Background)},
		{"preprocess.fit", "how images are shown to the model, unless the request, the device or the model sets it: center (largest part in the middle with the input's aspect ratio), stretch (all, distorted), sweep (several parts, mean of their scores) or pad (all, between gray bars)", text((*string)(&c.Preprocess.Fit))},
		{"preprocess.max_scans", "maximum scans of a progressive JPEG", integer(&c.Preprocess.MaxScans)},
		{"preprocess.reduce_jpeg", "decode a JPEG at 1/2, 1/4 or 1/8 if its sides stay at least this many times the model's, 1 to 64; 0: always in full", float(&c.Preprocess.ReduceJPEG)},

		{"decode.isolation", "where images are decoded: auto (in confined helper processes, or in this process where these cannot be started), require (in helpers, or the service does not start) or off (in this process)", text(&c.Decode.Isolation)},
		{"decode.timeout", "time after which a helper that decodes an image is killed, and the image rejected", duration(&c.Decode.Timeout)},
		{"decode.memory", "maximum bytes for decoding all images at a time, worked out from their headers; less where the memory of the control group is; one image may have all but 48 MiB of it, or seven eighths", size(&c.Decode.Memory)},

		{"cache.max_entries", "maximum number of cached results, of which one with an embedding counts as one more for each KiB of it; 0: no cache", integer(&c.Cache.MaxEntries)},
		{"cache.ttl", "time to live of a cached result", duration(&c.Cache.TTL)},
		{"cache.shared", "share results with other nodes, if redis.url is set", boolean(&c.Cache.Shared)},

		{"redis.url", "Redis that dispatches jobs (redis://, rediss://, unix://, redis-sentinel://, redis-cluster://); empty: a private one", secretURL(&c.Jobs.RedisURL)},
		{"redis.max_memory_bytes", "maximum memory of the private Redis in bytes", size(&c.Redis.MaxMemoryBytes)},

		{"jobs.concurrency", "jobs that may run at a time; for each, one more interactive job is in memory; 0: one more than interpreters", integer(&c.Jobs.Concurrency)},
		{"jobs.job_timeout", "time from creation until an unfinished job expires", duration(&c.Jobs.JobTimeout)},
		{"jobs.attempt_timeout", "timeout of one attempt at a job", duration(&c.Jobs.AttemptTimeout)},

		{"ledger.max_age", "maximum age of finished jobs and results", duration(&c.Ledger.MaxAge)},
		{"ledger.results_max_age", "maximum age of results without a job; 0: ledger.max_age", duration(&c.Ledger.Ages.Results)},
		{"ledger.records_max_age", "maximum age of records of terminals; 0: ledger.max_age", duration(&c.Ledger.Ages.Records)},
		{"ledger.events_max_age", "maximum age of events of streams; 0: ledger.max_age", duration(&c.Ledger.Ages.Events)},
		{"ledger.images_max_age", "maximum age of kept images of finished jobs; 0: ledger.max_age", duration(&c.Ledger.Ages.Images)},
		{"ledger.commands_max_age", "maximum age of commands to devices; 0: ledger.max_age", duration(&c.Ledger.Ages.Commands)},
		{"ledger.min_age", "minimum age at which finished jobs, results and events may be removed for space; if younger ones fill max_bytes, new work is rejected", duration(&c.Ledger.MinAge)},
		{"ledger.max_bytes", "maximum bytes of images and database, above which the oldest rows or images are removed of what exceeds its share; outbox and record ids do not count", size(&c.Ledger.MaxBytes)},
		{"ledger.max_events", "events kept for streams that resume", integer(&c.Ledger.MaxEvents)},
		{"ledger.max_commands", "maximum number of commands to devices that are no longer to be sent", integer(&c.Ledger.MaxCommands)},
		{"ledger.jobs_share", "percent of ledger.max_bytes that jobs and their results have for themselves", integer(&c.Ledger.Shares.Jobs)},
		{"ledger.results_share", "percent of ledger.max_bytes that results without a job have for themselves", integer(&c.Ledger.Shares.Results)},
		{"ledger.records_share", "percent of ledger.max_bytes that records of terminals have for themselves", integer(&c.Ledger.Shares.Records)},
		{"ledger.events_share", "percent of ledger.max_bytes that events of streams have for themselves", integer(&c.Ledger.Shares.Events)},
		{"ledger.images_share", "percent of ledger.max_bytes that images have for themselves", integer(&c.Ledger.Shares.Images)},
		{"ledger.keep_images", "keep a job's image as long as the job", boolean(&c.Ledger.KeepImages)},
		{"ledger.keep_sync", "keep the results of recognitions that are answered at once in the history, too; their images are not kept", boolean(&c.Ledger.KeepSync)},
		{"ledger.max_queued", "maximum number of queued jobs", integer(&c.Ledger.MaxQueued)},
		{"ledger.min_free_bytes", "minimum free disk space for accepting a job", size(&c.Ledger.MinFreeBytes)},
		{"ledger.outbox_max_age", "maximum age of undelivered events; access records are kept longer", duration(&c.Ledger.OutboxMaxAge)},
		{"ledger.outbox_max_bytes", "maximum bytes of undelivered events, images included", size(&c.Ledger.OutboxMaxBytes)},
		{"ledger.remember", "time for which a terminal's record is recognized as a duplicate", duration(&c.Ledger.Remember)},
		{"ledger.remember_max", "maximum number of record ids kept for that, about 70 bytes each", integer(&c.Ledger.RememberMax)},
		{"ledger.sweep_interval", "interval between removals of expired data", duration(&c.Ledger.SweepInterval)},

		{"similarity.enabled", "embed the images of results in the background, by recognize.embedding_model, and find similar ones", boolean(&c.Similarity.Enabled)},
		{"similarity.max_vectors", "maximum number of images that are compared, about 1.1 kB of memory and 1.2 kB of disk each with 1024 dimensions; the oldest give way", integer(&c.Similarity.MaxVectors)},

		{"mqtt.url", "MQTT broker (mqtt://, mqtts://, unix://); empty: a private mosquitto", secretURL(&c.Terminal.URL)},
		{"mqtt.ca_file", "PEM file of the CAs that may sign the broker's certificate; empty: this machine's", text(&c.Terminal.CAFile)},
		{"mqtt.group", "group name of nodes that share the terminals' messages; empty: this node receives all", text(&c.Terminal.Group)},
		{"mqtt.listen", "host:port of the private mosquitto for terminals; empty: no MQTT, unless mqtt.url is set", text(&c.Mosquitto.Listen)},
		{"mqtt.tls.cert", "PEM file of the certificate, with its chain, of the private mosquitto for terminals; empty: no TLS", text(&c.Mosquitto.TLS.Certificate)},
		{"mqtt.tls.key", "PEM file of that certificate's private key", secretFile(&c.Mosquitto.TLS.Key)},
		{"mqtt.tls.client_auth", "certificates of terminals at the private mosquitto, by edgelens ca init and edgelens device enroll: off, require, or optional (at mqtt.tls.client_listen, besides passwords at mqtt.listen)", text(&c.Mosquitto.ClientAuth)},
		{"mqtt.tls.client_listen", "host:port of the private mosquitto for clients with certificates, where mqtt.tls.client_auth is optional", text(&c.Mosquitto.ClientListen)},
		{"mqtt.tls.client_cert", "PEM file of the certificate by which this node identifies itself to the broker of mqtt.url; read again at each connect; empty: none", text(&c.Terminal.Certificate.Certificate)},
		{"mqtt.tls.client_key", "PEM file of that certificate's private key", secretFile(&c.Terminal.Certificate.Key)},
		{"mqtt.password_file", "users of the private mosquitto, written by mosquitto_passwd: terminals by serial number; empty: any client may connect", secretFile(&c.Mosquitto.PasswordFile)},
		{"mqtt.client_id_by_user", "use each user's name as its client id, so that no user can take over the connection of another; every program then needs a user of its own, and other nodes of edgelens need another broker", boolean(&c.Mosquitto.ClientIDByUser)},
		{"mqtt.readers", "MQTT users allowed to read events and presence, comma-separated", list(&c.Rules.Readers)},
		{"mqtt.sensors", "MQTT users allowed to publish on the topics of sensors (sensor.topics), and nothing else, comma-separated", list(&c.Rules.Sensors)},
		{"mqtt.home_assistant", "MQTT user of Home Assistant, allowed to read events, presence, values of sensors and homeassistant/#, and to publish below homeassistant/ and, with homeassistant.commands, commands", text(&c.Rules.HomeAssistant)},
		{"mqtt.acl_file", "mosquitto ACL file of the private mosquitto, in place of the generated rules", text(&c.Rules.File)},
		{"mqtt.max_connections", "maximum number of clients of the private mosquitto", integer(&c.Mosquitto.MaxConnections)},
		{"mqtt.max_message_bytes", "maximum size of an MQTT message in bytes", size(&c.Terminal.MaxMessageBytes)},

		{"terminal.default", "serial number of the terminal that receives commands from POST /; empty: the only one", text(&c.Terminal.Default)},
		{"terminal.unknown", "policy for new terminals: accept, quarantine or refuse", text(&c.Terminal.Unknown)},
		{"terminal.require_certificate", "refuse and count the messages of terminals without a valid certificate of edgelens device enroll", boolean(&c.Terminal.RequireCertificate)},
		{"terminal.max_devices", "maximum number of known terminals", integer(&c.Terminal.MaxDevices)},
		{"terminal.max_waiting", "maximum number of images of one terminal that may queue for recognition", integer(&c.Terminal.MaxWaiting)},
		{"terminal.max_wait", "time for which a terminal's image is recognized ahead of others", duration(&c.Jobs.DoorWait)},
		{"terminal.max_image_bytes", "maximum size of a terminal's image in bytes", size(&c.Dialects.MaxImageBytes)},
		{"terminal.zone", `time zone of terminals' clocks, and of single ones: "Europe/Berlin,1026700=Asia/Shanghai"; empty: this machine's, which in a container is UTC`, text(&c.Dialects.Zone)},
		{"terminal.fresh", "maximum age of a fresh record, or lead of its time; older records are published as replayed, later ones as unknown", duration(&c.Terminal.Fresh)},
		{"terminal.clock_limit", "maximum offset of a terminal's clock before it is reported as wrong", duration(&c.Terminal.ClockLimit)},
		{"terminal.model", "model for terminals' images; empty: the default model", text(&c.Terminal.Model)},
		{"terminal.top_k", "maximum number of predictions in an event", integer(&c.Terminal.TopK)},
		{"terminal.min_score", "minimum probability of a prediction in an event", float(&c.Terminal.MinScore)},
		{"terminal.command_ttl", "time after which an unsent command expires", duration(&c.Terminal.CommandTTL)},

		{"fungxi.ack", "how records of fungxi terminals are acknowledged: none or echo", text(&c.Dialects.Fungxi.Ack)},
		{"fungxi.devices", "serial numbers of the accepted fungxi terminals, comma-separated; empty: all", list(&c.Dialects.Fungxi.Devices)},
		{"fungxi.heartbeat", "expected interval of fungxi terminals' heartbeats; 0: none", duration(&c.Dialects.Fungxi.Heartbeat)},
		{"fungxi.offline_after", "silence after which a fungxi terminal is offline; 0: never", duration(&c.Dialects.Fungxi.OfflineAfter)},

		{"facesluice.heartbeat", "expected interval of facesluice cameras' heartbeats; 0: none", duration(&c.Dialects.Facesluice.Heartbeat)},
		{"facesluice.offline_after", "silence after which a facesluice camera is offline; 0: never", duration(&c.Dialects.Facesluice.OfflineAfter)},

		{"webhook.url", "URL to POST terminals' records to; empty: no webhook", secretURL(&c.Webhook.URL)},
		{"webhook.secret", "secret for signatures by Standard Webhooks: base64, with or without whsec_; empty: unsigned", secret(&c.Webhook.Secret)},
		{"webhook.headers", "additional headers, one \"Name: value\" per line, such as Authorization: Bearer ...", secret(&c.Webhook.Headers)},
		{"webhook.ca_file", "PEM file of CAs that are trusted besides the system's; empty: the system's alone", text(&c.Webhook.CAFile)},
		{"webhook.records", "records to send: passed or all", text(&c.Webhook.Records)},
		{"webhook.image", "format of the member img: base64, data_uri or none", text(&c.Webhook.Image)},
		{"webhook.insights", "send insights, too", boolean(&c.Webhook.Insights)},
		{"webhook.states", "send changes of states, too", boolean(&c.Webhook.States)},
		{"webhook.timeout", "timeout of one POST", duration(&c.Webhook.Timeout)},

		{"identity.sign_events", "sign every event by the key of the node, and link each to the one before of its device (docs/signatures.md)", boolean(&c.Signing.SignEvents)},
		{"identity.keep_keys", "time for which the public keys of former signing keys stay published; 0: until they are removed", duration(&c.Signing.KeepKeys)},
		{"identity.envelope_window", "how far the time of a sealed message may be from ours; older ones are refused", duration(&c.Envelopes.Window)},

		{"sensor.topics", "MQTT filters of sensors, comma-separated; their levels before the first wildcard name no device; empty: no sensors over MQTT", list(&c.Sensor.Topics)},
		{"sensor.sealed_only", "patterns of sensors whose plain values are refused, comma-separated: they must seal them (docs/signatures.md); empty: none", list(&c.Sensor.SealedOnly)},
		{"sensor.max_series", "maximum number of series of sensors; edgelens' own have as many of their own", integer(&c.Sensor.MaxSeries)},
		{"sensor.give_way_after", "time for which a series must be silent to give way to a new one when there are sensor.max_series", duration(&c.Sensor.GiveWayAfter)},
		{"sensor.max_payload_bytes", "maximum size of a sensor's message in bytes", size(&c.Sensor.MaxPayloadBytes)},
		{"sensor.fresh", "maximum age of a fresh reading, or lead of its time", duration(&c.Sensor.Fresh)},
		{"sensor.window", "maximum number of values in the sliding window of a series", integer(&c.Sensor.Window)},
		{"sensor.window_age", "maximum age of the values in the sliding window", duration(&c.Sensor.WindowAge)},
		{"sensor.min_points", "values in the window before one can be an anomaly", integer(&c.Sensor.MinPoints)},
		{"sensor.sigma", "standard deviations from the mean beyond which a value is an anomaly", float(&c.Sensor.Sigma)},
		{"sensor.robust", "modified z-score beyond which a value is an anomaly", float(&c.Sensor.Robust)},
		{"sensor.silent_intervals", "usual intervals without a value after which a series is silent", float(&c.Sensor.SilentIntervals)},
		{"sensor.analysis_interval", "minimum time between computations of trend, season and prediction of a series", duration(&c.Sensor.AnalysisInterval)},
		{"sensor.feed_interval", "interval at which edgelens' own streams are read", duration(&c.Sensor.FeedInterval)},
		{"sensor.max_insights_per_minute", "maximum number of insights a minute", integer(&c.Sensor.MaxInsightsPerMinute)},
		{"sensor.max_subscriptions", "maximum number of live streams of sensors", integer(&c.Sensor.MaxSubscriptions)},
		{"sensor.rules", "rules for insights, separated by ; (docs/sensors.md); empty: none", text(&c.Sensor.Rules)},
		{"sensor.keep_points", "time for which single values are kept", duration(&c.Ledger.SensorKeepPoints)},
		{"sensor.keep_minutes", "time for which summaries of minutes, and insights, are kept", duration(&c.Ledger.SensorKeepMinutes)},
		{"sensor.max_bytes", "maximum bytes of values and summaries; beyond it the oldest are removed early", size(&c.Ledger.SensorMaxBytes)},

		{"learn.max_examples", "maximum number of examples in the datasets together; more are refused", integer(&c.Ledger.LearnMaxExamples)},
		{"learn.max_bytes", "maximum bytes of the examples' images and embeddings; more are refused", size(&c.Ledger.LearnMaxBytes)},
		{"states.list", "states that images show, separated by ;, such as gate device=cam1 model=gate region=0.1,0.2,0.4,0.5 (docs/states.md); empty: none", text(&c.States.List)},
		{"states.keep", "time for which changes of states are kept", duration(&c.Ledger.StatesKeep)},
		{"federation.max_epsilon", "epsilon above which this node sends no update to a federation; 0: no bound", float(&c.Federation.MaxEpsilon)},
		{"federation.unreachable_after", "time without an answer of the federation's coordinator after which the service is degraded", duration(&c.Federation.UnreachableAfter)},

		{"homeassistant.discovery", "make the node, its terminals, cameras and sensors known to Home Assistant by MQTT discovery, which keeps retained messages below homeassistant/ at the broker", boolean(&c.HomeAssistant.Discovery)},
		{"homeassistant.images", "publish the last image of each device for Home Assistant, as a thumbnail; needs ledger.keep_images", boolean(&c.HomeAssistant.Images)},
		{"homeassistant.commands", "commands (cmd) that get a button in Home Assistant, such as open, comma-separated; needs a broker with passwords; empty: none", list(&c.HomeAssistant.Commands)},
		{"homeassistant.max_devices", "maximum number of devices that are made known to Home Assistant", integer(&c.HomeAssistant.MaxDevices)},

		{"telemetry.traces.endpoint", "URL of an OpenTelemetry collector to send traces to (OTLP over HTTP), such as http://127.0.0.1:4318; empty: no traces are recorded", secretURL(&c.Traces.Endpoint)},
		{"telemetry.traces.sample", "share of traces to record, 0 to 1, of those that begin here; of others, who began them decides", float(&c.Traces.Sample)},
		{"telemetry.traces.headers", "additional headers for the collector, one \"Name: value\" per line, such as Authorization: Bearer ...", secret(&c.Traces.Headers)},
	}
}

func (s setting) flag() string { return strings.NewReplacer("_", "-", ".", "-").Replace(s.key) }

func (s setting) env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(s.key, ".", "_"))
}

// PrintOptions are what PrintWith writes besides.
type PrintOptions struct {
	// Secrets are written, and not masked.
	Secrets bool
	// Sources are written: where each value was set.
	Sources bool
}

// Print writes the effective configuration as an edgelens.yaml, with a mask in
// place of every secret. Load rejects a file with a mask in it: the mask would be
// taken for a value.
func (c *Config) Print(w io.Writer) error { return c.PrintWith(w, PrintOptions{}) }

// PrintWith is Print with what else is wanted.
func (c *Config) PrintWith(w io.Writer, options PrintOptions) error {
	defaults := Default()
	byDefault := defaults.settings()
	section := ""
	for i, s := range c.settings() {
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
		if options.Secrets {
			shown = rawOf(s.value)
		}
		if s.Type() == "string" {
			shown = strconv.Quote(shown)
		}
		help := s.help
		if slices.Contains(c.derived, s.key) { // it differs on another machine or folder
			key, help = "# "+key, help+" (derived)"
		}
		if strings.Contains(shown, mask) {
			help += " (" + mask + " is not shown: put the real value here)"
		}
		if options.Sources {
			help = string(c.sourceOf(s, s.String() == byDefault[i].String())) + "; " + help
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

// listValue is a comma-separated list of texts.
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

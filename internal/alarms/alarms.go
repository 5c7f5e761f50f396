// Package alarms has the conditions that an operator is called for, once: the rules for Prometheus, the runbook and the
// insights that the service makes where no Prometheus runs are made from them.
package alarms

import (
	"time"

	"edgelens"
)

// Alarm is a condition that an operator is called for: a value beyond a limit for some time. The values are read-only.
type Alarm struct {
	// Name is in lower case with dashes: that of the insight's rule, and of the section in the runbook.
	Name string
	// Title is a short sentence without a period, and Why is what it means for the users.
	Title, Why string
	// Value is what is compared, in Unit, with Above or Below, whichever is set.
	Value        Expression
	Unit         string
	Above, Below *float64
	// Hysteresis is how far within the limit the value must be for an insight to end.
	Hysteresis float64
	For        time.Duration
	Severity   edgelens.InsightSeverity
	// Summary is the sentence of an insight; {value} is the value with its unit.
	Summary string
	// Actions are what to do, in the order in which to try it.
	Actions []string
	// Insight is the name of another rule that watches the same for each device; empty where the alarm makes one of its own.
	Insight string
}

// Field is the field of the service's own stream that has the value, without its prefix.
func (a *Alarm) Field() string {
	field := []byte(a.Name)
	for i, b := range field {
		if b == '-' {
			field[i] = '_'
		}
	}
	return "alarm_" + string(field)
}

func limit(value float64) *float64 { return &value }

// serverErrors are the outcomes of requests that failed by no act of the client.
var serverErrors = []string{"deadline", "disk_full", "inference_failed", "internal", "model_unusable", "no_model", "storage"}

// recognitionRoutes are those that an overloaded service refuses.
var recognitionRoutes = []string{"/api/recognize", "/api/recognize_async"}

const (
	window  = 5 * time.Minute
	day     = 24 * time.Hour
	percent = 100
)

// All returns every alarm.
func All() []Alarm {
	return []Alarm{
		{
			Name: "slow-requests", Title: "One of a hundred requests takes longer than 1.5 s", Unit: "s", Severity: edgelens.InsightWarning,
			Why:   "Apps wait, and people at a door do.",
			Value: Quantile(0.99, "edgelens_request_seconds", window), Above: limit(1.5), Hysteresis: 0.3, For: window,
			Summary: "One of a hundred recognitions takes longer than {value}.",
			Actions: []string{
				"Compare the stages on the page System: a long queue is too much load, a long decode are large images, a long inference is a busy or throttled processor.",
				"Have clients send smaller images, use a smaller model, or add a machine (`edgelens worker`).",
				"`edgelens bench tune` finds the settings for this board.",
			},
		},
		{
			Name: "errors", Title: "More than 5% of the recognitions fail", Unit: "%", Severity: edgelens.InsightCritical,
			Why:   "The service fails by itself: bad images and refusals do not count.",
			Value: Percent(Rate("edgelens_requests_total", window, In("outcome", serverErrors...)), Rate("edgelens_requests_total", window)),
			Above: limit(5), Hysteresis: 2, For: window,
			Summary: "{value} of the recognitions fail.",
			Actions: []string{
				"Look at the lines of the log with `level=ERROR`, and at `/readyz`, which has reasons.",
				"`no_model` and `model_unusable`: `edgelens model list` and `edgelens model verify`. `disk_full` and `storage`: see [disk](#disk). `deadline`: see [slow-requests](#slow-requests).",
			},
		},
		{
			Name: "slow-model-load", Title: "A model took longer than 3 s to load", Unit: "s", Severity: edgelens.InsightWarning,
			Why:   "After each start, and each time that the model is loaded again, requests wait for so long.",
			Value: Max("edgelens_model_load_seconds"), Above: limit(3),
			Summary: "A model took {value} to load.",
			Actions: []string{
				"A slow or failing card: compare `dd if=MODEL of=/dev/null bs=1M` with what the card should reach.",
				"The first load of a model compares its kernels; the next one is faster. A smaller model loads faster.",
			},
		},
		{
			Name: "memory", Title: "More than 80% of the memory is used", Unit: "%", Severity: edgelens.InsightWarning,
			Why:   "At 100% the kernel ends a process: this service, or another one.",
			Value: Percent(Max("edgelens_memory_used_bytes"), Max("edgelens_memory_limit_bytes")), Above: limit(80), Hysteresis: 5, For: window,
			Summary: "{value} of the memory is used.",
			Actions: []string{
				"`ps -eo rss,comm --sort=-rss | head` shows which process has it.",
				"Lower `decode.memory`, `http.max_upload_bytes` or `inference.interpreters`, unload models that are not needed, or raise the limit of the container.",
			},
		},
		{
			Name: "devices-offline", Title: "A device is offline", Severity: edgelens.InsightCritical, Insight: "terminal-silent",
			Why:   "Nothing that happens at its door is seen.",
			Value: Sum("edgelens_devices", In("state", "offline")), Above: limit(0), For: window,
			Summary: "{value} devices are offline.",
			Actions: []string{
				"The page Devices shows which, and since when.",
				"Check its power and network, and that it still has the address of this broker.",
				"Forget a device that is gone for good: `DELETE /api/devices/ID`, or on the page.",
			},
		},
		{
			Name: "outbox", Title: "Events have waited for more than 10 minutes to be delivered", Unit: "s", Severity: edgelens.InsightCritical,
			Why:   "The receiver does not know what happened at the doors. Nothing is lost yet: events wait for `ledger.outbox_max_age`.",
			Value: Max("edgelens_outbox_oldest_seconds"), Above: limit(600), Hysteresis: 300, For: window,
			Summary: "The oldest undelivered event has waited for {value}.",
			Actions: []string{
				"`edgelens outbox list` and `/readyz` show the sink and why it fails.",
				"Check that the receiver of `webhook.url`, or the MQTT broker, is up and reached from here.",
			},
		},
		{
			Name: "queue", Title: "A job has waited for more than 5 minutes", Unit: "s", Severity: edgelens.InsightWarning,
			Why:   "Clients that poll wait for their results. Bulk jobs may wait, and do not count.",
			Value: Max("edgelens_queue_oldest_seconds", In("queue", edgelens.QueueInteractive)), Above: limit(300), Hysteresis: 60, For: window,
			Summary: "The oldest queued job has waited for {value}.",
			Actions: []string{
				"Check Redis (`/readyz`), and whether the machine is too slow for what is queued: add one by `edgelens worker`.",
			},
		},
		{
			Name: "interpreter-stuck", Title: "An interpreter hangs in a run that does not end", Severity: edgelens.InsightCritical,
			Why:   "It takes a core and its memory, and another one has taken its place.",
			Value: Sum("edgelens_interpreters", In("state", "stuck")), Above: limit(0), For: time.Minute,
			Summary: "{value} interpreters hang in a run that does not end.",
			Actions: []string{"Restart the service.", "If it happens again with the same model, remove the model, and report it with the file."},
		},
		{
			Name: "stand-in-model", Title: "There is no classifier, and the quality model answers", Severity: edgelens.InsightCritical,
			Why:   "Answers rate whether an image is usable, not what is in it.",
			Value: Max("edgelens_model_stand_in"), Above: limit(0), For: time.Minute,
			Summary: "There is no classifier: the built-in quality model answers.",
			Actions: []string{"`edgelens model pull` fetches the default classifier.", "If a model of your own is the default, check `edgelens model list` for why it is not usable."},
		},
		{
			Name: "kernels", Title: "Fast kernels compute wrongly on this machine and are not used", Severity: edgelens.InsightWarning,
			Why:   "Answers are right, from slower kernels.",
			Value: Sum("edgelens_model_rejected_kernels"), Above: limit(0), For: time.Minute,
			Summary: "Kernels that compute wrongly on this machine are not used: recognitions are slower.",
			Actions: []string{"`/readyz` has the model and the figures.", "Report it with the processor (`edgelens version`): an emulated or overclocked one can cause it."},
		},
		{
			Name: "refusals", Title: "More than 5% of the requests are refused because of the load", Unit: "%", Severity: edgelens.InsightWarning,
			Why: "Clients must come again later. Doors have a slot of their own.",
			Value: Percent(Rate("edgelens_http_responses_total", window, In("route", recognitionRoutes...), In("status", "429", "503")),
				Rate("edgelens_http_responses_total", window, In("route", recognitionRoutes...))), Above: limit(5), Hysteresis: 2, For: window,
			Summary: "{value} of the requests are refused because of the load.",
			Actions: []string{
				"The log and `edgelens_http_refusals_total` have the reasons.",
				"One client that sends too much: limit it by `http.rate_limit`. Too much for the machine: add one by `edgelens worker`, or queue images that need no answer at once.",
			},
		},
		{
			Name: "throttled", Title: "The processor is throttled", Severity: edgelens.InsightWarning,
			Why:   "Recognitions take longer than on a cool board with enough power.",
			Value: Max("edgelens_throttled"), Above: limit(0), For: 2 * time.Minute,
			Summary: "The processor is throttled: hot, or short of power.",
			Actions: []string{"The page System and `vcgencmd get_throttled` show why.", "Too hot: fan, airflow. Too little power: the supply that came with the board, a short cable."},
		},
		{
			Name: "too-hot", Title: "The processor is above 80 °C", Unit: "°C", Severity: edgelens.InsightWarning,
			Why:   "It is throttled soon, and ages.",
			Value: Max("edgelens_temperature_celsius"), Above: limit(80), Hysteresis: 5, For: time.Minute,
			Summary: "The processor is at {value}.",
			Actions: []string{"Check the fan, the airflow and the sun."},
		},
		{
			Name: "disk", Title: "Less than 5% of the disk is free", Unit: "%", Severity: edgelens.InsightCritical,
			Why:   "When it is full, jobs are refused (507), and records are kept without their images.",
			Value: Percent(Max("edgelens_disk_free_bytes"), Max("edgelens_disk_bytes")), Below: limit(5), Hysteresis: 2, For: window,
			Summary: "Only {value} of the disk is free.",
			Actions: []string{
				"`du -xh --max-depth=2 / | sort -h | tail` shows what takes it.",
				"Lower `ledger.max_bytes` or `sensor.max_bytes`, or switch `ledger.keep_images` off; the next sweep removes the oldest.",
			},
		},
		{
			Name: "storage", Title: "The data folder cannot be written, or space is short", Severity: edgelens.InsightCritical,
			Why:   "Jobs and records are refused, or kept without images.",
			Value: Sum("edgelens_storage_problem"), Above: limit(0), For: time.Minute,
			Summary: "The data folder cannot be written, or space is short.",
			Actions: []string{"`/readyz` has the part and the reason.", "\"its file is damaged\" (`event=ledger_damaged_in_use` in the log): save what is left before the next restart, which sets the ledger aside (docs/operations.md#a-damaged-ledger).", "A card that became read-only is worn out: `dmesg | tail`; restore a backup on a new one."},
		},
		{
			Name: "device-clocks", Title: "The clock of a device is wrong", Severity: edgelens.InsightWarning,
			Why:   "Its records are not fresh: a \"match\" from it opens nothing.",
			Value: Sum("edgelens_device_clocks", In("state", "wrong")), Above: limit(0), For: 10 * time.Minute,
			Summary: "The clocks of {value} devices are wrong.",
			Actions: []string{"`/readyz` and the page Devices have the deviations.", "Set its time server and time zone, or `terminal.zone` here (docs/terminals.md)."},
		},
		{
			Name: "certificate", Title: "A certificate expires in less than 14 days", Unit: "days", Severity: edgelens.InsightWarning,
			Why:   "After that, clients refuse the connection.",
			Value: DaysUntil("edgelens_certificate_expiry_timestamp_seconds"), Below: limit(14), Hysteresis: 1, For: time.Minute,
			Summary: "A certificate expires in {value}.",
			Actions: []string{
				"Replace the files of `http.tls.*` or `mqtt.tls.*`; no restart is needed (docs/https.md).",
				"The node's own certificate is renewed by itself: the log has the reason why it was not. That of the authority ends all others (docs/identity.md).",
			},
		},
		{
			Name: "device-certificates", Title: "The certificate of a device expires in less than 14 days", Severity: edgelens.InsightWarning,
			Why:   "After that, the device cannot connect, and nothing that happens at its door is seen.",
			Value: Sum("edgelens_device_certificates", In("state", "expiring")), Above: limit(0), For: time.Minute,
			Summary: "The certificates of {value} devices expire soon.",
			Actions: []string{"`edgelens device list` shows which, `edgelens device renew ID` replaces one (docs/identity.md).", "A device that can renew its own did not: check that it is online, and that its clock is right."},
		},
		{
			Name: "sensors-silent", Title: "A sensor is silent", Severity: edgelens.InsightWarning, Insight: "sensor-silent",
			Why:   "What it measures is not known.",
			Value: Sum("edgelens_sensors_silent"), Above: limit(0), For: window,
			Summary: "{value} sensors are silent.",
			Actions: []string{"The page Sensors shows which.", "Check its power, battery and network."},
		},
		{
			Name: "broker", Title: "There is no connection to the MQTT broker", Severity: edgelens.InsightCritical,
			Why:   "No records of terminals arrive, and commands and events wait.",
			Value: Min("edgelens_mqtt_connected"), Below: limit(1), For: window,
			Summary: "There is no connection to the MQTT broker.",
			Actions: []string{"`/readyz` and the log have the reason.", "Check that the broker of `mqtt.url` is up, and the user and the certificate of this node."},
		},
		{
			Name: "events-set-aside", Title: "Events are set aside because a sink refuses them", Severity: edgelens.InsightWarning,
			Why:   "The receiver never got them.",
			Value: Sum("edgelens_outbox_set_aside"), Above: limit(0), For: time.Minute,
			Summary: "{value} events are set aside because their sink refuses them.",
			Actions: []string{"`edgelens outbox list` has the answers of the sink.", "Once the receiver accepts them: `edgelens outbox retry`."},
		},
	}
}

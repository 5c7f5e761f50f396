package web_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// What a busy site has, for screenshots and for checks of pages with content.

var seenLabels = []string{"golden retriever", "tabby cat", "mountain bike", "delivery van", "umbrella", "backpack", "laptop", "coffee mug"}

func recognition(label string, probability float64) object {
	return object{
		"request_id": "0197a000-0000-7000-8000-00000000000f", "model": object{"name": "mobilenet_v2_1.0_224_int8", "digest": "sha256:0f1e2d"}, "cached": false,
		"predictions": []object{
			{"class_id": 285, "label": label, "probability": probability}, {"class_id": 281, "label": "tabby", "probability": (1 - probability) * 0.6},
			{"class_id": 282, "label": "tiger cat", "probability": (1 - probability) * 0.3}, {"class_id": 287, "label": "lynx", "probability": (1 - probability) * 0.1},
		},
		"image": object{"width": 1280, "height": 720, "format": "jpeg", "sha256": "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"},
		"view":  object{"fit": "center", "count": 1}, "quality": object{"verdict": "ok", "score": 0.97, "usable": true},
		"timings_ms": object{"queue": 0.1, "decode": 3.2, "preprocess": 0.8, "inference": 14.6, "postprocess": 0.1, "quality": 0.9, "total": 19.7},
	}
}

// fill puts in devices, results, sensors and insights.
func (f *fake) fill() {
	f.mu.Lock()
	defer f.mu.Unlock()
	random := rand.New(rand.NewPCG(1, 2))
	f.devices = []object{
		device("1026700", "Front door", "fungxi", "accepted", true), device("1026701", "Warehouse gate", "fungxi", "accepted", true),
		device("cam-yard", "Yard", "camera", "accepted", true), device("FS-88213", "", "facesluice", "quarantined", true),
		device("cam-dock-2", "Loading dock", "camera", "accepted", false), device("1026799", "Old reader", "fungxi", "refused", false),
	}
	f.datasets = []object{
		{"name": "bin", "labels": []object{{"label": "in", "count": 8}, {"label": "out", "count": 11}}, "examples": 19, "changed_at": now(time.Hour)},
		{"name": "gate", "labels": []object{{"label": "closed", "count": 1}}, "examples": 1, "changed_at": now(time.Minute)},
	}
	f.states = []object{
		state("gate", "cam-yard", "open", 0.94), state("bin", "cam-dock-2", "full", 0.88), state("letterbox", "", "", 0),
	}
	f.states[0]["region"] = object{"x": 0.25, "y": 0, "width": 0.5, "height": 0.5}
	f.states[0]["pending"] = object{"state": "closed", "count": 1, "needed": 3}
	f.states[1]["stale"], f.states[1]["problem"] = true, "The model bin cannot be used: `edgelens model verify bin` has the reason."
	f.devices[4]["clock_problem"] = "Its clock is 8 hours ahead: set its zone to Asia/Shanghai."
	owners := []string{"1026700", "cam-yard", "1026701", "1026700", "FS-88213", "cam-yard", ""}
	for i := range 240 {
		result := object{"id": fmt.Sprintf("0197a000-0000-7000-8000-%012d", i), "created_at": now(time.Duration(i*i) * 2 * time.Second), "source": "http", "outcome": "recognized"}
		if owner := owners[i%len(owners)]; owner != "" {
			result["device"], result["source"], result["freshness"] = owner, "mqtt", "fresh"
		}
		switch n := random.IntN(20); {
		case n < 14:
			result["result"] = recognition(seenLabels[random.IntN(len(seenLabels))], 0.55+random.Float64()*0.44)
			result["image_url"] = "/api/results/" + result["id"].(string) + "/image"
		case n < 17:
			result["outcome"], result["reason"] = "uncertain", "The image is blurred (0.93); clean the lens."
			result["result"] = recognition(seenLabels[random.IntN(len(seenLabels))], 0.2+random.Float64()*0.3)
		case n < 19:
			result["outcome"], result["reason"] = "no_image", "The record has no image."
		default:
			result["outcome"], result["reason"] = "error", "The image is truncated."
		}
		f.results = append(f.results, result)
	}
	f.results[0]["event"] = object{"specversion": "1.0", "type": "edgelens.recognition.v1", "id": f.results[0]["id"], "data": object{"outcome": "recognized", "passed": true}}
	f.results[0]["deliveries"] = []object{{"sink": "mqtt", "state": "delivered", "attempts": 1, "delivered_at": now(time.Second)}, {"sink": "webhook", "state": "waiting", "attempts": 3, "attempted_at": now(2 * time.Second), "reason": "connection refused"}}
	f.sensors = []object{
		sensor("room_101", "temperature", "°C", "Server room", 23.4), sensor("room_101", "humidity", "%", "Server room", 41.2), sensor("room_102", "temperature", "°C", "Office", 21.7),
		sensor("boiler", "pressure", "bar", "Basement", 1.83), sensor("door_1", "vibration", "mm/s", "Entrance", 0.42), sensor("freezer", "temperature", "°C", "Kitchen", -18.6),
	}
	f.sensors[4]["state"] = "silent"
	f.sensors[3]["prediction"] = nil
	for i, one := range f.sensors {
		f.points[one["id"].(string)] = wave(float64(i), one["last"].(object)["value"].(float64), 300)
	}
	f.insights = []object{
		{"id": "i1", "at": now(4 * time.Minute), "kind": "anomaly", "device": "room_101", "field": "temperature", "severity": "warning", "confidence": 0.94, "summary": "The temperature in the server room rose to 31.2 °C, 4.1 deviations above the window before.", "actions": []string{"Check the air conditioning of the server room.", "Look for a blocked vent."}},
		{"id": "i2", "at": now(40 * time.Minute), "kind": "absence", "device": "door_1", "field": "vibration", "severity": "critical", "confidence": 0.99, "summary": "No reading for 3 intervals.", "actions": []string{"Check the sensor's battery."}},
		{"id": "i3", "at": now(3 * time.Hour), "kind": "trend", "device": "boiler", "field": "pressure", "severity": "info", "confidence": 0.71, "summary": "The pressure falls slowly.", "actions": []string{}},
	}
}

func device(id, name, dialect, state string, online bool) object {
	d := object{"id": id, "dialect": dialect, "state": state, "online": online, "first_seen": now(200 * time.Hour), "last_seen": now(7 * time.Second), "apply_clock_offset": false, "clock_offset_ms": 120,
		"counters": object{"heartbeats": 18204, "records": 1377, "duplicates": 12, "unknown": 0, "malformed": 0, "lost": 0, "repaired": 3}}
	if name != "" {
		d["display_name"] = name
	}
	if !online {
		d["last_seen"] = now(5 * time.Hour)
	}
	return d
}

// state is a state with its latest answer; it is unknown for the label "".
func state(name, device, label string, confidence float64) object {
	one := object{"name": name, "device": device, "model": name, "state": nil, "since": nil, "confidence": 0, "stale": false, "image_at": nil, "pending": nil, "answers": []object{}}
	if label != "" {
		one["state"], one["since"], one["confidence"], one["image_at"] = label, now(2*time.Hour), confidence, now(time.Minute)
		one["answers"] = []object{{"at": now(time.Minute), "label": label, "probability": confidence, "outcome": "confirmed"}}
	}
	return one
}

func sensor(device, field, unit, location string, value float64) object {
	return object{"id": device + "/" + field, "device": device, "field": field, "unit": unit, "location": location, "state": "fresh",
		"last":   object{"at": now(time.Second), "value": value},
		"window": object{"count": 600, "min": value - 1.4, "max": value + 7.9, "mean": value, "deviation": 0.6, "p50": value, "p95": value + 1.1},
		"trend":  object{"simple": "stable", "slope": 0.0012, "significant": false}, "season": object{"period_s": 90},
		"prediction": object{"value": value + 0.1, "low": value - 0.9, "high": value + 1.1, "error": 0.31, "error_of_same": 0.52}}
}

// wave returns a point a second, up to now.
func wave(shift, middle float64, n int) []object {
	random := rand.New(rand.NewPCG(uint64(shift), 7))
	points := make([]object, n)
	scale := 0.05 * (math.Abs(middle) + 0.5)
	for i := range points {
		value := middle + scale*math.Sin(float64(i)/14+shift) + scale*0.25*random.NormFloat64()
		anomaly := i == n/3 || i == n*4/5
		if anomaly {
			value += scale * 2.4
		}
		points[i] = object{"at": now(time.Duration(n-i) * time.Second), "mean": value, "min": value, "max": value, "count": 1, "anomaly": anomaly}
	}
	return points
}

func activity(busy bool) object {
	steps := []object{}
	for i := range 180 {
		n := 0.0
		if busy {
			n = 14 + 8*math.Sin(float64(i)/18) + float64(i*7%5)
		}
		step := object{"at": now(time.Duration(180-i) * 5 * time.Second), "answered": math.Round(n), "refused": 0, "failed": 0, "p95_ms": nil, "waiting": 0, "queued": 0}
		if busy {
			step["p95_ms"], step["waiting"] = 38+6*math.Sin(float64(i)/9)+float64(i*3%7), max(0, i*11%9-5)
		}
		steps = append(steps, step)
	}
	last := object{"answered_per_second": 0, "refused_last_minute": 0, "failed_last_minute": 0, "p95_ms": nil, "waiting": 0, "queued": 0}
	if busy {
		last = object{"answered_per_second": 3.42, "refused_last_minute": 0, "failed_last_minute": 0, "p95_ms": 41.3, "waiting": 1, "queued": 0}
	}
	return object{"step_seconds": 5, "from": now(15 * time.Minute), "until": now(0), "steps": steps, "now": last}
}

func models() []object {
	return []object{
		{"name": "mobilenet_v2_1.0_224_int8", "digest": "sha256:0f1e", "state": "ready", "default": true, "task": "classification", "labels": 1001, "file_bytes": 4_200_000,
			"input": object{"name": "input", "shape": []int{1, 224, 224, 3}, "dtype": "int8"}, "runtime": object{"name": "tflite", "version": "2.17.1"}, "delegate": "xnnpack", "operators": 66, "delegated_operators": 66, "interpreters": 2, "load_ms": 182.0, "memory_bytes": 14_680_064},
		{"name": "birds_v1", "digest": "", "state": "available", "default": false, "task": "classification", "labels": 965, "file_bytes": 3_600_000},
		{"name": "broken", "digest": "", "state": "failed", "default": false, "task": "classification", "labels": 0, "file_bytes": 1200, "problem": "The file is truncated: pull the model again."},
	}
}

func system(health object) object {
	conditions, _ := health["reasons"].([]object)
	stage := func(name string, mean float64) object {
		return object{"stage": name, "count": 15_200, "mean_ms": mean, "p50_ms": mean * 0.95, "p95_ms": mean * 1.4}
	}
	return object{"version": "1.8.0", "board": "Raspberry Pi 5 Model B Rev 1.0", "processor": "Cortex-A76", "processor_features": []string{"asimd", "asimddp"}, "architecture": "arm64", "cores": 4, "memory_bytes": 8_200_000_000, "os": "Debian GNU/Linux 12",
		"runtimes": []object{{"name": "tflite", "version": "2.17.1"}, {"name": "litert", "version": "2.3.0"}}, "accelerators": []object{},
		"state": object{"at": now(0), "started_at": now(76 * time.Hour), "status": health["status"], "conditions": orEmpty(conditions),
			"models": []object{{"name": "mobilenet_v2_1.0_224_int8", "state": "ready", "default": true, "idle": 3, "busy": 1, "stuck": 0, "memory_bytes": 14_680_064}},
			"stages": []object{stage("queue", 0.4), stage("decode", 6.1), stage("preprocess", 1.2), stage("inference", 21.4), stage("postprocess", 0.1)},
			"cache":  object{"hits": 4210, "misses": 10_990, "bypasses": 12}, "queue": object{"waiting": 1, "queued": 0, "running": 2},
			"outbox": []object{{"sink": "mqtt", "events": 0, "bytes": 0, "set_aside": 0, "dropped": 0}, {"sink": "webhook", "events": 3, "bytes": 1536, "set_aside": 1, "dropped": 0, "failing_since": now(9 * time.Minute), "reason": "connection refused"}},
			"broker": object{"state": "up", "private": true}, "redis": object{"state": "up", "private": true},
			"machine": object{"temperature_celsius": 58.4, "throttled": []string{}, "load": 0.84, "process_memory_bytes": 143_000_000, "memory_available_bytes": 5_400_000_000},
			"storage": object{"database_bytes": 48_000_000, "image_bytes": 612_000_000, "disk_free_bytes": 91_000_000_000, "disk_bytes": 128_000_000_000}}}
}

func settings() []object {
	return []object{
		{"key": "listen", "type": "string", "value": "0.0.0.0:8080", "default": "127.0.0.1:8080", "source": "flag", "masked": false, "help": "address to listen on"},
		{"key": "ledger.keep_images", "type": "bool", "value": "true", "default": "false", "source": "file", "masked": false, "help": "keep a job's image as long as the job"},
		{"key": "ledger.keep_sync", "type": "bool", "value": "false", "default": "false", "source": "default", "masked": false, "help": "keep requests that were answered at once, too"},
		{"key": "webhook.secret", "type": "string", "value": "***", "default": "", "source": "environment", "masked": true, "help": "secret for signatures"},
	}
}

// kept is what a ledger keeps.
func kept() object {
	return object{"at": now(0), "max_bytes": 2_147_483_648, "bytes": 620_000_000, "kinds": []object{
		{"kind": "jobs", "rows": 240_120, "estimated": false, "bytes": 355_000_000, "oldest": now(7 * 24 * time.Hour), "max_age_seconds": 604_800, "share_bytes": 858_993_440, "bound": "age"},
		{"kind": "events", "rows": 100_000, "estimated": false, "bytes": 20_500_000, "oldest": now(26 * time.Hour), "max_age_seconds": 604_800, "max_rows": 100_000, "share_bytes": 107_374_180, "bound": "rows"},
		{"kind": "images", "rows": 2_400, "estimated": true, "bytes": 210_000_000, "oldest": now(3 * time.Hour), "max_age_seconds": 604_800, "share_bytes": 536_870_900},
		{"kind": "ids", "rows": 800_000, "estimated": false, "bytes": 57_600_000, "oldest": now(90 * 24 * time.Hour), "max_age_seconds": 15_552_000, "max_rows": 2_000_000},
		{"kind": "commands", "rows": 0, "estimated": true, "bytes": 0, "max_age_seconds": 604_800, "max_rows": 10_000},
	}}
}

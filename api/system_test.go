package api_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"edgelens"
	"edgelens/api"
)

func pointer[T any](v T) *T { return &v }

// Every part of the state is shown, and what is not known is left out.
func TestSystemState(t *testing.T) {
	full := edgelens.SystemState{
		At: morning, StartedAt: morning.Add(-time.Hour),
		Interpreters: map[string]edgelens.InterpreterCounts{"m": {Idle: 1, Busy: 2, Stuck: 3}},
		Stages:       []edgelens.StageLatency{{Stage: "inference", Count: 5, Mean: 31 * time.Millisecond, P50: 30 * time.Millisecond, P95: 44 * time.Millisecond}},
		Cache:        edgelens.CacheCounts{Hits: 1, Misses: 2, Bypasses: 3}, Waiting: 4, Queued: 5, Running: 6,
		Sinks:   []edgelens.SinkState{{Sink: "webhook", Events: 7, Bytes: 8, SetAside: 9, Dropped: 10, FailingSince: morning, Reason: "It refuses."}},
		Broker:  &edgelens.LinkState{Private: true, Reason: "There is no connection."},
		Redis:   edgelens.LinkState{Up: true},
		Machine: edgelens.MachineState{Celsius: pointer(52.1), Throttled: []string{"The board is hot."}, Load: pointer(0.5), ProcessBytes: 11, AvailableBytes: 12},
		Storage: edgelens.StorageState{DatabaseBytes: 13, ImageBytes: 14, DiskFreeBytes: 15, DiskBytes: 16, DroppedSyncResults: pointer(int64(17))},
	}
	for name, c := range map[string]struct {
		state edgelens.SystemState
		wrong waiting
		want  string
	}{
		"all": {full, waiting{"degraded: broker: gone", "model: missing"}, `{"at":"2026-04-10T08:00:00Z","broker":{"private":true,"reason":"There is no connection.","state":"down"},"cache":{"bypasses":3,"hits":1,"misses":2},` +
			`"conditions":[{"name":"broker","reason":"gone","severity":"degraded"},{"name":"model","reason":"missing","severity":"unavailable"}],` +
			`"machine":{"load":0.5,"memory_available_bytes":12,"process_memory_bytes":11,"temperature_celsius":52.1,"throttled":["The board is hot."]},` +
			`"models":[{"busy":2,"default":true,"idle":1,"memory_bytes":0,"name":"m","state":"ready","stuck":3},{"busy":0,"default":false,"idle":0,"memory_bytes":0,"name":"missing","problem":"not there","state":"missing","stuck":0},{"busy":0,"default":false,"idle":0,"memory_bytes":0,"name":"known","state":"available","stuck":0}],` +
			`"outbox":[{"bytes":8,"dropped":10,"events":7,"failing_since":"2026-04-10T08:00:00Z","reason":"It refuses.","set_aside":9,"sink":"webhook"}],"queue":{"queued":5,"running":6,"waiting":4},` +
			`"redis":{"private":false,"state":"up"},"stages":[{"count":5,"mean_ms":31,"p50_ms":30,"p95_ms":44,"stage":"inference"}],"started_at":"2026-04-10T07:00:00Z","status":"unavailable",` +
			`"storage":{"database_bytes":13,"disk_bytes":16,"disk_free_bytes":15,"dropped_sync_results":17,"image_bytes":14}}`},
		"nothing known": {edgelens.SystemState{At: morning}, nil, `{"at":"2026-04-10T08:00:00Z","cache":{"bypasses":0,"hits":0,"misses":0},"conditions":[],"machine":{"throttled":[]},` +
			`"models":[{"busy":0,"default":true,"idle":0,"memory_bytes":0,"name":"m","state":"ready","stuck":0},{"busy":0,"default":false,"idle":0,"memory_bytes":0,"name":"missing","problem":"not there","state":"missing","stuck":0},{"busy":0,"default":false,"idle":0,"memory_bytes":0,"name":"known","state":"available","stuck":0}],` +
			`"outbox":[],"queue":{"queued":0,"running":0,"waiting":0},"redis":{"private":false,"state":"down"},"stages":[],"status":"ok","storage":{"database_bytes":0,"image_bytes":0}}`},
		"degraded": {edgelens.SystemState{At: morning}, waiting{"degraded: clock: behind"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, func(_ *api.Config, p *api.Parts) {
				p.State, p.Readiness = func(context.Context) edgelens.SystemState { return c.state }, c.wrong
			})
			w := s.do(request("GET", "/api/system", "", nil))
			got, err := json.Marshal(decoded(t, w)["state"])
			if err != nil || w.Code != 200 {
				t.Fatal(w.Code, err)
			}
			if c.want != "" && string(got) != c.want {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
			if c.want == "" && decoded(t, w)["state"].(map[string]any)["status"] != "degraded" {
				t.Errorf("got %s, want a degraded one", got)
			}
		})
	}
}

func TestSettings(t *testing.T) {
	s := newServer(t, func(_ *api.Config, p *api.Parts) {
		p.Settings = func() []edgelens.Setting {
			return []edgelens.Setting{
				{Key: "listen", Help: "host:port", Type: "string", Value: "127.0.0.1:1", Default: "127.0.0.1:8080", Source: edgelens.SettingFlag},
				{Key: "webhook.secret", Help: "a secret", Type: "string", Value: "***", Masked: true, Source: edgelens.SettingEnviron},
			}
		}
	})
	w := s.do(request("GET", "/api/settings", "", nil))
	const want = `{"settings":[{"default":"127.0.0.1:8080","help":"host:port","key":"listen","masked":false,"source":"flag","type":"string","value":"127.0.0.1:1"},` +
		`{"default":"","help":"a secret","key":"webhook.secret","masked":true,"source":"environment","type":"string","value":"***"}]}` + "\n"
	if w.Code != 200 || w.Body.String() != want || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("got %d %s\nwant %s", w.Code, w.Body, want)
	}
	if w := newServer(t, nil).do(request("GET", "/api/settings", "", nil)); w.Code != 200 || w.Body.String() != "{\"settings\":[]}\n" {
		t.Errorf("without any: %d %s", w.Code, w.Body)
	}
}

package cluster

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"edgelens/internal/cluster/clustertest"
)

// well are the conditions of a node that is well.
func well() map[string]string {
	return map[string]string{"Ready": "True", "MemoryPressure": "False", "DiskPressure": "False", "PIDPressure": "False"}
}

func putNode(server *clustertest.Server, conditions map[string]string, unschedulable bool) {
	var all []any
	for kind, status := range conditions {
		all = append(all, fields{"type": kind, "status": status, "reason": "Kubelet" + kind, "message": "the kubelet's words"})
	}
	server.Put("nodes", fields{"kind": "Node", "apiVersion": "v1", "metadata": fields{"name": "one"}, "spec": fields{"unschedulable": unschedulable}, "status": fields{"conditions": all}})
}

func with(conditions map[string]string, kind, status string) map[string]string {
	conditions[kind] = status
	if status == "" {
		delete(conditions, kind)
	}
	return conditions
}

func TestNodes(t *testing.T) {
	const quiet = "# TYPE edgelens_throttled gauge\nedgelens_throttled 0\nedgelens_temperature_celsius 45.5\n"
	tests := map[string]struct {
		conditions map[string]string
		metrics    string // "": no edgelens there
		reason     string // "": healthy
		throttled  State
		unknown    string
	}{
		"well":                  {well(), quiet, "", No, ""},
		"not ready":             {with(well(), "Ready", "False"), quiet, "it is not ready (KubeletReady): the kubelet's words", No, ""},
		"does not report":       {with(well(), "Ready", "Unknown"), quiet, "it does not report (KubeletReady)", No, ""},
		"never was ready":       {with(well(), "Ready", ""), quiet, "has no condition Ready", No, ""},
		"memory":                {with(well(), "MemoryPressure", "True"), quiet, "its memory is nearly used up (MemoryPressure): the kubelet's words", No, ""},
		"disk":                  {with(well(), "DiskPressure", "True"), quiet, "its disk is nearly full (DiskPressure)", No, ""},
		"processes":             {with(well(), "PIDPressure", "True"), quiet, "(PIDPressure)", No, ""},
		"pressure is not known": {with(well(), "DiskPressure", ""), quiet, "whether it has DiskPressure is not known", No, ""},
		"no network":            {with(well(), "NetworkUnavailable", "True"), quiet, "its network is not set up", No, ""},
		"network":               {with(well(), "NetworkUnavailable", "False"), quiet, "", No, ""},
		"throttled":             {well(), "edgelens_throttled 1\n", "its processor is throttled, hot or short of power (edgelens/edgelens-a)", Yes, ""},
		"does not report that":  {well(), "edgelens_temperature_celsius 50\n", "", Unknown, "the machine does not report it to edgelens/edgelens-a"},
		"no edgelens":           {well(), "", "", Unknown, "no edgelens runs on it"},
		"metric is no number":   {well(), "edgelens_throttled hot\n", "", Unknown, `edgelens_throttled is no number: "hot"`},
		"condition of others":   {with(well(), "EtcdIsVoter", "True"), quiet, "", No, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server, c := connected(t)
			putNode(server, test.conditions, false)
			if test.metrics != "" {
				putPod(server, "edgelens-a", fields{"phase": "Running"})
				server.SetMetrics("edgelens", "edgelens-a", statusPort, test.metrics)
			}
			all, err := c.Nodes(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			n := all[0]
			if n.Healthy != (test.reason == "") || !strings.Contains(strings.Join(n.Reasons, "\n"), test.reason) || len(n.Reasons) > 1 {
				t.Errorf("healthy %v, reasons %q, want %q", n.Healthy, n.Reasons, test.reason)
			}
			if n.Throttled != test.throttled || !strings.Contains(n.ThrottledReason, test.unknown) || (test.unknown == "") != (n.ThrottledReason == "") {
				t.Errorf("throttled %s because of %q", n.Throttled, n.ThrottledReason)
			}
			if hasOthers := len(n.Others) == 1 && n.Others[0] == "EtcdIsVoter=True"; hasOthers != (name == "condition of others") {
				t.Errorf("others %q", n.Others)
			}
		})
	}
}

func TestNodesAtLarge(t *testing.T) {
	server, c := connected(t)
	if _, err := c.Nodes(context.Background()); err == nil || !strings.Contains(err.Error(), "no nodes") {
		t.Errorf("no nodes: %v", err)
	}
	putNode(server, well(), true)
	putPod(server, "edgelens-a", fields{"phase": "Running"})
	server.SetMetrics("edgelens", "edgelens-a", statusPort, "edgelens_throttled 0\nedgelens_temperature_celsius 61.5\n")
	all, err := c.Nodes(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	const want = `[{"name":"one","healthy":true,"reasons":[],"schedulable":false,"ready":"yes","memory_pressure":"no","disk_pressure":"no","pid_pressure":"no","throttled":"no","throttled_reason":"","celsius":61.5,"others":[]}]`
	if string(text) != want {
		t.Errorf("%s\nwant %s", text, want)
	}
	server.Refuse("pods", http.StatusForbidden)
	all, err = c.Nodes(context.Background())
	if err != nil || !all[0].Healthy || all[0].Throttled != Unknown || !strings.Contains(all[0].ThrottledReason, "permissions") {
		t.Errorf("pods may not be listed: %v %+v", err, all)
	}
	server.Refuse("nodes", http.StatusForbidden)
	if _, err := c.Nodes(context.Background()); err == nil || !strings.Contains(err.Error(), "list the nodes") {
		t.Errorf("nodes may not be listed: %v", err)
	}
}

func FuzzMetrics(f *testing.F) {
	f.Add("edgelens_throttled 1\nedgelens_temperature_celsius 4.5e1\n")
	f.Add("# HELP edgelens_throttled x\nedgelens_throttled NaN\n")
	f.Fuzz(func(t *testing.T, text string) {
		values, err := parseMetrics(strings.NewReader(text))
		for name, value := range values {
			if err == nil && (value != value || name != throttledMetric && name != temperatureMetric) {
				t.Errorf("%s %v", name, value)
			}
		}
	})
}

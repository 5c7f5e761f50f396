package main

import (
	"encoding/json"
	"strings"
	"testing"

	"edgelens/internal/cluster"
	"edgelens/internal/cluster/clustertest"
)

const serviceFile = "name: edgelens\nimage: edgelens:1\nport: 8080\nreplicas: 1\nmemory: 1Gi\ncpu: \"1\"\nkeys: edgelens-keys\n"

// settle gives the workload of the service a status: as many pods as it should have are available.
func settle(server *clustertest.Server, available int) {
	d := server.Get("deployments", "edgelens", "edgelens")
	if d == nil {
		return
	}
	settled := clustertest.Object{"status": clustertest.Object{"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": available}}
	for key, value := range d {
		if key != "status" {
			settled[key] = value
		}
	}
	server.Put("deployments", settled)
}

func TestClusterCommands(t *testing.T) {
	server := clustertest.Start(t)
	kubeconfig := "--kubeconfig=" + server.Kubeconfig()
	path := file(t, "service.yaml", []byte(serviceFile))
	server.OnRead(func(int) { settle(server, 1) })

	status, out, err := runCommand(t, nil, "cluster", "apply", kubeconfig, "--json", path)
	if status != 0 || !strings.Contains(err, "Deployment edgelens: created\n") || !strings.Contains(err, "edgelens: 1 of 1 pods are available\n") {
		t.Fatalf("apply: status %d\n%s%s", status, out, err)
	}
	var applied rollout
	if err := json.Unmarshal([]byte(out), &applied); err != nil || !applied.Service.Healthy || len(applied.Applied) != 2 {
		t.Errorf("apply --json: %v\n%s", err, out)
	}

	status, out, err = runCommand(t, nil, "cluster", "status", kubeconfig)
	if status != 0 || !strings.Contains(out, "edgelens  yes      1 of 1     1 of 1   Deployment  edgelens:1") {
		t.Errorf("status: %d\n%s%s", status, out, err)
	}
	settle(server, 0)
	status, out, err = runCommand(t, nil, "cluster", "status", kubeconfig, "edgelens")
	if status != 1 || !strings.Contains(out, "edgelens  no ") || !strings.Contains(out, "edgelens: 0 of 1 pods are available\n") || err != "" {
		t.Errorf("status of a service that is not healthy: %d\n%s%s", status, out, err)
	}
	var report struct {
		Healthy  bool
		Services []cluster.Report
	}
	status, out, _ = runCommand(t, nil, "cluster", "status", kubeconfig, "--json")
	if err := json.Unmarshal([]byte(out), &report); status != 1 || err != nil || report.Healthy || len(report.Services) != 1 {
		t.Errorf("status --json: %d %v\n%s", status, err, out)
	}

	server.OnRead(func(int) { settle(server, 0) })
	status, _, err = runCommand(t, nil, "cluster", "apply", kubeconfig, "--timeout", "10ms", path)
	if status != 1 || !strings.Contains(err, "did not come up within 10ms") {
		t.Errorf("apply in vain: %d\n%s", status, err)
	}
}

func TestClusterNodesCommand(t *testing.T) {
	server := clustertest.Start(t)
	kubeconfig := "--kubeconfig=" + server.Kubeconfig()
	put := func(ready string) {
		server.Put("nodes", clustertest.Object{"kind": "Node", "apiVersion": "v1", "metadata": clustertest.Object{"name": "pi-1"}, "status": clustertest.Object{"conditions": []any{
			clustertest.Object{"type": "Ready", "status": ready, "reason": "Kubelet", "message": "words"},
			clustertest.Object{"type": "MemoryPressure", "status": "False"}, clustertest.Object{"type": "DiskPressure", "status": "False"}, clustertest.Object{"type": "PIDPressure", "status": "False"},
		}}})
	}
	put("True")
	status, out, err := runCommand(t, nil, "cluster", "nodes", kubeconfig)
	if status != 0 || !strings.Contains(out, "pi-1  yes      yes    ok      ok    ok    unknown    unknown") || !strings.Contains(out, "pi-1: whether it is throttled is unknown: no edgelens runs on it\n") {
		t.Errorf("%d\n%s%s", status, out, err)
	}
	put("False")
	if status, out, err = runCommand(t, nil, "cluster", "nodes", kubeconfig); status != 1 || !strings.Contains(out, "pi-1: it is not ready (Kubelet): words\n") || err != "" {
		t.Errorf("%d\n%s%s", status, out, err)
	}
	var report struct {
		Healthy bool
		Nodes   []cluster.Node
	}
	status, out, _ = runCommand(t, nil, "cluster", "nodes", kubeconfig, "--json")
	if err := json.Unmarshal([]byte(out), &report); status != 1 || err != nil || report.Healthy || report.Nodes[0].Ready != cluster.No {
		t.Errorf("%d %v\n%s", status, err, out)
	}
}

func TestClusterUsage(t *testing.T) {
	for line, test := range map[string]struct {
		status int
		want   string
	}{
		"cluster":                             {0, ""},
		"cluster statu":                       {2, "did you mean edgelens cluster status?"},
		"cluster apply":                       {2, "1 arg"},
		"cluster nodes extra":                 {2, "takes no arguments"},
		"cluster apply /nowhere.yaml":         {1, "cannot be read"},
		"cluster nodes --kubeconfig /nowhere": {1, "--kubeconfig"},
	} {
		status, _, err := runCommand(t, nil, strings.Fields(line)...)
		if status != test.status || !strings.Contains(err, test.want) {
			t.Errorf("%s: status %d, %q, want %d, %q", line, status, err, test.status, test.want)
		}
	}
}

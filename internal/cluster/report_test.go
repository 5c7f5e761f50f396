package cluster

import (
	"context"
	"net/http"
	"strings"
	"testing"
)

func terminated(reason, message string, code int) fields {
	return fields{"terminated": fields{"reason": reason, "message": message, "exitCode": code}}
}

// Why a pod does not come up, in words.
func TestReasons(t *testing.T) {
	container := func(status fields) fields {
		status["name"], status["image"] = containerName, "edgelens:1"
		return fields{"phase": "Running", "conditions": ready("False"), "containerStatuses": []any{status}}
	}
	scheduled := func(message string) fields {
		return fields{"phase": "Pending", "conditions": []any{fields{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}}}
	}
	backOff := fields{"waiting": fields{"reason": "CrashLoopBackOff", "message": "back-off"}}
	tests := map[string]struct {
		status fields
		event  fields
		want   string
	}{
		"ready":             {fields{"phase": "Running", "conditions": ready("True")}, nil, ""},
		"no such image":     {waiting("ErrImagePull", "not found"), nil, "its image edgelens:1 cannot be pulled (ErrImagePull): not found; check its name"},
		"no secret":         {waiting("CreateContainerConfigError", `secret "edgelens-redis" not found`), nil, `cannot be made (CreateContainerConfigError): secret "edgelens-redis" not found; a Secret`},
		"out of memory":     {container(fields{"restartCount": 3, "state": backOff, "lastState": terminated("OOMKilled", "", 137)}), nil, "more memory than its limit 1Gi (OOMKilled), restarted 3 times; give more memory"},
		"refuses its start": {container(fields{"restartCount": 1, "state": backOff, "lastState": terminated("Error", "edgelens: EDGELENS_X is not a setting\n", 1)}), nil, "ended with status 1 (Error), restarted once: edgelens: EDGELENS_X is not a setting"},
		"ended just now":    {container(fields{"state": terminated("Error", "", 2)}), nil, "ended with status 2 (Error), not restarted yet: its log may have the reason"},
		"other wait":        {waiting("Weird", "strange"), nil, "its container waits (Weird): strange"},
		"too little memory": {scheduled("0/3 nodes are available: 3 Insufficient memory."), nil, "no node takes it (Unschedulable): 0/3 nodes are available: 3 Insufficient memory.; give less memory"},
		"too little cpu":    {scheduled("0/3 nodes are available: 3 Insufficient cpu."), nil, "give less cpu"},
		"no storage class":  {scheduled("pod has unbound immediate PersistentVolumeClaims"), nil, "default StorageClass"},
		"evicted":           {fields{"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}, nil, "it failed (Evicted): The node was low"},
		"first container": {fields{"phase": "Pending", "conditions": ready("False"), "initContainerStatuses": []any{fields{"name": "model", "state": terminated("Error", "edgelens: no network", 1)}}},
			nil, "ended with status 1 (Error), not restarted yet: edgelens: no network"},
		"volume is missing": {waiting("ContainerCreating", ""), fields{"reason": "FailedMount", "message": `secret "edgelens-keys" not found`}, `a volume is missing (FailedMount): secret "edgelens-keys" not found; a Secret`},
		"does not become ready": {container(fields{"state": fields{"running": fields{}}}), fields{"reason": "Unhealthy", "message": "Readiness probe failed: HTTP probe failed with statuscode: 503"},
			"it is not ready: Readiness probe failed"},
		"nothing is known": {fields{"phase": "Pending"}, nil, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server, c := connected(t)
			s := serviceOf(t, "")
			if _, err := c.Apply(context.Background(), s); err != nil {
				t.Fatal(err)
			}
			setStatus(server, 1, 2, 2, 0)
			putPod(server, "edgelens-a", test.status)
			if test.event != nil {
				for i, kind := range []string{"Warning", "Normal"} { // the second is of no interest
					event := fields{"kind": "Event", "apiVersion": "v1", "metadata": fields{"name": kind, "namespace": "edgelens"}, "involvedObject": fields{"uid": "edgelens-a"}, "type": kind, "lastTimestamp": "2026-01-02T03:04:0" + string(rune('5'+i)) + "Z"}
					for key, value := range test.event {
						event[key] = value
					}
					server.Put("events", event)
				}
			}
			reports, err := c.Services(context.Background(), "", "edgelens")
			if err != nil {
				t.Fatal(err)
			}
			got := reports[0].Pods[0].Reason
			if test.want == "" && got != "" || !strings.Contains(got, test.want) {
				t.Errorf("reason %q, want %q", got, test.want)
			}
			if all := strings.Join(reports[0].Reasons, "\n"); reports[0].Healthy || got != "" && !strings.Contains(all, "pod edgelens-a: "+got) {
				t.Errorf("reasons %q", all)
			}
		})
	}
}

func TestServices(t *testing.T) {
	server, c := connected(t)
	if _, err := c.Services(context.Background(), "", ""); err == nil || !strings.Contains(err.Error(), "--namespace") {
		t.Errorf("no service: %v", err)
	}
	if _, err := c.Apply(context.Background(), serviceOf(t, "")); err != nil {
		t.Fatal(err)
	}
	second := serviceOf(t, "storage: 1Gi\n")
	second.Name = "another"
	if _, err := c.Apply(context.Background(), second); err != nil {
		t.Fatal(err)
	}
	setStatus(server, 1, 2, 2, 2)
	reports, err := c.Services(context.Background(), "edgelens", "")
	if err != nil {
		t.Fatal(err)
	}
	if len(reports) != 2 || reports[0].Name != "another" || reports[0].Kind != "StatefulSet" || reports[0].Healthy || !reports[1].Healthy || reports[1].Images[0] != "edgelens:1" {
		t.Errorf("%+v", reports)
	}
	if _, err := c.Services(context.Background(), "edgelens", "neither"); err == nil {
		t.Error("a service that there is not")
	}
	server.Refuse("events", http.StatusForbidden) // events only help
	if _, err := c.Services(context.Background(), "", ""); err != nil {
		t.Error(err)
	}
	server.Refuse("pods", http.StatusInternalServerError)
	if _, err := c.Services(context.Background(), "", ""); err == nil || !strings.Contains(err.Error(), "list the pods of") {
		t.Errorf("pods cannot be listed: %v", err)
	}
}

// What keeps pods from being made is in the workload's condition.
func TestPodsCannotBeMade(t *testing.T) {
	server, c := connected(t)
	if _, err := c.Apply(context.Background(), serviceOf(t, "")); err != nil {
		t.Fatal(err)
	}
	setStatus(server, 1, 0, 0, 0)
	d := server.Get("deployments", "edgelens", "edgelens")
	d["status"].(fields)["conditions"] = []any{fields{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"}}
	reports, err := c.Services(context.Background(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	if all := strings.Join(reports[0].Reasons, "\n"); !strings.Contains(all, "pods cannot be made (FailedCreate): exceeded quota") {
		t.Errorf("%q", all)
	}
}

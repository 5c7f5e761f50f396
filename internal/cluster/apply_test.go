package cluster

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/cluster/clustertest"
)

type fields = clustertest.Object

func connected(t *testing.T) (*clustertest.Server, *Cluster) {
	t.Helper()
	server := clustertest.Start(t)
	c, err := Connect(Options{Kubeconfig: server.Kubeconfig()})
	if err != nil {
		t.Fatal(err)
	}
	c.every = time.Millisecond
	return server, c
}

func TestApply(t *testing.T) {
	server, c := connected(t)
	s := serviceOf(t, "storage: 5Gi\n")
	s.Namespace = "" // that of the context
	changes := func(want string) {
		t.Helper()
		applied, err := c.Apply(context.Background(), s)
		if err != nil {
			t.Fatal(err)
		}
		var kinds []string
		for _, a := range applied {
			kinds = append(kinds, a.Kind+" "+a.Name)
			if a.Change != want && (want != "updated" || a.Kind == "StatefulSet") {
				t.Errorf("%s %s: %s, want %s", a.Kind, a.Name, a.Change, want)
			}
		}
		if !slices.Equal(kinds, []string{"Service edgelens", "Service edgelens-nodes", "PodDisruptionBudget edgelens", "StatefulSet edgelens"}) {
			t.Errorf("%q", kinds)
		}
	}
	changes("created")
	changes("unchanged")
	s.Image = "edgelens:2"
	changes("updated")
	if server.Get("statefulsets", "edgelens", "edgelens") == nil {
		t.Error("the StatefulSet is not in the namespace of the context")
	}

	s.Storage = ""
	if _, err := c.Apply(context.Background(), s); !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), "kubectl -n edgelens delete statefulsets edgelens") {
		t.Errorf("without storage now: %v", err)
	}
}

func TestApplyErrors(t *testing.T) {
	tests := map[string]struct {
		service Service
		prepare func(*clustertest.Server)
		want    string
	}{
		"no such namespace": {Service{Namespace: "shop"}, nil, "kubectl create namespace shop"},
		"forbidden":         {Service{}, func(s *clustertest.Server) { s.Refuse("services", http.StatusForbidden) }, "docs/kubernetes.md lists the permissions"},
		"not logged in":     {Service{}, func(s *clustertest.Server) { s.Refuse("statefulsets", http.StatusUnauthorized) }, "log in to the cluster again"},
		"invalid":           {Service{Port: -1}, nil, "port must be"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server, c := connected(t)
			if test.prepare != nil {
				test.prepare(server)
			}
			s := serviceOf(t, "")
			if test.service.Namespace != "" {
				s.Namespace = test.service.Namespace
			}
			if test.service.Port != 0 {
				s.Port = test.service.Port
			}
			if _, err := c.Apply(context.Background(), s); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

func TestConnectErrors(t *testing.T) {
	if _, err := Connect(Options{Kubeconfig: "/nowhere"}); !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), "--kubeconfig") {
		t.Errorf("no file: %v", err)
	}
	server := clustertest.Start(t)
	if _, err := Connect(Options{Kubeconfig: server.Kubeconfig(), Context: "other"}); !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), "other") {
		t.Errorf("no context: %v", err)
	}
}

// setStatus gives the Deployment of a service a status.
func setStatus(server *clustertest.Server, generation, replicas, updated, available int) {
	d := server.Get("deployments", "edgelens", "edgelens")
	copied := fields{}
	for key, value := range d {
		copied[key] = value
	}
	copied["status"] = fields{"observedGeneration": generation, "replicas": replicas, "updatedReplicas": updated, "readyReplicas": available, "availableReplicas": available}
	server.Put("deployments", copied)
}

// putPod puts a pod of the service edgelens.
func putPod(server *clustertest.Server, name string, status fields) {
	server.Put("pods", fields{
		"kind": "Pod", "apiVersion": "v1", "status": status,
		"metadata": fields{"name": name, "namespace": "edgelens", "uid": name, "labels": fields{nameLabel: appName, instanceLabel: "edgelens"}},
		"spec": fields{"nodeName": "one", "containers": []any{fields{
			"name": containerName, "image": "edgelens:1", "resources": fields{"limits": fields{"memory": "1Gi"}},
			"ports": []any{fields{"name": statusName, "containerPort": statusPort}},
		}}},
	})
}

func ready(yes string) []any { return []any{fields{"type": "Ready", "status": yes}} }

func waiting(reason, message string) fields {
	return fields{"phase": "Pending", "conditions": ready("False"), "containerStatuses": []any{fields{
		"name": containerName, "image": "edgelens:1", "state": fields{"waiting": fields{"reason": reason, "message": message}},
	}}}
}

func TestWait(t *testing.T) {
	server, c := connected(t)
	s := serviceOf(t, "")
	if _, err := c.Apply(context.Background(), s); err != nil {
		t.Fatal(err)
	}
	server.OnRead(func(reads int) {
		switch reads {
		case 2:
			setStatus(server, 1, 2, 1, 0)
			putPod(server, "edgelens-a", fields{"phase": "Pending", "conditions": ready("False")})
		case 3:
			setStatus(server, 1, 3, 2, 1)
		case 4:
			putPod(server, "edgelens-a", fields{"phase": "Running", "conditions": ready("True")})
			setStatus(server, 1, 2, 2, 2)
		}
	})
	var lines []string
	report, err := c.Wait(context.Background(), s, time.Minute, func(text string) { lines = append(lines, text) })
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"the cluster has not seen the last change yet", "1 of 2 pods have the new version", "0 of 2 pods are available",
		"1 pods of the former version have not ended yet", "1 of 2 pods are available", "2 of 2 pods are available",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("%q\nwant %q", lines, want)
	}
	if !report.Healthy || report.Available != 2 || report.Pods[0].Name != "edgelens-a" || !report.Pods[0].Ready || len(report.Reasons) != 0 {
		t.Errorf("%+v", report)
	}
}

func TestWaitTimesOut(t *testing.T) {
	server, c := connected(t)
	s := serviceOf(t, "")
	if _, err := c.Apply(context.Background(), s); err != nil {
		t.Fatal(err)
	}
	setStatus(server, 1, 3, 1, 2)
	putPod(server, "edgelens-b", waiting("ImagePullBackOff", `Back-off pulling image "edgelens:2"`))
	report, err := c.Wait(context.Background(), s, 50*time.Millisecond, func(string) {})
	if !errors.Is(err, ErrRollout) {
		t.Fatal(err)
	}
	for _, words := range []string{"within 50ms", "1 of 2 pods have the new version", `pod edgelens-b: its image edgelens:1 cannot be pulled (ImagePullBackOff): Back-off pulling image "edgelens:2"; check its name`} {
		if !strings.Contains(err.Error(), words) {
			t.Errorf("%v\nwithout %q", err, words)
		}
	}
	if report.Healthy || len(report.Pods) != 1 {
		t.Errorf("%+v", report)
	}
}

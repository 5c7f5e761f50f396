package worker

import (
	"context"
	"os"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/hibiken/asynq"
	"gopkg.in/yaml.v3"

	"edgelens/internal/supervise/supervisetest"
)

// Kubernetes scales workers by the length of the lists in Redis that have the waiting tasks.
func TestScalingReadsTheQueues(t *testing.T) {
	const file = "../deploy/kubernetes/components/keda/scaling.yaml"
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var scaled struct {
		Spec struct {
			Triggers []struct {
				Type     string
				Metadata struct {
					ListName string `yaml:"listName"`
				}
			}
		}
	}
	if err := yaml.NewDecoder(f).Decode(&scaled); err != nil { // the first document
		t.Fatal(err)
	}
	var lists []string
	for _, trigger := range scaled.Spec.Triggers {
		if trigger.Type == "redis" {
			lists = append(lists, trigger.Metadata.ListName)
		}
	}
	if len(lists) != len(queues) {
		t.Errorf("%s has the lists %q; there are the queues %q", file, lists, queues)
	}

	client, err := connect(supervisetest.Start(t).URL, &atomic.Bool{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	tasks := asynq.NewClientFromRedisClient(client)
	for _, queue := range queues {
		if _, err := tasks.Enqueue(asynq.NewTask(taskType, nil), asynq.Queue(queue)); err != nil {
			t.Fatal(err)
		}
		list := "asynq:{" + queue + "}:pending"
		if n, err := client.LLen(context.Background(), list).Result(); err != nil || n != 1 {
			t.Errorf("%s has %d tasks (%v), want 1", list, n, err)
		}
		if !slices.Contains(lists, list) {
			t.Errorf("%s has no list %s", file, list)
		}
	}
}

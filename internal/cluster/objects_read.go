package cluster

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// What is read of Kubernetes' objects, with the names of its API.

type meta struct {
	Name              string            `json:"name"`
	Namespace         string            `json:"namespace"`
	UID               string            `json:"uid"`
	Generation        int64             `json:"generation"`
	Labels            map[string]string `json:"labels"`
	DeletionTimestamp string            `json:"deletionTimestamp"`
}

// condition is one of a workload, pod or node. Status is True, False or Unknown.
type condition struct {
	Type    string `json:"type"`
	Status  string `json:"status"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// workload is a Deployment or a StatefulSet.
type workload struct {
	Kind     string `json:"kind"`
	Metadata meta   `json:"metadata"`
	Spec     struct {
		Replicas *int64 `json:"replicas"`
		Selector struct {
			MatchLabels map[string]string `json:"matchLabels"`
		} `json:"selector"`
		Template struct {
			Spec struct {
				Containers []container `json:"containers"`
			} `json:"spec"`
		} `json:"template"`
	} `json:"spec"`
	Status struct {
		ObservedGeneration int64       `json:"observedGeneration"`
		Replicas           int64       `json:"replicas"`
		ReadyReplicas      int64       `json:"readyReplicas"`
		UpdatedReplicas    int64       `json:"updatedReplicas"`
		AvailableReplicas  int64       `json:"availableReplicas"`
		Conditions         []condition `json:"conditions"`
	} `json:"status"`
}

type container struct {
	Name  string `json:"name"`
	Image string `json:"image"`
	Ports []struct {
		Name          string `json:"name"`
		ContainerPort int64  `json:"containerPort"`
	} `json:"ports"`
	Resources struct {
		Limits map[string]string `json:"limits"`
	} `json:"resources"`
}

type pod struct {
	Metadata meta `json:"metadata"`
	Spec     struct {
		NodeName   string      `json:"nodeName"`
		Containers []container `json:"containers"`
	} `json:"spec"`
	Status struct {
		Phase                 string            `json:"phase"`
		Reason                string            `json:"reason"`
		Message               string            `json:"message"`
		PodIP                 string            `json:"podIP"`
		Conditions            []condition       `json:"conditions"`
		InitContainerStatuses []containerStatus `json:"initContainerStatuses"`
		ContainerStatuses     []containerStatus `json:"containerStatuses"`
	} `json:"status"`
}

type containerStatus struct {
	Name         string         `json:"name"`
	Image        string         `json:"image"`
	Ready        bool           `json:"ready"`
	RestartCount int64          `json:"restartCount"`
	State        containerState `json:"state"`
	LastState    containerState `json:"lastState"`
}

type containerState struct {
	Waiting *struct {
		Reason  string `json:"reason"`
		Message string `json:"message"`
	} `json:"waiting"`
	Running *struct {
		StartedAt string `json:"startedAt"`
	} `json:"running"`
	Terminated *ending `json:"terminated"`
}

// ending is how a container ended.
type ending struct {
	Reason   string `json:"reason"`
	Message  string `json:"message"`
	ExitCode int64  `json:"exitCode"`
}

type machine struct {
	Metadata meta `json:"metadata"`
	Spec     struct {
		Unschedulable bool `json:"unschedulable"`
	} `json:"spec"`
	Status struct {
		Conditions []condition `json:"conditions"`
	} `json:"status"`
}

type occurrence struct {
	Type    string `json:"type"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
	// Of these, one is set, by what wrote the event.
	LastTimestamp string `json:"lastTimestamp"`
	EventTime     string `json:"eventTime"`
}

// at is when the event happened last; zero where that is not known.
func (o occurrence) at() time.Time {
	for _, text := range []string{o.LastTimestamp, o.EventTime} {
		if at, err := time.Parse(time.RFC3339, text); err == nil {
			return at
		}
	}
	return time.Time{}
}

// read decodes an object of the API server.
func read[T any](u unstructured.Unstructured) (T, error) {
	var value T
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &value); err != nil {
		return value, fmt.Errorf("the %s %s of the API server is not understood: %w", u.GetKind(), u.GetName(), err)
	}
	return value, nil
}

// readAll is read for the items of a list.
func readAll[T any](items []unstructured.Unstructured) ([]T, error) {
	all := make([]T, 0, len(items))
	for _, item := range items {
		value, err := read[T](item)
		if err != nil {
			return nil, err
		}
		all = append(all, value)
	}
	return all, nil
}

func find(conditions []condition, kind string) (condition, bool) {
	for _, c := range conditions {
		if c.Type == kind {
			return c, true
		}
	}
	return condition{}, false
}

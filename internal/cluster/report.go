package cluster

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"edgelens"
)

// Report is the state of a service. Its JSON is a promise.
type Report struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	// Kind is Deployment or StatefulSet.
	Kind   string   `json:"kind"`
	Images []string `json:"images"`
	// Replicas is how many pods there should be; Updated of them have the newest version, and Available have been ready.
	Replicas  int64 `json:"replicas"`
	Updated   int64 `json:"updated"`
	Available int64 `json:"available"`
	// Healthy: all pods have the newest version and are available, and none of an older one is left.
	Healthy bool `json:"healthy"`
	// Reasons are why it is not.
	Reasons []string `json:"reasons"`
	Pods    []Pod    `json:"pods"`
}

// Pod is the state of one pod.
type Pod struct {
	Name string `json:"name"`
	// Node is "" until one takes it.
	Node     string `json:"node"`
	Ready    bool   `json:"ready"`
	Restarts int64  `json:"restarts"`
	// Reason is why it is not ready; "" where that is not known.
	Reason string `json:"reason"`
}

// Services reports the services of the namespace, by name: those that Apply deployed, and those of deploy/kubernetes. With a
// name, it is an error where there is none of that name.
func (c *Cluster) Services(ctx context.Context, namespace, name string) ([]Report, error) {
	if namespace == "" {
		namespace = c.namespace
	}
	all := []Report{}
	for _, resource := range []schema.GroupVersionResource{deployments, statefulSets} {
		found, err := c.objects.Resource(resource).Namespace(namespace).List(ctx, metav1.ListOptions{LabelSelector: nameLabel + "=" + appName})
		if err != nil {
			return nil, explain("list the services of the namespace "+namespace, err)
		}
		workloads, err := readAll[workload](found.Items)
		if err != nil {
			return nil, err
		}
		for _, w := range workloads {
			if name != "" && w.Metadata.Name != name {
				continue
			}
			report, err := c.report(ctx, w)
			if err != nil {
				return nil, err
			}
			all = append(all, report)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: the namespace %s has no service %s of edgelens; --namespace chooses another one", edgelens.ErrInvalid, namespace, name)
	}
	slices.SortFunc(all, func(a, b Report) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// look reports one service.
func (c *Cluster) look(ctx context.Context, resource schema.GroupVersionResource, namespace, name string) (Report, error) {
	found, err := c.objects.Resource(resource).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return Report{}, explain("read the service "+name, err)
	}
	w, err := read[workload](*found)
	if err != nil {
		return Report{}, err
	}
	return c.report(ctx, w)
}

func (c *Cluster) report(ctx context.Context, w workload) (Report, error) {
	report := Report{
		Name: w.Metadata.Name, Namespace: w.Metadata.Namespace, Kind: w.Kind, Images: []string{}, Replicas: 1,
		Updated: w.Status.UpdatedReplicas, Available: w.Status.AvailableReplicas, Reasons: []string{}, Pods: []Pod{},
	}
	for _, c := range w.Spec.Template.Spec.Containers {
		report.Images = append(report.Images, c.Image)
	}
	if w.Spec.Replicas != nil {
		report.Replicas = *w.Spec.Replicas
	}
	found, err := c.objects.Resource(pods).Namespace(w.Metadata.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selectorOf(w.Spec.Selector.MatchLabels)})
	if err != nil {
		return report, explain("list the pods of "+w.Metadata.Name, err)
	}
	itsPods, err := readAll[pod](found.Items)
	if err != nil {
		return report, err
	}
	for _, p := range itsPods {
		if p.Metadata.DeletionTimestamp != "" {
			continue // it is being replaced
		}
		described, err := c.describe(ctx, p)
		if err != nil {
			return report, err
		}
		report.Pods = append(report.Pods, described)
	}
	slices.SortFunc(report.Pods, func(a, b Pod) int { return strings.Compare(a.Name, b.Name) })
	return report, c.complete(ctx, w, &report)
}

// describe returns the state of a pod. Where the pod itself has no reason why it is not ready, its last event may.
func (c *Cluster) describe(ctx context.Context, p pod) (Pod, error) {
	ready, _ := find(p.Status.Conditions, "Ready")
	described := Pod{Name: p.Metadata.Name, Node: p.Spec.NodeName, Ready: ready.Status == "True", Reason: p.reason()}
	for _, s := range p.Status.ContainerStatuses {
		described.Restarts += s.RestartCount
	}
	if described.Ready || described.Reason != "" {
		return described, nil
	}
	reason, err := c.lastWarning(ctx, p.Metadata)
	described.Reason = reason
	return described, err
}

// lastWarning returns what the last event of an object warns of; "" where there is none, or events may not be read.
func (c *Cluster) lastWarning(ctx context.Context, m meta) (string, error) {
	found, err := c.objects.Resource(events).Namespace(m.Namespace).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.uid=" + m.UID})
	if apierrors.IsForbidden(err) {
		return "", nil
	}
	if err != nil {
		return "", explain("list the events of "+m.Name, err)
	}
	all, err := readAll[occurrence](found.Items)
	return eventReason(all), err
}

// complete adds whether the service is healthy, and why not.
func (c *Cluster) complete(ctx context.Context, w workload, r *Report) error {
	reason := func(format string, args ...any) { r.Reasons = append(r.Reasons, fmt.Sprintf(format, args...)) }
	if w.Status.ObservedGeneration < w.Metadata.Generation {
		reason("the cluster has not seen the last change yet")
		return nil
	}
	switch {
	case r.Updated < r.Replicas:
		reason("%d of %d pods have the new version", r.Updated, r.Replicas)
	case w.Status.Replicas > r.Replicas:
		reason("%d pods of the former version have not ended yet", w.Status.Replicas-r.Replicas)
	}
	if r.Available < r.Replicas {
		reason("%d of %d pods are available", r.Available, r.Replicas)
	}
	r.Healthy = len(r.Reasons) == 0
	if r.Healthy {
		return nil
	}
	if failure, ok := find(w.Status.Conditions, "ReplicaFailure"); ok && failure.Status == "True" {
		reason("pods cannot be made (%s): %s", failure.Reason, brief(failure.Message))
	}
	if len(r.Pods) == 0 && w.Kind == "StatefulSet" {
		warning, err := c.lastWarning(ctx, w.Metadata)
		if err != nil {
			return err
		}
		if warning != "" {
			reason("pods cannot be made (%s)", warning)
		}
	}
	for _, p := range r.Pods {
		if p.Reason != "" {
			reason("pod %s: %s", p.Name, p.Reason)
		}
	}
	return nil
}

// selectorOf is the text of labels that all must match.
func selectorOf(labels map[string]string) string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		all = append(all, key+"="+labels[key])
	}
	return strings.Join(all, ",")
}

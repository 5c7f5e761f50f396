package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// State is whether something holds.
type State string

// The states.
const (
	Yes     State = "yes"
	No      State = "no"
	Unknown State = "unknown"
)

// Node is the state of a machine of the cluster. Its JSON is a promise.
type Node struct {
	Name string `json:"name"`
	// Healthy: it is ready, under no pressure, with a network, and not throttled as far as is known.
	Healthy bool     `json:"healthy"`
	Reasons []string `json:"reasons"`
	// Schedulable is false where it takes no new pods (kubectl cordon), which is no problem in itself.
	Schedulable    bool  `json:"schedulable"`
	Ready          State `json:"ready"`
	MemoryPressure State `json:"memory_pressure"`
	DiskPressure   State `json:"disk_pressure"`
	PIDPressure    State `json:"pid_pressure"`
	// Throttled is whether its processor is slower than it could be, by the edgelens that runs there; Unknown with ThrottledReason.
	Throttled       State  `json:"throttled"`
	ThrottledReason string `json:"throttled_reason"`
	// Celsius is the temperature of its processor; nil where it is not known.
	Celsius *float64 `json:"celsius"`
	// Others are conditions that the cluster has beyond Kubernetes' own. Whether they are good or bad is not known here.
	Others []string `json:"others"`
}

// Nodes reports the nodes of the cluster, by name.
func (c *Cluster) Nodes(ctx context.Context) ([]Node, error) {
	found, err := c.objects.Resource(nodes).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, explain("list the nodes", err)
	}
	machines, err := readAll[machine](found.Items)
	if err != nil {
		return nil, err
	}
	if len(machines) == 0 {
		return nil, errors.New("the cluster has no nodes")
	}
	reporters := c.reporters(ctx)
	all := make([]Node, len(machines))
	var group errgroup.Group
	group.SetLimit(maxReadings)
	for i, m := range machines {
		group.Go(func() error {
			all[i] = m.node(c.reading(ctx, m.Metadata.Name, reporters))
			return nil
		})
	}
	_ = group.Wait() // no function fails
	slices.SortFunc(all, func(a, b Node) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// pressures are the conditions that are bad, with what they mean.
var pressures = []struct {
	kind, means string
	of          func(*Node) *State
}{
	{"MemoryPressure", "its memory is nearly used up", func(n *Node) *State { return &n.MemoryPressure }},
	{"DiskPressure", "its disk is nearly full", func(n *Node) *State { return &n.DiskPressure }},
	{"PIDPressure", "it has nearly as many processes as it may have", func(n *Node) *State { return &n.PIDPressure }},
}

// node describes a machine by its conditions and what its edgelens reports.
func (m machine) node(r reading) Node {
	n := Node{
		Name: m.Metadata.Name, Reasons: []string{}, Schedulable: !m.Spec.Unschedulable, Throttled: r.throttled, ThrottledReason: r.reason,
		Celsius: r.celsius, Others: []string{},
	}
	reason := func(format string, args ...any) { n.Reasons = append(n.Reasons, fmt.Sprintf(format, args...)) }
	ready, _ := find(m.Status.Conditions, "Ready")
	n.Ready = stateOf(ready.Status)
	switch {
	case ready.Type == "":
		reason("it is not known to be ready: it has no condition Ready")
	case n.Ready == No:
		reason("it is not ready (%s): %s", ready.Reason, brief(ready.Message))
	case n.Ready == Unknown:
		reason("it does not report (%s): %s", ready.Reason, brief(ready.Message))
	}
	for _, p := range pressures {
		found, _ := find(m.Status.Conditions, p.kind)
		*p.of(&n) = stateOf(found.Status)
		switch {
		case stateOf(found.Status) == Yes:
			reason("%s (%s): %s", p.means, p.kind, brief(found.Message))
		case stateOf(found.Status) == Unknown && n.Ready == Yes:
			reason("whether it has %s is not known", p.kind)
		}
	}
	if network, ok := find(m.Status.Conditions, "NetworkUnavailable"); ok && network.Status != "False" {
		reason("its network is not set up (%s): %s", network.Reason, brief(network.Message))
	}
	if n.Throttled == Yes {
		reason("its processor is throttled, hot or short of power (%s): give it a heat sink or a fan, and a better power supply", r.pod)
	}
	for _, c := range m.Status.Conditions {
		if !slices.Contains([]string{"Ready", "MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"}, c.Type) {
			n.Others = append(n.Others, c.Type+"="+c.Status)
		}
	}
	n.Healthy = len(n.Reasons) == 0
	return n
}

func stateOf(status string) State {
	switch status {
	case "True":
		return Yes
	case "False":
		return No
	}
	return Unknown
}

package cluster

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// maxReadings is how many nodes are asked at a time.
	maxReadings = 8
	// readingTimeout bounds the answer of one.
	readingTimeout = 5 * time.Second
	// maxMetrics bounds its bytes.
	maxMetrics = 4 << 20
	// The metrics of the machine (docs/metrics.md).
	throttledMetric   = "edgelens_throttled"
	temperatureMetric = "edgelens_temperature_celsius"
)

// reporters are the pods of edgelens that run, by node, or why they are not known.
type reporters struct {
	byNode map[string]pod
	err    error
}

// reading is what the edgelens on a node reports about its processor.
type reading struct {
	throttled State
	// reason is why that is not known.
	reason  string
	celsius *float64
	// pod reports it, as namespace/name.
	pod string
}

// reporters finds, for each node, a pod of edgelens with a port for metrics.
func (c *Cluster) reporters(ctx context.Context) reporters {
	found, err := c.objects.Resource(pods).List(ctx, metav1.ListOptions{LabelSelector: nameLabel + "=" + appName})
	if err != nil {
		return reporters{err: explain("list the pods of edgelens", err)}
	}
	all, err := readAll[pod](found.Items)
	if err != nil {
		return reporters{err: err}
	}
	byNode := map[string]pod{}
	for _, p := range all {
		if p.Status.Phase == "Running" && p.Metadata.DeletionTimestamp == "" && p.statusPort() != 0 {
			byNode[p.Spec.NodeName] = p
		}
	}
	return reporters{byNode: byNode}
}

// statusPort returns the port for health and metrics; 0 where there is none.
func (p pod) statusPort() int64 {
	for _, c := range p.Spec.Containers {
		for _, port := range c.Ports {
			if port.Name == statusName {
				return port.ContainerPort
			}
		}
	}
	return 0
}

// reading asks the edgelens on a node, through the API server, so that it also works from outside of the cluster.
func (c *Cluster) reading(ctx context.Context, node string, r reporters) reading {
	if r.err != nil {
		return reading{throttled: Unknown, reason: r.err.Error()}
	}
	p, ok := r.byNode[node]
	if !ok {
		return reading{throttled: Unknown, reason: "no edgelens runs on it"}
	}
	name := p.Metadata.Namespace + "/" + p.Metadata.Name
	values, err := c.metrics(ctx, p)
	if err != nil {
		return reading{throttled: Unknown, reason: fmt.Sprintf("the metrics of %s cannot be read: %v", name, err), pod: name}
	}
	result := reading{throttled: Unknown, reason: "the machine does not report it to " + name, pod: name}
	if celsius, ok := values[temperatureMetric]; ok {
		result.celsius = &celsius
	}
	if throttled, ok := values[throttledMetric]; ok {
		result.throttled, result.reason = No, ""
		if throttled != 0 {
			result.throttled = Yes
		}
	}
	return result
}

// metrics returns the metrics of the machine that a pod has.
func (c *Cluster) metrics(ctx context.Context, p pod) (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, readingTimeout)
	defer cancel()
	url := fmt.Sprintf("%s/api/v1/namespaces/%s/pods/%s:%d/proxy/metrics", strings.TrimSuffix(c.server, "/"), p.Metadata.Namespace, p.Metadata.Name, p.statusPort())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() // read only
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, maxText)) // the status is the error
		return nil, fmt.Errorf("%s: %s", response.Status, brief(string(text)))
	}
	return parseMetrics(io.LimitReader(response.Body, maxMetrics))
}

// parseMetrics returns the metrics of the machine in Prometheus' text format; they have no labels.
func parseMetrics(r io.Reader) (map[string]float64, error) {
	values := map[string]float64{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, text, _ := strings.Cut(lines.Text(), " ")
		if name != throttledMetric && name != temperatureMetric {
			continue
		}
		value, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil || math.IsNaN(value) || math.IsInf(value, 0) {
			return nil, fmt.Errorf("%s is no number: %q", name, brief(text))
		}
		values[name] = value
	}
	return values, lines.Err()
}

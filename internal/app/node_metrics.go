package app

import (
	"context"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens/internal/cgroup"
	"edgelens/internal/supervise"
)

var (
	memoryUsed = prometheus.NewDesc("edgelens_memory_used_bytes",
		"Memory in use in the control group of the service, or of the machine where the group has no limit.", nil, nil)
	memoryLimit = prometheus.NewDesc("edgelens_memory_limit_bytes",
		"Memory that there is: the limit of the control group, or that of the machine.", nil, nil)
	diskFree = prometheus.NewDesc("edgelens_disk_free_bytes",
		"Free space of the disk with the data folder.", nil, nil)
	diskSize = prometheus.NewDesc("edgelens_disk_bytes",
		"Size of the disk with the data folder.", nil, nil)
	standIn = prometheus.NewDesc("edgelens_model_stand_in",
		"1 while there is no classifier and the quality model answers in its place.", nil, nil)
	certificateExpiry = prometheus.NewDesc("edgelens_certificate_expiry_timestamp_seconds",
		"When a certificate expires, in seconds since 1970, by what it is for: http, mqtt, authority, node.", []string{"for"}, nil)
	refusedHandshakes = prometheus.NewDesc("edgelens_mqtt_refused_handshakes_total",
		"Clients that the private broker refused in the TLS handshake, by reason: no_certificate, certificate (revoked, expired, or of another authority), other. With mqtt.tls.client_auth alone.", []string{"reason"}, nil)
	deviceCertificates = prometheus.NewDesc("edgelens_device_certificates",
		"Certificates of devices by state: valid, expiring (the latest of a device, with less than 14 days), expired, revoked.", []string{"state"}, nil)
)

// nodeMetrics reads the state of the node and its machine at each scrape. It implements prometheus.Collector.
type nodeMetrics struct {
	node   *node
	groups cgroup.Reader
}

// Describe implements prometheus.Collector.
func (m nodeMetrics) Describe(c chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{memoryUsed, memoryLimit, diskFree, diskSize, standIn, certificateExpiry, deviceCertificates, refusedHandshakes} {
		c <- desc
	}
}

// Collect implements prometheus.Collector.
func (m nodeMetrics) Collect(c chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	machine := m.node.machine.state(context.Background())
	if group, ok := m.groups.Memory(); ok {
		gauge(memoryUsed, float64(group.Used))
		gauge(memoryLimit, float64(group.Limit))
	} else if total := m.node.machine.prober.Facts().MemoryBytes; total > 0 && machine.AvailableBytes > 0 {
		gauge(memoryUsed, float64(total-machine.AvailableBytes))
		gauge(memoryLimit, float64(total))
	}
	var disk syscall.Statfs_t
	if err := syscall.Statfs(m.node.config.DataDir, &disk); err == nil { // else storage_problem has the reason
		gauge(diskFree, float64(disk.Bavail)*float64(disk.Bsize))
		gauge(diskSize, float64(disk.Blocks)*float64(disk.Bsize))
	}
	missing := noClassifier(m.node.core.Models, m.node.config)
	gauge(standIn, truth(len(missing) > 0 && m.node.config.Recognize.AllowStandIn))
	for of, follower := range m.node.certificates {
		gauge(certificateExpiry, float64(follower.Expires().Unix()), of)
	}
	if t := m.node.terminals; t != nil && t.broker.child != nil && m.node.config.Mosquitto.ClientAuth != supervise.ClientAuthOff {
		for reason, n := range t.broker.child.RefusedClients() {
			c <- prometheus.MustNewConstMetric(refusedHandshakes, prometheus.CounterValue, float64(n), reason)
		}
	}
	if m.node.identities == nil {
		return
	}
	for of, end := range m.node.identities.ends() {
		gauge(certificateExpiry, float64(end.Unix()), of)
	}
	for state, n := range m.node.identities.devicesByState(time.Now()) {
		gauge(deviceCertificates, float64(n), string(state))
	}
}

func truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// Package alarms tests the files for Prometheus and Grafana in deploy with a real Prometheus that reads a real service. Its
// tests are skipped where there is no Prometheus; `make alarms-check` installs it.
package alarms

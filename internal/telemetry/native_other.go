//go:build !linux

package telemetry

import (
	"errors"
	"log/slog"
	"os"

	"github.com/prometheus/client_golang/prometheus"
)

// Native does nothing on this system.
type Native struct{}

// CaptureNative returns an error that wraps errors.ErrUnsupported.
func CaptureNative() (*Native, error) { return nil, errors.ErrUnsupported }

// Original is standard error.
func (n *Native) Original() *os.File { return os.Stderr }

// LogTo does nothing.
func (n *Native) LogTo(*slog.Logger, prometheus.Registerer) {}

// Close does nothing.
func (n *Native) Close() error { return nil }

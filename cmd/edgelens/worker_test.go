//go:build cgo

package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestWorkerCommandRefusals(t *testing.T) {
	environ := colorsEnvironment(t)
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no Redis":       {nil, "--redis-url"},
		"a bad URL":      {[]string{"--redis-url", "http://x"}, "redis.url must be a URL"},
		"a bad address":  {[]string{"--redis-url", "redis://127.0.0.1:1", "--status-listen", "nowhere"}, "--status-listen"},
		"a server's own": {[]string{"--ledger-max-age", "1h"}, "unknown flag"},
	} {
		t.Run(name, func(t *testing.T) {
			status, _, err := runCommand(t, environ, append([]string{"worker"}, test.args...)...)
			if status == 0 || !strings.Contains(err, test.want) {
				t.Error(fmt.Sprintf("status %d, %q", status, err), "want", test.want)
			}
		})
	}
}

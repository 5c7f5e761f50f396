package cgroup_test

import (
	"os"
	"path/filepath"
	"testing"

	"edgelens/internal/cgroup"
)

// tree makes files below a root.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestMemory(t *testing.T) {
	const mb = 1 << 20
	for name, test := range map[string]struct {
		files map[string]string
		want  cgroup.Memory
		ok    bool
	}{
		"version 2": {map[string]string{
			"proc/self/cgroup":                                           "0::/system.slice/edgelens.service\n",
			"sys/fs/cgroup/system.slice/memory.max":                      "max\n",
			"sys/fs/cgroup/system.slice/edgelens.service/memory.max":     "536870912\n",
			"sys/fs/cgroup/system.slice/edgelens.service/memory.current": "157286400\n",
			"sys/fs/cgroup/system.slice/edgelens.service/memory.stat":    "anon 1\ninactive_file 52428800\nactive_file 9\n",
		}, cgroup.Memory{Limit: 512 * mb, Used: 100 * mb}, true},
		"the group above has less": {map[string]string{
			"proc/self/cgroup":                 "0::/a/b\n",
			"sys/fs/cgroup/a/b/memory.max":     "536870912\n",
			"sys/fs/cgroup/a/b/memory.current": "0\n",
			"sys/fs/cgroup/a/memory.max":       "1073741824\n",
			"sys/fs/cgroup/a/memory.current":   "1048576000\n",
		}, cgroup.Memory{Limit: 1024 * mb, Used: 1000 * mb}, true},
		"a container's own": {map[string]string{
			"proc/self/cgroup":             "0::/\n",
			"sys/fs/cgroup/memory.max":     "268435456\n",
			"sys/fs/cgroup/memory.current": "1048576\n",
		}, cgroup.Memory{Limit: 256 * mb, Used: mb}, true},
		"version 1, with the host's path": {map[string]string{
			"proc/self/cgroup":                           "5:cpu,cpuacct:/docker/7\n4:memory:/docker/7\n0::/docker/7\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "268435456\n",
			"sys/fs/cgroup/memory/memory.usage_in_bytes": "20971520\n",
			"sys/fs/cgroup/memory/memory.stat":           "cache 1\ntotal_inactive_file 10485760\n",
		}, cgroup.Memory{Limit: 256 * mb, Used: 10 * mb}, true},
		"version 1, no limit": {map[string]string{
			"proc/self/cgroup":                           "4:memory:/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
			"sys/fs/cgroup/memory/memory.usage_in_bytes": "20971520\n",
		}, cgroup.Memory{}, false},
		"no groups": {map[string]string{}, cgroup.Memory{}, false},
		"not a number": {map[string]string{
			"proc/self/cgroup":             "0::/\n",
			"sys/fs/cgroup/memory.max":     "much\n",
			"sys/fs/cgroup/memory.current": "1048576\n",
		}, cgroup.Memory{}, false},
		"use unknown": {map[string]string{
			"proc/self/cgroup":         "0::/\n",
			"sys/fs/cgroup/memory.max": "268435456\n",
		}, cgroup.Memory{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := cgroup.Reader{Root: tree(t, test.files)}.Memory()
			if got != test.want || ok != test.ok {
				t.Errorf("%+v, %v; want %+v, %v", got, ok, test.want, test.ok)
			}
		})
	}
}

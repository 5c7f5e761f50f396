package supervise_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// inNamespace is set for the part of TestFirewall that runs in a network namespace of its own.
const inNamespace = "EDGELENS_TEST_IN_NAMESPACE"

// The rules that users copy bound the connections of one address.
func TestFirewall(t *testing.T) {
	if os.Getenv(inNamespace) != "" {
		countConnections(t)
		return
	}
	for _, program := range []string{"unshare", "nft", "ip"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("there is no %s; Debian's packages util-linux, nftables and iproute2 have what is needed", program)
		}
	}
	if out, err := exec.Command("unshare", "--net", "nft", "list", "ruleset").CombinedOutput(); err != nil {
		t.Skipf("no network namespace with nftables can be made here: %v %s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "--net", "sh", "-c",
		"ip link set lo up && nft -f ../../examples/mqtt.nft && exec "+os.Args[0]+" -test.run '^TestFirewall$' -test.v")
	cmd.Env = append(os.Environ(), inNamespace+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "16 of 40") {
		t.Errorf("%v\n%s", err, out)
	}
}

// countConnections prints how many of 40 connections to the port of MQTT are accepted.
func countConnections(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:1883")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	accepted := 0
	for range 40 {
		conn, err := net.DialTimeout("tcp", "127.0.0.1:1883", time.Second)
		if err != nil {
			continue
		}
		defer conn.Close()
		accepted++
	}
	fmt.Printf("%d of 40\n", accepted) // for the test outside
}

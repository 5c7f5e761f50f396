//go:build cgo

package homeassistant

import (
	"context"
	_ "embed"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/testutil"
)

// versions are the Home Assistant that people run, and the newest that starts in the check.
var versions = []string{"2025.4.4", "2026.2.3"}

// checkTimeout bounds one check, with the installation of Home Assistant.
const checkTimeout = 10 * time.Minute

// python runs Home Assistant again when it asks for that, as its supervisor does.
//
//go:embed python.sh
var python string

// forCheck skips where the check is not wanted, or not at hand, and returns its folder.
func forCheck(t *testing.T) string {
	t.Helper()
	if os.Getenv("EDGELENS_TEST_HOME_ASSISTANT") == "" {
		t.Skip("it installs Home Assistant: make ha-check runs it")
	}
	supervisetest.FindMosquitto(t)
	if testutil.SharedFolder() == "" {
		t.Skip("the check of Home Assistant is not at hand: set EDGELENS_TEST_SHARED (CONTRIBUTING.md)")
	}
	folder, err := filepath.Abs(filepath.Join(testutil.SharedFolder(), "tools", "ha_check"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(folder, "ha_check.sh")); err != nil {
		t.Skip("the check of Home Assistant is not at hand: there is no tools/ha_check in the shared folder")
	}
	return folder
}

// check runs steps in a Home Assistant that connects to a broker on a port of this machine. The test is skipped where it
// cannot be installed.
func check(t *testing.T, folder, version, broker, steps string) {
	t.Helper()
	real, err := filepath.Abs(filepath.Join("..", "..", "build", "homeassistant-"+version))
	if err != nil {
		t.Fatal(err)
	}
	nothing := filepath.Join(t.TempDir(), "nothing.json")
	if err := os.WriteFile(nothing, []byte(`{"steps":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(real, "ready")); err != nil { // install it
		output, err := runCheck(t, folder, version, real, broker, nothing)
		if strings.Contains(output, "no Python 3.13") {
			t.Skip("there is no Python 3.13 for Home Assistant: set PYTHON to one")
		}
		if _, missing := os.Stat(filepath.Join(real, "ready")); missing != nil {
			t.Fatalf("installing Home Assistant: %v\n%s", err, output)
		}
	}
	venv := t.TempDir()
	if err := os.Mkdir(filepath.Join(venv, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	script := strings.ReplaceAll(python, "VENV", real)
	if err := errors.Join(
		os.WriteFile(filepath.Join(venv, "ready"), nil, 0o600), os.WriteFile(filepath.Join(venv, "bin", "python"), []byte(script), 0o700),
	); err != nil {
		t.Fatal(err)
	}
	output, err := runCheck(t, folder, version, venv, broker, steps)
	t.Logf("Home Assistant %s, %s:\n%s", version, steps, output)
	if err != nil {
		t.Errorf("the check: %v", err)
	}
}

func runCheck(t *testing.T, folder, version, venv, broker, steps string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), checkTimeout)
	defer cancel()
	port := func(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }
	command := exec.CommandContext(ctx, filepath.Join(folder, "ha_check.sh"), steps)
	command.Env = append(os.Environ(), "HA_VERSION="+version, "HA_VENV="+venv, "BROKER_CMD=none", "MQTT_PORT="+port(broker), "HA_PORT="+port(testutil.FreeAddress(t)))
	output, err := command.CombinedOutput()
	return string(output), err
}

// serve has a site do what the steps ask for, until the test ends or the returned function is called.
func serve(t *testing.T, s *site) func() {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.run(ctx) })
	stop := sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(stop)
	return stop
}

// With the private broker and passwords: entities appear, change, and become unavailable while the node, and with it the
// broker, is stopped; they survive a start of Home Assistant and of the node; buttons work; deleted, renamed and forgotten
// devices go and come. Home Assistant logs no warning about us.
func TestHomeAssistantWithPrivateBroker(t *testing.T) {
	folder := forCheck(t)
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			passwords := filepath.Join(t.TempDir(), "passwords")
			if err := os.WriteFile(passwords, []byte(serial+":secret\nha:secret\nmeter:secret\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if output, err := exec.Command("mosquitto_passwd", "-U", passwords).CombinedOutput(); err != nil {
				t.Fatalf("mosquitto_passwd: %v %s", err, output)
			}
			broker, proxy := testutil.FreeAddress(t), testutil.FreeAddress(t)
			n := newNode(t, "--mqtt-listen", broker, "--mqtt-password-file", passwords, "--mqtt-home-assistant", "ha", "--mqtt-sensors", "meter", "--homeassistant-commands", "open")
			n.start()
			logIn(t, proxy, broker, "ha", "secret")
			s := newSite(t, n, "mqtt://ha:secret@"+broker, "mqtt://"+serial+":secret@"+broker, "mqtt://meter:secret@"+broker)
			defer serve(t, s)()
			check(t, folder, version, proxy, "private.json")
			if opened := s.openings(); opened != 1 {
				t.Errorf("the terminal was told to open %d times, and the button was pressed once", opened)
			}
		})
	}
}

// With a broker elsewhere: when the node stops or dies, everything becomes unavailable, and comes back with it.
func TestHomeAssistantWithOtherBroker(t *testing.T) {
	folder := forCheck(t)
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			broker := supervisetest.StartMosquitto(t)
			n := newNode(t, "--mqtt-url", broker.OpenURL())
			n.start()
			s := newSite(t, n, broker.OpenURL(), broker.OpenURL(), broker.OpenURL())
			defer serve(t, s)()
			check(t, folder, version, broker.Config.Listen, "other.json")
		})
	}
}

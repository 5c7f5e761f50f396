//go:build cgo

package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/testutil"
	"edgelens/models/modeltest"
)

// serviceUser is a user whose data folder root's commands use.
const serviceUser = 12345

// serviceFolder returns the environment of a data folder that belongs to serviceUser.
func serviceFolder(t *testing.T) (environ []string, folder string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can write into the folders of others")
	}
	// t.TempDir() is private to this user.
	folder, err := os.MkdirTemp("", "edgelens-owner")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	models := filepath.Join(folder, "models")
	if err := os.Mkdir(models, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(models, "colors.tflite"), colorsModel(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{folder, models, filepath.Join(models, "colors.tflite")} {
		if err := os.Chown(path, serviceUser, serviceUser); err != nil {
			t.Fatal(err)
		}
	}
	return []string{"EDGELENS_DATA_DIR=" + folder, "EDGELENS_MODEL=colors", "HOME=" + folder}, folder
}

// checkOwners reports files that belong to another user than the service's, and returns how many there are.
func checkOwners(t *testing.T, folder string) (n int) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if stat := info.Sys().(*syscall.Stat_t); stat.Uid != serviceUser || stat.Gid != serviceUser {
			t.Errorf("%s belongs to %d:%d", path, stat.Uid, stat.Gid)
		}
		n++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Commands of root leave nothing in the service's data folder that the service cannot use, and read what only root can.
func TestRootLeavesNoFilesOfItsOwn(t *testing.T) {
	supervisetest.FindRedis(t)
	out := t.TempDir() // private to root
	writeFiles(t, out, map[string][]byte{"images/red/1.png": modeltest.Image(modeltest.Red, 20, 20), "images/blue/1.png": modeltest.Image(modeltest.Blue, 20, 20)})
	image := file(t, "red.png", modeltest.Image(modeltest.Red, 20, 20))
	for _, line := range []string{
		"recognize " + image,
		"model inspect colors",
		"bench accuracy --fit center --out " + out + " " + filepath.Join(out, "images"),
		"bench tune --goal latency --runs 1 --duration 20ms --write " + filepath.Join(out, "edgelens.yaml") + " --images " + image,
	} {
		t.Run(strings.Fields(line)[0]+" "+strings.Fields(line)[1], func(t *testing.T) {
			environ, folder := serviceFolder(t)
			before := checkOwners(t, folder)
			command := exec.CommandContext(t.Context(), os.Args[0], strings.Fields(line)...)
			command.Env = append(append(os.Environ(), environ...), asProgram+"=1")
			if text, err := command.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			if after := checkOwners(t, folder); after == before {
				t.Error("it wrote nothing there: this test sees nothing")
			}
		})
	}
}

// serve by root becomes the user that the data folder belongs to.
func TestServeBecomesOwner(t *testing.T) {
	supervisetest.FindRedis(t)
	environ, folder := serviceFolder(t)
	log := &testutil.LogBuffer{}
	// That user may not reach the folders of this program and its libraries, which children would need.
	command := exec.Command(os.Args[0], "serve", "--listen=127.0.0.1:0", "--mqtt-listen=", "--inference-probe=false", "--decode-isolation=off")
	command.Env, command.Stderr = append(append(os.Environ(), environ...), asProgram+"=1"), log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	testutil.Eventually(t, "serve is ready", func() bool { return strings.Contains(log.String(), "msg=ready") })
	if !strings.Contains(log.String(), "belongs to user 12345") {
		t.Errorf("it does not say so:\n%s", log)
	}
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); err != nil {
		t.Errorf("%v\n%s", err, log)
	}
	if n := checkOwners(t, folder); n < 5 {
		t.Errorf("only %d files are there", n)
	}
}

package datadir_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"edgelens"
	"edgelens/internal/datadir"
)

// ownerVariable has the child of TestBecomeOwner the folder whose owner it becomes.
const ownerVariable = "EDGELENS_TEST_OWNER_OF"

func TestMain(m *testing.M) {
	if dir := os.Getenv(ownerVariable); dir != "" {
		os.Exit(becomeOwner(dir))
	}
	os.Exit(m.Run())
}

// becomeOwner prints the user that a new file in the folder belongs to.
func becomeOwner(dir string) int {
	if err := datadir.BecomeOwner(dir); err != nil {
		fmt.Println(err)
		return 1
	}
	groups, _ := os.Getgroups() // printed
	fmt.Println(os.Getuid(), os.Geteuid(), os.Getegid(), groups)
	return 0
}

func TestBecomeOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	// The test binary must be readable for that user, and the folders above.
	folder, err := os.MkdirTemp("", "owner")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	service := filepath.Join(folder, "service")
	if err := os.Mkdir(service, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(service, 12345, 12346); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ dir, want string }{
		"the service's": {service, "12345 12345 12346 [12346]"},
		"below it":      {filepath.Join(service, "models", "new"), "12345 12345 12346 [12346]"},
		"root's":        {folder, "0 0 0"},
		"none yet":      {filepath.Join(folder, "new"), "0 0 0"},
	} {
		command := exec.Command(os.Args[0])
		command.Env = append(os.Environ(), ownerVariable+"="+test.dir)
		out, err := command.CombinedOutput()
		if err != nil || !strings.HasPrefix(string(out), test.want) {
			t.Errorf("%s: %s%v, want %s", name, out, err, test.want)
		}
	}
}

// Root must not write what the owner of the folder could not use.
func TestCheckOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can write into the folders of others")
	}
	folder := t.TempDir()
	for _, fine := range []string{folder, filepath.Join(folder, "missing")} {
		if err := datadir.CheckOwner(fine); err != nil {
			t.Errorf("%s: %v", fine, err)
		}
	}
	if err := os.Chown(folder, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	if err := datadir.CheckOwner(folder); !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), "sudo -u '#12345'") {
		t.Errorf("%v", err)
	}
}

package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"

	"edgelens"
	"edgelens/internal/datadir"
	"edgelens/internal/ledger"
)

// The places of the service of a machine (docs/adr/0042-packages.md).
const (
	systemDataDir = "/var/lib/edgelens"
	systemFile    = "/etc/edgelens/edgelens.yaml"
)

const (
	// formerDataDir was the default of data_dir in earlier versions, in the folder in which the program was started.
	formerDataDir = "./data"
	// firstUser is the first user id that Debian gives to people; those below are root and system users.
	firstUser = 1000
)

// account is the user that this process runs as.
type account struct {
	id   int
	home string // by the system's list of users; "" where that has none
}

func currentAccount() account {
	a := account{id: os.Geteuid()}
	if u, err := user.Current(); err == nil {
		a.home = u.HomeDir
	}
	return a
}

// isSystem reports whether the user is root or runs services, and so uses the places of the machine's service.
func (a account) isSystem() bool { return a.id < firstUser }

// dataDir returns the default data folder: never one that depends on where the program was started.
func (a account) dataDir(environ []string) (string, error) {
	if a.isSystem() {
		return systemDataDir, nil
	}
	variables := map[string]string{}
	for _, pair := range environ {
		name, text, _ := strings.Cut(pair, "=")
		variables[name] = text
	}
	// "All paths set in these environment variables must be absolute. If an implementation encounters a relative path
	// [...] it should consider the path invalid and ignore it." (XDG Base Directory Specification 0.8)
	if data := variables["XDG_DATA_HOME"]; filepath.IsAbs(data) {
		return filepath.Join(data, "edgelens"), nil
	}
	for _, home := range []string{variables["HOME"], a.home} {
		if filepath.IsAbs(home) {
			return filepath.Join(home, ".local", "share", "edgelens"), nil
		}
	}
	return "", errors.New("data_dir is not set, and this user has no home folder for its default: set it, for example --data-dir /srv/edgelens")
}

// CheckFormerData returns an error where the data folder is the default, which has no ledger, and ./data, which was the
// default in earlier versions, has one: a service that started would seem to have lost everything.
func (c *Config) CheckFormerData() error {
	if !c.usesDefaultFolder() || ledger.Exists(c.DataDir) || !ledger.Exists(formerDataDir) {
		return nil
	}
	former, err := filepath.Abs(formerDataDir)
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: the data of an earlier version is in %s, and the data folder is %s now: stop what uses it and run: %s; or set data_dir to %s",
		edgelens.ErrInvalid, former, c.DataDir, datadir.MoveCommand(former, c.DataDir), former)
}

// CheckOwnData returns an error where the data folder is the default of a user who has none, and the machine has a
// service of its own: a command would be about nothing.
func (c *Config) CheckOwnData() error {
	return c.checkOwnData(currentAccount(), systemDataDir)
}

func (c *Config) checkOwnData(a account, system string) error {
	if !c.usesDefaultFolder() || a.isSystem() || ledger.Exists(c.DataDir) || isMissing(system) {
		return nil
	}
	return fmt.Errorf("%w: this user has no data in %s; for the service of this machine, whose data is in %s, run this with sudo; for another one, give --data-dir",
		edgelens.ErrInvalid, c.DataDir, system)
}

func (c *Config) usesDefaultFolder() bool { return slices.Contains(c.derived, "data_dir") }

// isMissing reports whether there is certainly no such file or folder.
func isMissing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

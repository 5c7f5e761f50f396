package release

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// clone is a repository with scripts/version alone.
type clone struct {
	t      *testing.T
	folder string
}

func newClone(t *testing.T) clone {
	t.Helper()
	for _, program := range []string{"bash", "git"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("there is no %s", program)
		}
	}
	c := clone{t, t.TempDir()}
	script, err := os.ReadFile("../../scripts/version")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(c.folder, "scripts"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.folder, "scripts", "version"), script, 0o755); err != nil {
		t.Fatal(err)
	}
	c.run("git", "init", "-q")
	return c
}

func (c clone) run(name string, args ...string) string {
	c.t.Helper()
	command := exec.Command(name, args...)
	command.Dir = c.folder
	command.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@localhost", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@localhost",
		"GIT_AUTHOR_DATE=2026-01-02T03:04:05+02:00", "GIT_COMMITTER_DATE=2026-01-02T03:04:05+02:00")
	out, err := command.CombinedOutput()
	if err != nil {
		c.t.Fatalf("%s %v: %v %s", name, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (c clone) commit() {
	c.t.Helper()
	c.run("git", "add", ".")
	c.run("git", "commit", "-q", "--allow-empty", "-m", "x")
}

func (c clone) version(form string) string {
	c.t.Helper()
	return c.run("scripts/version", form)
}

// Versions of a history with tags, in its order.
func TestVersions(t *testing.T) {
	c := newClone(t)
	hash := regexp.MustCompile(`\+[0-9a-f]{12}$`)
	var debs []string
	for n, step := range []struct{ tag, semver, deb string }{
		{"", "0.1.0-git.1+", "0.1.0~git.1+"},
		{"", "0.1.0-git.2+", "0.1.0~git.2+"},
		{"v0.1.0-rc.1", "0.1.0-rc.1", "0.1.0~rc.1"},
		{"", "0.1.0-rc.1.git.1+", "0.1.0~rc.1.git.1+"},
		{"v0.1.0", "0.1.0", "0.1.0"},
		{"", "0.1.1-git.1+", "0.1.1~git.1+"},
		{"v1.9.9", "1.9.9", "1.9.9"},
		{"", "1.9.10-git.1+", "1.9.10~git.1+"},
		{"v1.10.0", "1.10.0", "1.10.0"},
	} {
		c.commit()
		if step.tag != "" {
			c.run("git", "tag", step.tag)
		}
		for form, want := range map[string]string{"semver": step.semver, "deb": step.deb} {
			got := c.version(form)
			if strings.HasSuffix(want, "+") && !hash.MatchString(got) || hash.ReplaceAllString(got, "+") != want {
				t.Errorf("commit %d, %s: %q, want %q", n, form, got, want)
			}
		}
		debs = append(debs, c.version("deb"))
	}
	if _, err := exec.LookPath("dpkg"); err != nil {
		t.Skip("there is no dpkg to compare them")
	}
	for n := 1; n < len(debs); n++ {
		if err := exec.Command("dpkg", "--compare-versions", debs[n-1], "lt", debs[n]).Run(); err != nil {
			t.Errorf("for dpkg, %s is not before %s", debs[n-1], debs[n])
		}
	}
}

func TestVersionOfChangedClone(t *testing.T) {
	c := newClone(t)
	c.commit()
	if err := os.WriteFile(filepath.Join(c.folder, "untracked"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := c.version("semver"); strings.Contains(got, "dirty") {
		t.Errorf("with an untracked file: %s", got)
	}
	script := filepath.Join(c.folder, "scripts", "version")
	text, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(script, append(text, '\n'), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := c.version("semver"); !strings.HasSuffix(got, ".dirty") {
		t.Errorf("with a change: %s", got)
	}
	c.run("git", "tag", "v2.0.0")
	if got := c.version("semver"); got != "2.0.0+dirty" {
		t.Errorf("with a change on a tag: %s", got)
	}
}

func TestCommitAndDate(t *testing.T) {
	c := newClone(t)
	c.commit()
	if got := c.version("commit"); got != c.run("git", "rev-parse", "HEAD") {
		t.Error(got)
	}
	if got := c.version("date"); got != "2026-01-02T01:04:05Z" {
		t.Error(got)
	}
	if got := c.version("epoch"); got != "1767315845" {
		t.Error(got)
	}
}

// A folder without a repository, also one within that of another project, has no version.
func TestNoVersionWithoutClone(t *testing.T) {
	c := newClone(t)
	c.commit()
	inner := filepath.Join(c.folder, "inner")
	if err := os.Mkdir(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	c.run("cp", "-r", "scripts", inner)
	for _, form := range []string{"semver", "deb", "commit", "date", "epoch"} {
		if got := c.run(filepath.Join(inner, "scripts", "version"), form); got != "unknown" {
			t.Errorf("%s: %q", form, got)
		}
	}
}

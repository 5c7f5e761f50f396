package supervise

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"edgelens"
	"edgelens/internal/datadir"
)

// claim is the exclusive right to run a child in a folder: a lock on the file "pid" in it, which the kernel releases
// when this process ends. The file names the running child, and the folder by device and inode, so that the next run
// finds a leftover child, and a copy of the folder does not stop the child of the original.
type claim struct {
	file *os.File
	log  *slog.Logger
}

// claimDir claims the Spec's folder and stops a leftover in it.
func (p *Process) claimDir() (*claim, error) {
	name := filepath.Join(p.spec.Dir, "pid")
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", edgelens.ErrStopping, datadir.Explain(name, err))
	}
	if err := p.lock(file); err != nil {
		_ = file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w; stop that one, or give this one another data_dir", p.spec.Dir, edgelens.ErrInUse)
		}
		return nil, fmt.Errorf("%w: %s cannot be locked: %w", edgelens.ErrStopping, name, err)
	}
	c := &claim{file: file, log: p.spec.Log}
	if err := c.stopLeftover(p.ctx, p.spec); err != nil {
		c.release()
		return nil, err
	}
	return c, nil
}

// lock locks the file. It retries for a while, because a run that was just killed may not have ended yet.
func (p *Process) lock(file *os.File) error {
	for deadline := time.Now().Add(2 * time.Second); ; {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) || time.Now().After(deadline) || !p.sleep(20*time.Millisecond) {
			return err
		}
	}
}

// release unlocks the folder.
func (c *claim) release() { _ = c.file.Close() }

// record stores the child's process id; 0 for none. Where that fails, only PR_SET_PDEATHSIG is left.
func (c *claim) record(pid int, dir string) {
	var text string
	if pid != 0 {
		id, err := identify(pid)
		if err != nil {
			c.log.Debug("identifying the private server failed", "error", err) // it has ended, or there is no /proc
			return
		}
		text = id + folderMark + folderID(dir) + "\n"
	}
	err := c.file.Truncate(0)
	if err == nil {
		_, err = c.file.WriteAt([]byte(text), 0)
	}
	if err != nil {
		c.log.Warn("writing the private server's pid file failed", "error", err)
	}
}

// stopLeftover ends the child of an earlier run, where the file names a running process with the same identity.
func (c *claim) stopLeftover(ctx context.Context, spec Spec) error {
	buffer := make([]byte, 256) // a process takes 80 at most, a folder 42
	n, _ := c.file.ReadAt(buffer, 0)
	recorded := strings.TrimSpace(string(buffer[:n]))
	recorded, folder, _ := strings.Cut(recorded, folderMark)
	if folder == "" || folder != folderID(spec.Dir) {
		if recorded != "" {
			c.log.Warn("the data folder is a copy or was restored: the private server in its pid file belongs to the original and is not stopped. Two nodes must not use one broker under the same name: remove the file node from the data folder of a copy", "event", "data_folder_copied", "folder", spec.Dir)
		}
		return nil
	}
	text, _, _ := strings.Cut(recorded, " ")
	pid, err := strconv.Atoi(text)
	if err != nil || pid <= 1 {
		return nil
	}
	process, err := os.FindProcess(pid) // a pidfd: from here on it is the same process, or none
	if err != nil {
		return nil
	}
	defer func() { _ = process.Release() }()
	there := func() bool {
		id, err := identify(pid)
		return err == nil && id == recorded
	}
	if !there() {
		return nil
	}
	c.log.Warn("stopping a leftover private server of an earlier run", "pid", pid)
	for _, try := range []struct {
		signal  syscall.Signal
		timeout time.Duration
	}{{spec.StopSignal, spec.StopTimeout}, {syscall.SIGKILL, killGrace}} {
		_ = process.Signal(try.signal)
		for deadline := time.Now().Add(try.timeout); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			if !there() {
				return nil
			}
			if ctx.Err() != nil {
				return fmt.Errorf("%w: a server left over from an earlier run, process %d, was still ending", edgelens.ErrStopping, pid)
			}
		}
	}
	return fmt.Errorf("%w: a server left over from an earlier run, process %d, does not end; kill it", edgelens.ErrStopping, pid)
}

// folderMark separates a process from the folder that it was started in.
const folderMark = " in "

// folderID identifies a folder but none of its copies: by device and inode. It is empty where they are unknown, and
// then nothing is stopped.
func folderID(dir string) string {
	var stat syscall.Stat_t
	if syscall.Stat(dir, &stat) != nil {
		return ""
	}
	return fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
}

// identify returns a text that is unique to a process: the process id, when it started in clock ticks after boot, and
// the boot id. Names and command lines are not unique: a server rewrites its own. A zombie does not count as a process.
// Sources: proc_pid_stat(5), random(4).
func identify(pid int) (string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	// "pid (name) state ppid ...": the name may hold spaces and parentheses.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const state, startTime = 0, 19
	if len(fields) <= startTime {
		return "", fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	if s := string(fields[state]); s == "Z" || s == "X" {
		return "", fmt.Errorf("process %d has ended", pid)
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d %s %s", pid, fields[startTime], bytes.TrimSpace(boot)), nil
}

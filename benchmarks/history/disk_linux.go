package history

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// forget has the kernel drop the files of a folder from its memory, as after a boot.
func forget(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		// What is not on the disk yet cannot be dropped.
		return errors.Join(file.Sync(), unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED), file.Close())
	})
}

// sector is the unit of the kernel's statistics of disks
// (https://docs.kernel.org/block/stat.html).
const sector = 512

// diskWritten returns how many bytes were written to the disk of a folder since it was there, after all that waits was written.
func diskWritten(dir string) (int64, error) {
	file, err := os.Open(dir)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	if err := unix.Syncfs(int(file.Fd())); err != nil {
		return 0, fmt.Errorf("write what waits to the disk of %s: %w", dir, err)
	}
	var stat unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &stat); err != nil {
		return 0, err
	}
	text, err := os.ReadFile(fmt.Sprintf("/sys/dev/block/%d:%d/stat", unix.Major(stat.Dev), unix.Minor(stat.Dev)))
	if err != nil {
		return 0, fmt.Errorf("read the statistics of the disk of %s: %w", dir, err)
	}
	fields := strings.Fields(string(text))
	if len(fields) < 7 {
		return 0, fmt.Errorf("read the statistics of the disk of %s: they are %q", dir, text)
	}
	sectors, err := strconv.ParseInt(fields[6], 10, 64)
	return sectors * sector, err
}

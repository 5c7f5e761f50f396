package sandbox

import (
	"fmt"
	"io"
	"math/bits"
	"os"

	"golang.org/x/sys/unix"
)

// keptBytes is how much of a region stays in memory after a large image.
const keptBytes = 1 << 20

// region is memory that this process and a helper share: a file without a name. This
// process reads and writes it by system calls. It is not mapped here, so that nothing a helper
// does to it can raise a signal here; and it is sealed against being made smaller.
type region struct {
	file *os.File
	size int64
}

func newRegion(name string) (region, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return region{}, fmt.Errorf("memfd_create: %w", err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_SEAL); err != nil {
		_ = unix.Close(fd) // the first error is more specific
		return region{}, fmt.Errorf("seal memory: %w", err)
	}
	return region{file: os.NewFile(uintptr(fd), name)}, nil
}

// hold makes the region have at least size bytes. Those that are not written take no memory.
func (r *region) hold(size int) error {
	if int64(size) <= r.size {
		return nil
	}
	rounded := max(int64(os.Getpagesize()), 1<<bits.Len(uint(size-1)))
	if err := r.file.Truncate(rounded); err != nil {
		return err
	}
	r.size = rounded
	return nil
}

// write writes to the start of the region.
func (r *region) write(data []byte) error {
	if err := r.hold(len(data)); err != nil {
		return err
	}
	_, err := r.file.WriteAt(data, 0)
	return err
}

// read reads into data what is at an offset.
func (r *region) read(data []byte, at int) error {
	n, err := r.file.ReadAt(data, int64(at))
	if n == len(data) {
		return nil
	}
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// shrink frees the memory that an image of size bytes took beyond keptBytes.
func (r *region) shrink(size int) {
	if size > keptBytes {
		_ = unix.Fallocate(int(r.file.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, keptBytes, r.size-keptBytes) // else it stays in use
	}
}

func (r *region) close() {
	if r.file != nil {
		_ = r.file.Close() // nothing is lost
	}
}

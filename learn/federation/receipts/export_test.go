package receipts

import "syscall"

// full is a file on a disk that takes some bytes more.
type full struct {
	file
	left int
}

func (f *full) Write(p []byte) (int, error) {
	n, err := f.file.Write(p[:min(len(p), f.left)])
	if f.left -= n; err == nil && n < len(p) {
		err = syscall.ENOSPC
	}
	return n, err
}

// FillDisk has the file take only so many bytes more, until free is called.
func (l *Log) FillDisk(left int) (free func()) {
	before := l.file
	l.file = &full{before, left}
	return func() { l.file = before }
}

//go:build !linux

package api

import (
	"errors"
	"net"
)

// isReset is unknown here: the client may still read.
func isReset(*net.TCPConn) bool { return false }

// descriptors is how many files the process may have open, which is unknown here.
func descriptors() int { return defaultDescriptors }

// canRefuseEarly: not here.
const canRefuseEarly = false

func (*conn) skip(int) error           { return errors.ErrUnsupported }
func (*conn) writeAtOnce([]byte) error { return errors.ErrUnsupported }

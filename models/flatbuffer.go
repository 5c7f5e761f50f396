package models

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Fields of the tables of TFLite's schema that are read here
// (https://github.com/tensorflow/tensorflow/blob/v2.9.0/tensorflow/lite/schema/schema.fbs).
const (
	modelBuffers = 4
	bufferData   = 0
)

// maxBuffers is far above any edge model: MobileNetV2 has 180.
const maxBuffers = 100_000

// checkTFLite says why a file of size bytes cannot be a whole TFLite model, or
// returns nil. It is no full verification, which TFLite does itself; it finds
// the files that people really have: web pages, placeholders and downloads
// that broke off, which leave the weights outside the file.
func checkTFLite(r io.ReaderAt, size int64) error {
	var head [64]byte
	n, err := r.ReadAt(head[:min(size, int64(len(head)))], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	start := bytes.TrimSpace(head[:n])
	switch {
	case n >= 8 && string(head[4:8]) == "TFL3":
	case bytes.HasPrefix(start, []byte("<")):
		return errors.New("is a web page, not a TFLite model: download the file itself")
	case bytes.HasPrefix(start, []byte("version https://git-lfs")):
		return errors.New("is a Git LFS placeholder, not a TFLite model: fetch it with git lfs pull")
	case n < 8:
		return fmt.Errorf("has only %d bytes, too short for a TFLite model", n)
	default:
		return errors.New("is not a TFLite model: the identifier TFL3 is not there")
	}
	if size > maxModelBytes {
		return fmt.Errorf("has %d bytes; TFLite models end at %d", size, maxModelBytes)
	}

	b := flatBuffer{r: r, size: size}
	b.buffers(int64(binary.LittleEndian.Uint32(head[:4])))
	if errors.Is(b.err, errOutside) {
		return fmt.Errorf("looks truncated: it points past its end at %d bytes; copy or download it again", size)
	}
	return b.err
}

var errOutside = errors.New("points past its end")

// flatBuffer reads little-endian numbers at offsets and keeps the first error;
// after one, everything reads as 0.
type flatBuffer struct {
	r    io.ReaderAt
	size int64
	err  error
}

// buffers checks that the data of each of the model's buffers lies inside the
// file.
func (b *flatBuffer) buffers(model int64) {
	list := b.field(model, modelBuffers)
	if list == 0 {
		return
	}
	list += b.uint32(list)
	count := b.uint32(list)
	if count > maxBuffers {
		b.fail(fmt.Errorf("has %d buffers; at most %d can be used", count, maxBuffers))
	}
	b.inside(list+4, 4*count)
	for i := range count {
		if b.err != nil {
			return
		}
		at := list + 4 + 4*i
		data := b.field(at+b.uint32(at), bufferData)
		if data != 0 {
			data += b.uint32(data)
			b.inside(data+4, b.uint32(data))
		}
	}
}

// field returns where field i of a table lies, 0 if the table does not have it
// (https://flatbuffers.dev/internals/: tables start with the signed distance
// back to their vtable).
func (b *flatBuffer) field(table int64, i int64) int64 {
	vtable := table - int64(int32(b.uint32(table)))
	if entry := 4 + 2*i; entry+2 <= b.uint16(vtable) {
		if offset := b.uint16(vtable + entry); offset != 0 {
			return table + offset
		}
	}
	return 0
}

func (b *flatBuffer) uint16(at int64) int64 {
	var p [2]byte
	b.read(p[:], at)
	return int64(binary.LittleEndian.Uint16(p[:]))
}

func (b *flatBuffer) uint32(at int64) int64 {
	var p [4]byte
	b.read(p[:], at)
	return int64(binary.LittleEndian.Uint32(p[:]))
}

func (b *flatBuffer) read(p []byte, at int64) {
	b.inside(at, int64(len(p)))
	if b.err != nil {
		return
	}
	if _, err := b.r.ReadAt(p, at); err != nil {
		clear(p)
		b.fail(err)
	}
}

func (b *flatBuffer) inside(at, n int64) {
	if at < 0 || n > b.size-at {
		b.fail(errOutside)
	}
}

func (b *flatBuffer) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

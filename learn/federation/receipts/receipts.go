// Package receipts keeps what one side of a federation asked, sent and received: a file with one signed JSON object a line,
// each with the hash of the one before, so that a receipt that was changed or removed shows.
package receipts

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"edgelens"
	"edgelens/internal/jcs"
	"edgelens/learn/federation"
)

// maxLine bounds a receipt.
const maxLine = 1 << 20

// Receipt is one line. The names of its JSON are never changed.
type Receipt struct {
	// Seq counts from 1.
	Seq int64 `json:"seq"`
	// Prev is the Hash of the receipt before, empty for the first, and Hash that of this one: the SHA-256 of its canonical
	// form without hash and signature, in hexadecimal.
	Prev string    `json:"prev"`
	Hash string    `json:"hash"`
	At   time.Time `json:"at"`
	// What names what happened, Round is that of it (0 for none) and Node the node that it is about.
	What  string `json:"what"`
	Round int    `json:"round"`
	Node  string `json:"node,omitempty"`
	// Details has the rest: digests, norms, counts, bytes, reasons.
	Details   json.RawMessage `json:"details,omitempty"`
	Kind      string          `json:"kind"`
	Signature string          `json:"signature"`
}

// Log appends receipts to a file. It is safe for use by many goroutines.
type Log struct {
	keys federation.Keys
	now  func() time.Time
	path string

	mu   sync.Mutex
	file file
	last Receipt
	// size is that of the whole receipts in the file.
	size int64
}

// file is an *os.File, or one of a test.
type file interface {
	io.Reader
	io.Writer
	io.Seeker
	io.Closer
	Sync() error
	Truncate(size int64) error
}

// Open opens the file at path, or makes it. A last line that was cut off by a crash is removed. The error wraps
// edgelens.ErrInvalid for a file that is damaged before its last line.
func Open(path string, keys federation.Keys, now func() time.Time) (*Log, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the receipts: %w", err)
	}
	l := &Log{keys: keys, now: now, path: path, file: file}
	if err := l.resume(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return l, nil
}

// Resume is Open for a file that has had known receipts before, as far as its owner remembers. One that has fewer, or is damaged, does
// not keep its owner from starting: a damaged file is set aside, and a receipt with the name "receipts_lost" reports what is missing.
func Resume(path string, keys federation.Keys, now func() time.Time, known int64) (l *Log, lost bool, err error) {
	details := map[string]any{"known": known}
	l, err = Open(path, keys, now)
	if errors.Is(err, edgelens.ErrInvalid) {
		aside := fmt.Sprintf("%s.damaged-%d", path, now().Unix())
		if err := os.Rename(path, aside); err != nil {
			return nil, false, fmt.Errorf("set the damaged receipts aside: %w", err)
		}
		details["set_aside"] = filepath.Base(aside)
		l, err = Open(path, keys, now)
	}
	if err != nil || l.last.Seq >= known && details["set_aside"] == nil {
		return l, false, err
	}
	details["found"] = l.last.Seq
	if _, err := l.Add("receipts_lost", 0, "", details); err != nil {
		return nil, true, errors.Join(err, l.Close())
	}
	return l, true, nil
}

// Seq returns the number of the last receipt, 0 for none.
func (l *Log) Seq() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last.Seq
}

// resume finds the last receipt, and removes what a crash has left behind it.
func (l *Log) resume() error {
	whole := int64(0)
	lines := bufio.NewReader(l.file)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break // a line without its end was cut off
		}
		if err != nil {
			return fmt.Errorf("read the receipts: %w", err)
		}
		if err := json.Unmarshal(line, &l.last); err != nil {
			return fmt.Errorf("%w: the receipts %s are damaged after number %d; move the file away to begin another: %w", edgelens.ErrInvalid, l.path, l.last.Seq, err)
		}
		whole += int64(len(line))
	}
	l.size = whole
	if err := l.cut(); err != nil {
		return fmt.Errorf("repair the receipts: %w", err)
	}
	return nil
}

// cut removes what is behind the last whole receipt.
func (l *Log) cut() error {
	if err := l.file.Truncate(l.size); err != nil {
		return err
	}
	_, err := l.file.Seek(l.size, io.SeekStart)
	return err
}

// Add appends a receipt, durably. details is a value with JSON tags, or nil. Of one that cannot be written, nothing stays.
func (l *Log) Add(what string, round int, node string, details any) (Receipt, error) {
	r := Receipt{What: what, Round: round, Node: node, Kind: federation.KindReceipt}
	if details != nil {
		text, err := jcs.Marshal(details)
		if err != nil {
			return r, fmt.Errorf("write a receipt: %w", err)
		}
		r.Details = text
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	r.Seq, r.Prev, r.At = l.last.Seq+1, l.last.Hash, l.now().UTC().Truncate(time.Millisecond)
	var err error
	if r.Hash, err = hashOf(r); err != nil {
		return r, err
	}
	if r.Signature, err = l.sign(r); err != nil {
		return r, err
	}
	line, err := jcs.Marshal(r)
	if err != nil {
		return r, fmt.Errorf("write a receipt: %w", err)
	}
	if err := l.write(append(line, '\n')); err != nil {
		return r, fmt.Errorf("write a receipt: %w: %w", edgelens.ErrStorage, err)
	}
	l.last = r
	return r, nil
}

// write appends a line. A part of one that a full disk took is removed: the next receipt would follow it in the same line.
func (l *Log) write(line []byte) error {
	err := l.cut() // what remained where it could not be removed
	if err == nil {
		_, err = l.file.Write(line)
	}
	if err == nil {
		err = l.file.Sync()
	}
	if err != nil {
		return errors.Join(err, l.cut())
	}
	l.size += int64(len(line))
	return nil
}

func (l *Log) sign(r Receipt) (string, error) {
	text, err := without(r, "signature")
	if err != nil {
		return "", err
	}
	return l.keys.Sign(text)
}

// All returns the text of all receipts, one a line.
func (l *Log) All() ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return os.ReadFile(l.path)
}

// Close closes the file.
func (l *Log) Close() error { return l.file.Close() }

func hashOf(r Receipt) (string, error) {
	text, err := without(r, "signature", "hash")
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// without returns the canonical form of a receipt without some members.
func without(r Receipt, names ...string) ([]byte, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, err
	}
	for _, name := range names {
		delete(members, name)
	}
	return jcs.Marshal(members)
}

// Verify reads receipts and verifies that they follow each other without a gap, and that each is signed by the key with one
// of the public keys, JWKs. It returns what it could read; the error wraps edgelens.ErrInvalid and has the number of the first that is wrong.
func Verify(text []byte, keys federation.Keys, public ...json.RawMessage) ([]Receipt, error) {
	var all []Receipt
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, maxLine)
	prev := ""
	for lines.Scan() {
		r, err := verify(lines.Bytes(), keys, public)
		if err == nil && (r.Seq != int64(len(all))+1 || r.Prev != prev) {
			err = fmt.Errorf("%w: it is number %d and does not follow the one before", edgelens.ErrInvalid, r.Seq)
		}
		if err != nil {
			return all, fmt.Errorf("receipt %d: %w", len(all)+1, err)
		}
		all, prev = append(all, r), r.Hash
	}
	if err := lines.Err(); err != nil {
		return all, fmt.Errorf("receipt %d: %w: %w", len(all)+1, edgelens.ErrInvalid, err)
	}
	return all, nil
}

func verify(line []byte, keys federation.Keys, public []json.RawMessage) (r Receipt, err error) {
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		return r, fmt.Errorf("%w: it cannot be read: %w", edgelens.ErrInvalid, err)
	}
	hash, err := hashOf(r)
	if err != nil {
		return r, err
	}
	if hash != r.Hash {
		return r, fmt.Errorf("%w: it was changed: its hash is another one", edgelens.ErrInvalid)
	}
	text, err := without(r, "signature")
	if err != nil {
		return r, err
	}
	for _, key := range public {
		if err = keys.Verify(key, r.Signature, text); err == nil {
			return r, nil
		}
	}
	return r, fmt.Errorf("%w: it is not signed by the expected key", edgelens.ErrInvalid)
}

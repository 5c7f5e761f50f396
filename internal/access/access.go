// Package access has the keys of clients: those of the ledger, which `edgelens key` makes, and those of a keys file. It
// checks tokens and signs the sessions of the page. Tokens are never kept or logged, only their hashes.
//
// docs/access.md describes it for operators, docs/adr/0037-access.md gives the reasons.
package access

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"edgelens"
)

const (
	// reloadInterval is how often the keys file is compared with what was read.
	reloadInterval = 2 * time.Second
	// useInterval is how often the last use of keys is stored.
	useInterval = time.Minute
	// storeTimeout bounds one write of the last uses.
	storeTimeout = 10 * time.Second
)

// Config is where keys are.
type Config struct {
	// KeysFile is a YAML file with the hashes of keys; "" for none.
	KeysFile string
}

// Store keeps keys durably.
type Store interface {
	// Keys returns every key, also revoked ones.
	Keys(ctx context.Context) ([]edgelens.StoredKey, error)
	// AddKey's error is an edgelens.ErrConflict where the ID or the name is taken.
	AddKey(ctx context.Context, key edgelens.StoredKey) error
	RevokeKey(ctx context.Context, id string, at time.Time) error
	// NoteKeyUse stores when keys were last used, by ID.
	NoteKeyUse(ctx context.Context, used map[string]time.Time) error
}

// Parts are what Keys work with.
type Parts struct {
	Store Store
	// SessionFile is the file with the secret of sessions; it is made when it is first needed.
	SessionFile string
	Log         *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Keys are all keys. A check of a token reads memory alone. It is safe for use by many goroutines.
type Keys struct {
	config   Config
	store    Store
	sessions *sessions
	log      *slog.Logger
	now      func() time.Time

	// changing guards changes of the keys, and what is below.
	changing sync.Mutex
	// stored and fromFile are the keys of both sources.
	stored, fromFile []edgelens.StoredKey
	// version is that of the file that was read last, whether it could be used or not.
	version fileVersion

	// set is what requests read.
	set atomic.Pointer[set]
	// fileError is what is wrong with the present keys file; nil if nothing is.
	fileError atomic.Pointer[error]
}

// set is the keys at one time; it does not change, but for the times of last use.
type set struct {
	byID map[string]*known
	// needed is true where a key was ever made, or there is a keys file.
	needed bool
}

// known is a key in memory.
type known struct {
	edgelens.StoredKey
	// used is when it was last used, in Unix seconds; 0 for never.
	used *atomic.Int64
	// inFile reports that it is a key of the keys file.
	inFile bool
}

// fileVersion shows whether a file has changed. A mounted secret is replaced by another file.
type fileVersion struct {
	modified time.Time
	size     int64
	inode    uint64
}

// Open reads the keys. Its error is an edgelens.ErrInvalid with every error of the keys file, or the store's. ctx bounds
// the reading only.
func Open(ctx context.Context, config Config, parts Parts) (*Keys, error) {
	if parts.Now == nil {
		parts.Now = time.Now
	}
	k := &Keys{config: config, store: parts.Store, sessions: &sessions{path: parts.SessionFile}, log: parts.Log, now: parts.Now}
	var err error
	if k.stored, err = k.store.Keys(ctx); err != nil {
		return nil, fmt.Errorf("read the keys: %w", err)
	}
	if config.KeysFile != "" {
		k.version, _ = versionOf(config.KeysFile) // reading reports the error
		if k.fromFile, err = readFile(config.KeysFile); err != nil {
			return nil, err
		}
		k.warnAboutMode()
	}
	if err := k.build(); err != nil {
		return nil, err
	}
	return k, nil
}

// warnAboutMode warns where other users of this machine may read or change the keys file.
func (k *Keys) warnAboutMode() {
	info, err := os.Stat(k.config.KeysFile)
	if err != nil {
		return
	}
	switch mode := info.Mode().Perm(); {
	case mode&0o022 != 0:
		k.log.Warn("other users of this machine may change the keys file, and so give themselves a key: run chmod 600 on it", "event", "keys_file_writable", "file", k.config.KeysFile, "mode", mode.String())
	case mode&0o004 != 0:
		k.log.Warn("other users of this machine may read the keys file: run chmod 600 on it", "event", "keys_file_readable", "file", k.config.KeysFile, "mode", mode.String())
	}
}

// build makes the set of both sources. Its error is an edgelens.ErrInvalid where they have an id in common, and nothing
// changes then. The caller holds changing, or is alone.
func (k *Keys) build() error {
	before := k.set.Load()
	next := &set{byID: make(map[string]*known, len(k.stored)+len(k.fromFile)), needed: len(k.stored) > 0 || k.config.KeysFile != ""}
	add := func(key edgelens.StoredKey, inFile bool) {
		one := &known{StoredKey: key, used: &atomic.Int64{}, inFile: inFile}
		if !key.LastUsed.IsZero() {
			one.used.Store(key.LastUsed.Unix())
		}
		if before != nil && before.byID[key.ID] != nil {
			one.used = before.byID[key.ID].used
		}
		next.byID[key.ID] = one
	}
	for _, key := range k.stored {
		add(key, false)
	}
	for _, key := range k.fromFile {
		if next.byID[key.ID] != nil {
			return fmt.Errorf("%w: the keys file %s has a key with the id %q, which `edgelens key list` has, too; remove one of them", edgelens.ErrInvalid, k.config.KeysFile, key.ID)
		}
		add(key, true)
	}
	k.set.Store(next)
	return nil
}

// Needed reports whether a key was ever made, or there is a keys file: from then on, clients on the loopback interface
// need one, too.
func (k *Keys) Needed() bool { return k.set.Load().needed }

// errNoSuchKey is the error for a token that is wrong in any way; it does not reveal which.
var errNoSuchKey = fmt.Errorf("%w: the one that was sent is not valid; send the whole token that `edgelens key create` printed, elk_ and all", edgelens.ErrUnauthorized)

// Authenticate returns the key with the token. Its error is an edgelens.ErrUnauthorized, which has no part of the token.
func (k *Keys) Authenticate(token string) (edgelens.Key, error) {
	id, ok := parseToken(token)
	if !ok {
		return edgelens.Key{}, errNoSuchKey
	}
	one := k.set.Load().byID[id]
	var want [32]byte
	if one != nil {
		want = one.Hash
	}
	// In constant time, and for unknown ids, too, so that the time reveals nothing.
	got := hashOf(token)
	if subtle.ConstantTimeCompare(got[:], want[:]) != 1 || one == nil {
		return edgelens.Key{}, errNoSuchKey
	}
	return k.use(one)
}

// use returns a key that a client proved to have, and notes the use.
func (k *Keys) use(one *known) (edgelens.Key, error) {
	now := k.now()
	if err := one.Usable(now); err != nil {
		return edgelens.Key{}, err
	}
	if last := one.used.Load(); now.Unix()-last >= int64(useInterval/time.Second) || last > now.Unix() {
		one.used.Store(now.Unix())
	}
	return one.Key, nil
}

// Current returns a key as it is now. Its error is an edgelens.ErrUnauthorized if it was revoked or removed, or has
// expired.
func (k *Keys) Current(id string) (edgelens.Key, error) {
	one := k.set.Load().byID[id]
	if one == nil {
		return edgelens.Key{}, fmt.Errorf("%w: this key was removed; ask the operator for another", edgelens.ErrUnauthorized)
	}
	if err := one.Usable(k.now()); err != nil {
		return edgelens.Key{}, err
	}
	return one.Key, nil
}

// CreateKey makes a key like the one given, which needs no ID, durable, and returns it with its token. Errors:
// edgelens.ErrInvalid, ErrConflict where the name is taken, and the store's.
func (k *Keys) CreateKey(ctx context.Context, key edgelens.Key) (edgelens.Key, string, error) {
	created, token, err := k.create(ctx, key)
	if err != nil {
		return edgelens.Key{}, "", fmt.Errorf("create a key: %w", err)
	}
	k.log.Info("access", "event", "access", "action", "key create", "key", created.ID, "name", created.Name, "scopes", created.Scopes)
	return created, token, nil
}

func (k *Keys) create(ctx context.Context, key edgelens.Key) (edgelens.Key, string, error) {
	if err := key.Check(); err != nil {
		return edgelens.Key{}, "", err
	}
	now := k.now().UTC().Truncate(time.Second)
	if !key.Expires.IsZero() && !now.Before(key.Expires) {
		return edgelens.Key{}, "", fmt.Errorf("%w: the key would have expired on %s already", edgelens.ErrInvalid, key.Expires.Format(time.RFC3339))
	}
	k.changing.Lock()
	defer k.changing.Unlock()
	if slices.ContainsFunc(k.fromFile, func(other edgelens.StoredKey) bool { return other.Name == key.Name }) {
		return edgelens.Key{}, "", nameTaken(key.Name)
	}
	token, id := newToken()
	key.ID, key.Created, key.LastUsed, key.Revoked = id, now, time.Time{}, time.Time{}
	stored := edgelens.StoredKey{Key: key, Hash: hashOf(token)}
	if err := k.store.AddKey(ctx, stored); err != nil {
		return edgelens.Key{}, "", err
	}
	k.stored = append(slices.Clone(k.stored), stored)
	return key, token, k.build()
}

// Keys returns every key with its last use, also revoked ones: those of the store, then those of the file.
func (k *Keys) Keys(context.Context) ([]edgelens.Key, error) {
	k.changing.Lock()
	defer k.changing.Unlock()
	now := k.set.Load()
	var list []edgelens.Key
	for _, key := range slices.Concat(k.stored, k.fromFile) {
		if used := now.byID[key.ID].used.Load(); used != 0 {
			key.LastUsed = time.Unix(used, 0).UTC()
		}
		list = append(list, key.Key)
	}
	return list, nil
}

// RevokeKey ends a key of the store, by its ID or the name that it has among the keys that are not revoked, at once and
// for good. Errors: edgelens.ErrNotFound, ErrConflict for a key of the keys file, and the store's.
func (k *Keys) RevokeKey(ctx context.Context, idOrName string) (edgelens.Key, error) {
	key, err := k.revoke(ctx, idOrName)
	if err != nil {
		return edgelens.Key{}, fmt.Errorf("revoke a key: %w", err)
	}
	k.log.Info("access", "event", "access", "action", "key revoke", "key", key.ID, "name", key.Name)
	return key, nil
}

func (k *Keys) revoke(ctx context.Context, idOrName string) (edgelens.Key, error) {
	k.changing.Lock()
	defer k.changing.Unlock()
	at := findKey(k.stored, idOrName)
	if at < 0 && findKey(k.fromFile, idOrName) >= 0 {
		return edgelens.Key{}, fmt.Errorf("%w: this key is in the keys file %s; remove its lines there, which takes effect within seconds", edgelens.ErrConflict, k.config.KeysFile)
	}
	if at < 0 {
		return edgelens.Key{}, fmt.Errorf("%w: there is no key with the id or name %q; `edgelens key list` lists them", edgelens.ErrNotFound, idOrName)
	}
	now := k.now().UTC().Truncate(time.Second)
	if err := k.store.RevokeKey(ctx, k.stored[at].ID, now); err != nil {
		return edgelens.Key{}, err
	}
	k.stored = slices.Clone(k.stored)
	if k.stored[at].Revoked.IsZero() {
		k.stored[at].Revoked = now
	}
	return k.stored[at].Key, k.build()
}

// findKey returns the index of a key by its ID, or its name if it is not revoked; -1 where there is none.
func findKey(list []edgelens.StoredKey, idOrName string) int {
	byID := slices.IndexFunc(list, func(key edgelens.StoredKey) bool { return key.ID == idOrName })
	if byID >= 0 {
		return byID
	}
	return slices.IndexFunc(list, func(key edgelens.StoredKey) bool { return key.Name == idOrName && key.Revoked.IsZero() })
}

// Run reads the keys file again when it has changed, and stores the last use of keys, until ctx ends, and once more then.
func (k *Keys) Run(ctx context.Context) {
	reload, store := time.NewTicker(reloadInterval), time.NewTicker(useInterval)
	defer reload.Stop()
	defer store.Stop()
	stored := map[string]int64{}
	for {
		select {
		case <-reload.C:
			k.Reload()
		case <-store.C:
			k.storeUses(stored)
		case <-ctx.Done():
			k.storeUses(stored)
			return
		}
	}
}

// storeUses stores the last uses that differ from those stored.
func (k *Keys) storeUses(stored map[string]int64) {
	changed := map[string]time.Time{}
	for id, one := range k.set.Load().byID {
		used := one.used.Load()
		if one.inFile || used == stored[id] || used == one.LastUsed.Unix() {
			continue
		}
		changed[id] = time.Unix(used, 0)
	}
	if len(changed) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	if err := k.store.NoteKeyUse(ctx, changed); err != nil {
		if !errors.Is(err, edgelens.ErrStopping) {
			k.log.Warn("storing the last use of keys failed, to be retried", "error", err)
		}
		return
	}
	for id, at := range changed {
		stored[id] = at.Unix()
	}
}

// Reload reads the keys file again if it has changed. One that cannot be used leaves the keys as they are, and is
// reported by Conditions until it is repaired.
func (k *Keys) Reload() {
	if k.config.KeysFile == "" {
		return
	}
	k.changing.Lock()
	defer k.changing.Unlock()
	version, err := versionOf(k.config.KeysFile)
	if err == nil && version == k.version {
		return
	}
	before := k.fromFile
	if k.fromFile, err = readFile(k.config.KeysFile); err == nil {
		err = k.build()
	}
	if err != nil {
		k.fromFile = before
		if reported := k.fileError.Load(); reported == nil || (*reported).Error() != err.Error() {
			k.log.Error("the changed keys file cannot be used, so the keys stay as they were", "event", "keys_file_invalid", "error", err)
		}
		k.fileError.Store(&err)
		k.version = version
		return
	}
	k.version = version
	k.fileError.Store(nil)
	k.log.Info("access", "event", "access", "action", "keys file read", "file", k.config.KeysFile, "keys", len(k.fromFile))
	k.warnAboutMode()
}

// Conditions returns what is wrong with the keys file.
func (k *Keys) Conditions() []edgelens.Condition {
	problem := k.fileError.Load()
	if problem == nil {
		return nil
	}
	return []edgelens.Condition{{Name: "keys", Severity: edgelens.SeverityDegraded, Reason: "the keys stay as they were: " + (*problem).Error()}}
}

func versionOf(path string) (fileVersion, error) {
	info, err := os.Stat(path)
	if err != nil {
		return fileVersion{}, err
	}
	v := fileVersion{modified: info.ModTime(), size: info.Size()}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		v.inode = stat.Ino
	}
	return v, nil
}

package signing

import (
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"edgelens"
	"edgelens/identity/keys"
	"edgelens/internal/atomicfile"
)

// Folder is the folder of the data folder with the keys.
const Folder = "identity"

const (
	// keyFile has the private key that signs, sealingFile that to which devices encrypt. That of the node's certificate is
	// another one, so that each can be replaced without the others.
	keyFile, sealingFile = "signing.key", "sealing.key"
	// publicFile has the public keys that ever signed.
	publicFile = "signing-public.json"
)

// Node signs with the key of a data folder. It follows a rotation by another process at once. It is safe for use by many
// goroutines.
type Node struct {
	dir    string
	config Config
	now    func() time.Time
	// accounts is nil before Observe.
	accounts *accounts

	mu    sync.Mutex
	key   *ecdsa.PrivateKey
	id    string
	stamp stamp // of the file that key was read from
}

// stamp distinguishes a file from one that has replaced it.
type stamp struct {
	modified time.Time
	size     int64
}

func stampOf(info os.FileInfo) stamp { return stamp{info.ModTime(), info.Size()} }

// PublicKey is a key that signs, or did.
type PublicKey struct {
	ID string
	// Made and Retired are when it began and ended to sign; Retired is zero for the present one.
	Made, Retired time.Time
	Key           *ecdsa.PublicKey
}

// Open reads the key of a data folder, and makes it where there is none.
func Open(dataDir string, config Config) (*Node, error) {
	n := &Node{dir: filepath.Join(dataDir, Folder), config: config, now: time.Now}
	if err := os.MkdirAll(n.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the node's keys: %w", err)
	}
	if _, err := keys.LoadOrNew(n.path(keyFile)); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.follow(); err != nil {
		return nil, err
	}
	_, err := n.publish()
	return n, err
}

func (n *Node) path(name string) string { return filepath.Join(n.dir, name) }

// follow reads the key where another one has replaced it. The lock must be held.
func (n *Node) follow() error {
	info, err := os.Stat(n.path(keyFile))
	if err != nil {
		return fmt.Errorf("read the node's key: %w", err)
	}
	if n.key != nil && stampOf(info) == n.stamp {
		return nil
	}
	key, err := keys.Load(n.path(keyFile))
	if err != nil {
		return err
	}
	id, err := keys.ID(&key.PublicKey)
	if err != nil {
		return err
	}
	n.key, n.id, n.stamp = key, id, stampOf(info)
	return nil
}

// Sign returns the detached signature of a payload by the present key. Where that cannot be read any more, the last one
// signs.
func (n *Node) Sign(payload []byte) (string, error) {
	n.mu.Lock()
	if err := n.follow(); err != nil && n.key == nil {
		n.mu.Unlock()
		return "", err
	}
	key, id := n.key, n.id
	n.mu.Unlock()
	signature, err := sign(key, id, n.now(), payload)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return signature, nil
}

// storedKey is the form of a PublicKey in publicFile.
type storedKey struct {
	keys.JWK
	Made    time.Time `json:"made_at"`
	Retired time.Time `json:"retired_at,omitzero"`
}

// storedKeys is publicFile.
type storedKeys struct {
	Keys []storedKey `json:"keys"`
}

// stored reads publicFile.
func (n *Node) stored() (all storedKeys, err error) {
	text, err := os.ReadFile(n.path(publicFile))
	if os.IsNotExist(err) {
		return all, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		return all, fmt.Errorf("read the public keys %s: %w: %w; move the file away to begin a new one", n.path(publicFile), edgelens.ErrInvalid, err)
	}
	return all, nil
}

func (n *Node) store(all storedKeys) error {
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(n.path(publicFile), append(text, '\n'), 0o600)
}

// publish adds the present key to publicFile where it is missing, and returns what is there. The lock must be held.
func (n *Node) publish() (storedKeys, error) {
	all, err := n.stored()
	if err != nil {
		return all, err
	}
	if slices.ContainsFunc(all.Keys, func(k storedKey) bool { return k.KeyID == n.id }) {
		return all, nil
	}
	return n.add(all, &n.key.PublicKey)
}

// add adds a key that signs from now on.
func (n *Node) add(all storedKeys, key *ecdsa.PublicKey) (storedKeys, error) {
	jwk, err := keys.NewJWK(key)
	if err != nil {
		return all, err
	}
	now := n.now().UTC().Truncate(time.Second)
	for i := range all.Keys {
		if all.Keys[i].Retired.IsZero() {
			all.Keys[i].Retired = now
		}
	}
	all.Keys = append(all.Keys, storedKey{JWK: jwk, Made: now})
	return all, n.store(all)
}

// Rotate makes a new key, which signs at once, also in a service that runs. Those before stay published.
func (n *Node) Rotate() (PublicKey, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	key, err := keys.New()
	if err != nil {
		return PublicKey{}, err
	}
	all, err := n.stored()
	if err != nil {
		return PublicKey{}, err
	}
	// First the public key: nothing is signed by a key that is not published.
	if all, err = n.add(all, &key.PublicKey); err != nil {
		return PublicKey{}, err
	}
	if err := keys.Store(n.path(keyFile), key); err != nil {
		return PublicKey{}, err
	}
	made := all.Keys[len(all.Keys)-1]
	return PublicKey{ID: made.KeyID, Made: made.Made, Key: &key.PublicKey}, n.follow()
}

// PublicKeys returns the keys that are published, the present one last.
func (n *Node) PublicKeys() ([]PublicKey, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.follow(); err != nil {
		return nil, err
	}
	all, err := n.publish()
	if err != nil {
		return nil, err
	}
	var published []PublicKey
	for _, stored := range all.Keys {
		key, err := stored.Key()
		if err != nil {
			return nil, fmt.Errorf("read the public key %s: %w", stored.KeyID, err)
		}
		signs := stored.KeyID == n.id // whatever is stored: a rotation may have ended half way
		if !signs && n.config.KeepKeys > 0 && !stored.Retired.IsZero() && n.now().Sub(stored.Retired) > n.config.KeepKeys {
			continue
		}
		published = append(published, PublicKey{ID: stored.KeyID, Made: stored.Made, Retired: stored.Retired, Key: key})
	}
	return published, nil
}

// Remove ends the publication of a former key: what it signed is not believed any more. Errors: edgelens.ErrNotFound,
// ErrConflict for the present key.
func (n *Node) Remove(id string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	all, err := n.stored()
	if err != nil {
		return err
	}
	at := slices.IndexFunc(all.Keys, func(k storedKey) bool { return k.KeyID == id })
	switch {
	case at < 0:
		return fmt.Errorf("%w: there is no public key %q; `edgelens identity list` lists them", edgelens.ErrNotFound, id)
	case all.Keys[at].Retired.IsZero() || id == n.id:
		return fmt.Errorf("%w: the key %s signs; run `edgelens identity rotate` first", edgelens.ErrConflict, id)
	}
	all.Keys = slices.Delete(all.Keys, at, at+1)
	return n.store(all)
}

// SealingKey returns the key to which devices encrypt their messages, and makes it where there is none.
func (n *Node) SealingKey() (*ecdsa.PrivateKey, error) { return keys.LoadOrNew(n.path(sealingFile)) }

// JWKS returns the JSON Web Key Set of the published keys: those for signatures, and that for messages to the node.
func (n *Node) JWKS() ([]byte, error) {
	published, err := n.PublicKeys()
	if err != nil {
		return nil, err
	}
	set := struct {
		Keys []keys.JWK `json:"keys"`
	}{}
	add := func(key *ecdsa.PublicKey, use, algorithm string) error {
		jwk, err := keys.NewJWK(key)
		jwk.Use, jwk.Algorithm = use, algorithm
		set.Keys = append(set.Keys, jwk)
		return err
	}
	for i := len(published) - 1; i >= 0; i-- { // the present one first
		if err := add(published[i].Key, useSignature, "ES256"); err != nil {
			return nil, err
		}
	}
	sealing, err := n.SealingKey()
	if err != nil {
		return nil, err
	}
	if err := add(&sealing.PublicKey, useEncryption, "ECDH-ES"); err != nil {
		return nil, err
	}
	return json.Marshal(set)
}

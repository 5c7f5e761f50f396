package envelope

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"edgelens"
	"edgelens/identity/keys"
)

// Store keeps the keys of devices; package ledger implements it.
type Store interface {
	DeviceKeys(ctx context.Context) ([]edgelens.DeviceKey, error)
	// AddDeviceKey's error is an edgelens.ErrConflict where another device has the key, or this one too many.
	AddDeviceKey(ctx context.Context, key edgelens.DeviceKey) error
	// RemoveDeviceKey's error is an edgelens.ErrNotFound where there is none.
	RemoveDeviceKey(ctx context.Context, id string) error
}

// Ring has the keys of devices, in memory and in a Store. It is safe for use by many goroutines.
type Ring struct {
	store Store

	mu   sync.RWMutex
	keys map[string]ringKey
}

type ringKey struct {
	device string
	key    *ecdsa.PublicKey
}

// OpenRing reads the keys of a store.
func OpenRing(ctx context.Context, store Store) (*Ring, error) {
	stored, err := store.DeviceKeys(ctx)
	if err != nil {
		return nil, err
	}
	r := &Ring{store: store, keys: map[string]ringKey{}}
	for _, one := range stored {
		key, err := parsePKIX(one.Public)
		if err != nil {
			return nil, fmt.Errorf("read the key %s of device %s: %w", one.ID, one.Device, err)
		}
		r.keys[one.ID] = ringKey{one.Device, key}
	}
	return r, nil
}

// Find implements Keys.
func (r *Ring) Find(id string) (device string, key *ecdsa.PublicKey, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	found, ok := r.keys[id]
	return found.device, found.key, ok
}

// DeviceKeys returns every key, the oldest first.
func (r *Ring) DeviceKeys(ctx context.Context) ([]edgelens.DeviceKey, error) {
	return r.store.DeviceKeys(ctx)
}

// AddDeviceKey adds the public key of a device, as ParsePublicKey accepts it, from now on. Errors: edgelens.ErrInvalid,
// and those of the Store.
func (r *Ring) AddDeviceKey(ctx context.Context, device, text string) (edgelens.DeviceKey, error) {
	if !edgelens.ValidDeviceID(device) {
		return edgelens.DeviceKey{}, fmt.Errorf(`%w: a device's id is 1 to 64 of A-Z a-z 0-9 . _ : - and neither "." nor ".."`, edgelens.ErrInvalid)
	}
	public, err := ParsePublicKey([]byte(text))
	if err != nil {
		return edgelens.DeviceKey{}, err
	}
	added := edgelens.DeviceKey{Device: device, Added: time.Now().UTC().Truncate(time.Microsecond)}
	if added.ID, err = keys.ID(public); err != nil {
		return edgelens.DeviceKey{}, err
	}
	if added.Public, err = x509.MarshalPKIXPublicKey(public); err != nil {
		return edgelens.DeviceKey{}, err
	}
	if err := r.store.AddDeviceKey(ctx, added); err != nil {
		return edgelens.DeviceKey{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys[added.ID] = ringKey{device, public}
	return added, nil
}

// RemoveDeviceKey ends a key at once. Its error is an edgelens.ErrNotFound where there is none.
func (r *Ring) RemoveDeviceKey(ctx context.Context, id string) error {
	if err := r.store.RemoveDeviceKey(ctx, id); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.keys, id)
	return nil
}

// maxPublic is the most bytes of the text of a public key.
const maxPublic = 8 << 10

// ParsePublicKey parses a public key of P-256: PEM ("PUBLIC KEY", PKIX), or a JWK. The error wraps ErrInvalid, and has
// nothing of the text.
func ParsePublicKey(text []byte) (*ecdsa.PublicKey, error) {
	trimmed := strings.TrimSpace(string(text))
	switch {
	case len(text) > maxPublic:
		return nil, fmt.Errorf("%w: the public key is too long", edgelens.ErrInvalid)
	case strings.HasPrefix(trimmed, "{"):
		return parseJWK([]byte(trimmed))
	}
	block, _ := pem.Decode([]byte(trimmed))
	switch {
	case block == nil:
		return nil, fmt.Errorf("%w: there is no public key: it must be PEM or a JWK", edgelens.ErrInvalid)
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return nil, fmt.Errorf("%w: this is a private key, which must stay on the device: `openssl pkey -pubout` prints the public one", edgelens.ErrInvalid)
	case block.Type != "PUBLIC KEY":
		return nil, fmt.Errorf("%w: it has a %.40q where a public key must be", edgelens.ErrInvalid, block.Type)
	}
	return parsePKIX(block.Bytes)
}

func parsePKIX(der []byte) (*ecdsa.PublicKey, error) {
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("%w: the public key is damaged", edgelens.ErrInvalid)
	}
	key, ok := parsed.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%w: the public key must be an elliptic-curve key of P-256", edgelens.ErrInvalid)
	}
	return key, nil
}

// private are the members of JWKs with private keys.
var private = []string{"d", "k", "p", "q"}

func parseJWK(text []byte) (*ecdsa.PublicKey, error) {
	var members map[string]json.RawMessage
	var jwk keys.JWK
	if json.Unmarshal(text, &members) != nil || json.Unmarshal(text, &jwk) != nil {
		return nil, fmt.Errorf("%w: there is no JWK", edgelens.ErrInvalid)
	}
	for name := range members {
		if slices.Contains(private, name) {
			return nil, fmt.Errorf("%w: the JWK has a private key, which must stay on the device", edgelens.ErrInvalid)
		}
	}
	return jwk.Key()
}

package signing

import (
	"crypto/ecdsa"
	"encoding/json"
	"fmt"

	"edgelens"
	"edgelens/identity/keys"
)

const (
	// maxKeys is the most keys of a set that are read.
	maxKeys = 1000
	// maxSet is the most bytes of a set.
	maxSet = 1 << 20
	// The values of the member use.
	useSignature  = "sig"
	useEncryption = "enc"
)

// jwkSet is a JSON Web Key Set.
type jwkSet struct {
	Keys []json.RawMessage `json:"keys"`
}

// ParseJWKS returns the keys for signatures of a set, or of a single JWK, by their thumbprints: the ids in the set are not
// believed. Keys of other kinds are left out. The error wraps ErrInvalid.
func ParseJWKS(text []byte) (Keys, error) {
	all, err := keysFor(text, useSignature)
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("%w: there is no P-256 key for signatures in the set", edgelens.ErrInvalid)
	}
	if err != nil {
		return nil, err
	}
	return all, nil
}

// ParseSealingKey returns the one key for encryption of a set. The error wraps ErrInvalid.
func ParseSealingKey(text []byte) (*ecdsa.PublicKey, error) {
	all, err := keysFor(text, useEncryption)
	if err != nil {
		return nil, err
	}
	for _, key := range all {
		if len(all) == 1 {
			return key, nil
		}
	}
	return nil, fmt.Errorf("%w: there must be one P-256 key for encryption in the set, not %d", edgelens.ErrInvalid, len(all))
}

// keysFor returns the keys of P-256 for a use.
func keysFor(text []byte, use string) (Keys, error) {
	if len(text) > maxSet {
		return nil, fmt.Errorf("%w: the key set is too large", edgelens.ErrInvalid)
	}
	var set jwkSet
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, fmt.Errorf("%w: there is no JSON Web Key Set", edgelens.ErrInvalid)
	}
	if set.Keys == nil {
		set.Keys = []json.RawMessage{text}
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("%w: the set has more than %d keys", edgelens.ErrInvalid, maxKeys)
	}
	all := Keys{}
	for _, one := range set.Keys {
		var jwk keys.JWK
		if json.Unmarshal(one, &jwk) != nil || jwk.Use != use && (jwk.Use != "" || use == useEncryption) {
			continue
		}
		key, err := jwk.Key()
		if err != nil {
			continue
		}
		id, err := keys.ID(key)
		if err != nil {
			return nil, err
		}
		all[id] = key
	}
	return all, nil
}

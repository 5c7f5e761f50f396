package signing

import (
	"encoding/json"
	"fmt"

	"edgelens"
	"edgelens/identity/keys"
)

// Party is a node among others whose keys are known one by one: it signs as the node, and verifies what another signed by
// that one's public key, a JWK. It is safe for use by many goroutines.
type Party struct{ *Node }

// PublicKey returns the public key that verifies what Sign signs at present, as a JWK.
func (p Party) PublicKey() (json.RawMessage, error) {
	all, err := p.JWKs()
	if err != nil {
		return nil, err
	}
	return all[len(all)-1], nil
}

// JWKs returns the public keys of what was ever signed, as far as they are published, the present one last.
func (p Party) JWKs() ([]json.RawMessage, error) {
	published, err := p.PublicKeys()
	if err != nil {
		return nil, err
	}
	all := make([]json.RawMessage, 0, len(published))
	for _, one := range published {
		jwk, err := keys.NewJWK(one.Key)
		if err != nil {
			return nil, err
		}
		jwk.Use, jwk.Algorithm = useSignature, "ES256"
		text, err := json.Marshal(jwk)
		if err != nil {
			return nil, err
		}
		all = append(all, text)
	}
	return all, nil
}

// KeyID returns the id of a public key, its thumbprint. The error wraps ErrInvalid.
func (p Party) KeyID(jwk []byte) (string, error) {
	all, err := ParseJWKS(jwk)
	if err != nil {
		return "", err
	}
	for id := range all {
		if len(all) == 1 {
			return id, nil
		}
	}
	return "", fmt.Errorf("%w: there must be one public key, not %d", edgelens.ErrInvalid, len(all))
}

// Verify checks the detached signature of a payload by a public key. The error wraps ErrInvalid.
func (p Party) Verify(jwk []byte, signature string, payload []byte) error {
	all, err := ParseJWKS(jwk)
	if err != nil {
		return err
	}
	_, err = all.Verify(signature, payload)
	return err
}

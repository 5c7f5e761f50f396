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
	published, err := p.PublicKeys()
	if err != nil {
		return nil, err
	}
	jwk, err := keys.NewJWK(published[len(published)-1].Key)
	if err != nil {
		return nil, err
	}
	jwk.Use, jwk.Algorithm = useSignature, "ES256"
	return json.Marshal(jwk)
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

package envelope

import (
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"

	"edgelens/identity/keys"
)

// Sealer seals messages as a device does: for tests and for those who build one. It is safe for use by many goroutines.
type Sealer struct {
	// Key is that of the device, Node the public one of the node.
	Key  *ecdsa.PrivateKey
	Node *ecdsa.PublicKey
	// Now is the clock.
	Now func() time.Time
}

// Seal returns the envelope of a message. A counter that is not 0 is sent in place of the time.
func (s Sealer) Seal(message []byte, counter int64) ([]byte, error) {
	key, err := keys.ID(&s.Key.PublicKey)
	if err != nil {
		return nil, err
	}
	node, err := keys.ID(s.Node)
	if err != nil {
		return nil, err
	}
	header := map[string]any{"kid": key, "aud": node}
	if counter != 0 {
		header["ctr"] = counter
	} else {
		var id [16]byte
		if _, err := rand.Read(id[:]); err != nil {
			return nil, err
		}
		header["iat"], header["jti"] = s.Now().Unix(), hex.EncodeToString(id[:])
	}
	signed, err := signAs(s.Key, header, message)
	if err != nil {
		return nil, err
	}
	return encryptTo(s.Node, node, signed)
}

// signAs returns the JWS of a message in compact serialization.
func signAs(key *ecdsa.PrivateKey, header map[string]any, message []byte) (string, error) {
	options := &jose.SignerOptions{}
	for name, value := range header {
		options.WithHeader(jose.HeaderKey(name), value)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: signatureAlgorithm, Key: key}, options)
	if err != nil {
		return "", fmt.Errorf("seal a message: %w", err)
	}
	signed, err := signer.Sign(message)
	if err != nil {
		return "", fmt.Errorf("seal a message: %w", err)
	}
	return signed.CompactSerialize()
}

// encryptTo returns the JWE of a text in compact serialization.
func encryptTo(node *ecdsa.PublicKey, id, text string) ([]byte, error) {
	encrypter, err := jose.NewEncrypter(contentEncryption, jose.Recipient{Algorithm: keyAlgorithm, Key: node, KeyID: id}, (&jose.EncrypterOptions{}).WithContentType("JOSE"))
	if err != nil {
		return nil, fmt.Errorf("seal a message: %w", err)
	}
	encrypted, err := encrypter.Encrypt([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("seal a message: %w", err)
	}
	token, err := encrypted.CompactSerialize()
	return []byte(token), err
}

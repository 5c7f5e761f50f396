package federation_test

import (
	"crypto/ecdh"
	"crypto/rand"
	"testing"
)

// point returns a public key for masks.
func point(t testing.TB) []byte {
	t.Helper()
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key.PublicKey().Bytes()
}

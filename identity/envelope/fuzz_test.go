package envelope_test

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"edgelens/identity/envelope"
	"edgelens/identity/keys"
)

func pemOf(t testing.TB, key *ecdsa.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// Whatever arrives is refused with a reason, and nothing else is opened than what was sealed.
func FuzzOpen(f *testing.F) {
	s := newSite(f)
	sealed, err := s.sealer.Seal([]byte(`{"cmd":"heartU"}`), 0)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(sealed))
	f.Add(s.seal(f, s.jws(f, s.gate, "m", nil)))
	f.Add(s.jws(f, s.door, "m", nil))
	f.Add("eyJhbGciOiJub25lIn0.bQ.")
	f.Add("....")
	f.Fuzz(func(t *testing.T, token string) {
		opened, err := s.opener.Open(t.Context(), []byte(token))
		if err != nil {
			reasonOf(t, err)
			return
		}
		if string(opened.Payload) != `{"cmd":"heartU"}` {
			t.Errorf("opened %q", opened.Payload)
		}
		if err := opened.Done(t.Context(), false); err != nil {
			t.Error(err)
		}
	})
}

// The header of the signature, inside the encryption.
func FuzzOpenInner(f *testing.F) {
	s := newSite(f)
	f.Add(s.jws(f, s.gate, "m", nil))
	f.Add("eyJhbGciOiJub25lIn0.bQ.")
	f.Add(`{"alg":"ES256"}..`)
	f.Fuzz(func(t *testing.T, inner string) {
		if _, err := s.opener.Open(t.Context(), []byte(s.seal(t, inner))); err != nil {
			reasonOf(t, err)
		}
	})
}

func FuzzParsePublicKey(f *testing.F) {
	key := newKey(f)
	f.Add(pemOf(f, &key.PublicKey))
	f.Add(jsonOf(f, jwkOf(f, key)))
	f.Fuzz(func(t *testing.T, text []byte) {
		key, err := envelope.ParsePublicKey(text)
		if err != nil {
			return
		}
		if _, err := keys.ID(key); err != nil {
			t.Errorf("a key without an id: %v", err)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	s := newSite(b)
	sealed, err := s.sealer.Seal(make([]byte, 2000), 0)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		opened, err := s.opener.Open(b.Context(), sealed)
		if err != nil {
			b.Fatal(err)
		}
		if err := opened.Done(b.Context(), false); err != nil {
			b.Fatal(err)
		}
	}
}

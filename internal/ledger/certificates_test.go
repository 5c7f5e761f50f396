//go:build cgo

package ledger_test

import (
	"errors"
	"testing"
	"time"

	"edgelens"
)

func certificateOf(serial, name string) edgelens.Certificate {
	at := time.Date(2026, 4, 10, 8, 0, 0, 0, time.UTC)
	return edgelens.Certificate{
		Serial: serial, Kind: edgelens.CertificateOfDevice, Name: name, KeyID: "key of " + name, SHA256: "ab", Issued: at, NotBefore: at.Add(-time.Hour), NotAfter: at.Add(time.Hour), DER: []byte{1, 2},
	}
}

func TestCertificatesSurviveReopening(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, quiet())
	door, gate := certificateOf("01", "door"), certificateOf("02", "gate")
	must(t, l.Certificates.AddCertificate(t.Context(), door, nil))
	must(t, l.Certificates.AddCertificate(t.Context(), gate, nil))
	if err := l.Certificates.AddCertificate(t.Context(), door, nil); !errors.Is(err, edgelens.ErrConflict) {
		t.Errorf("the same serial number: %v", err)
	}
	revoked := door.Issued.Add(time.Minute)
	must(t, l.Certificates.RevokeCertificates(t.Context(), []string{"01"}, revoked))
	must(t, l.Certificates.RevokeCertificates(t.Context(), []string{"01"}, revoked.Add(time.Hour))) // it stays as it is
	if err := l.Certificates.RevokeCertificates(t.Context(), []string{"02", "03"}, revoked); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("an unknown one: %v", err)
	}
	closeLedger(t, l)
	l = open(t, dir, quiet())
	list, err := l.Certificates.Certificates(t.Context())
	must(t, err)
	door.Revoked = revoked
	equal(t, "certificates", list, []edgelens.Certificate{door, gate}) // of two, none was revoked with the unknown one
	must(t, l.Certificates.RemoveExpired(t.Context(), door.NotAfter.Add(time.Second)))
	list, err = l.Certificates.Certificates(t.Context())
	must(t, err)
	equal(t, "certificates", len(list), 0)
}

func TestEnrolmentTokenIsUsedOnce(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	at := certificateOf("01", "door").Issued
	hash, other := [32]byte{1}, [32]byte{2}
	token := edgelens.EnrolmentToken{Hash: hash, Name: "door", Validity: time.Hour, Created: at, Expires: at.Add(time.Minute)}
	must(t, l.Certificates.AddEnrolmentToken(t.Context(), edgelens.EnrolmentToken{Hash: other, Name: "door", Created: at, Expires: at.Add(time.Minute)}))
	must(t, l.Certificates.AddEnrolmentToken(t.Context(), token)) // in place of the other
	found, err := l.Certificates.EnrolmentToken(t.Context(), hash)
	must(t, err)
	equal(t, "token", found, token)
	if _, err := l.Certificates.EnrolmentToken(t.Context(), other); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("the replaced one: %v", err)
	}
	late, gate := certificateOf("02", "door"), certificateOf("03", "gate")
	late.Issued = token.Expires
	for name, c := range map[string]edgelens.Certificate{"too late": late, "of another device": gate} {
		if err := l.Certificates.AddCertificate(t.Context(), c, &hash); !errors.Is(err, edgelens.ErrUnauthorized) {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, l.Certificates.AddCertificate(t.Context(), certificateOf("01", "door"), &hash))
	if err := l.Certificates.AddCertificate(t.Context(), certificateOf("04", "door"), &hash); !errors.Is(err, edgelens.ErrUnauthorized) {
		t.Errorf("a second time: %v", err)
	}
	list, err := l.Certificates.Certificates(t.Context())
	must(t, err)
	equal(t, "certificates", len(list), 1) // those that were refused are not stored
	if found, err = l.Certificates.EnrolmentToken(t.Context(), hash); err != nil || !found.Used.Equal(at) {
		t.Errorf("%+v, %v", found, err)
	}
}

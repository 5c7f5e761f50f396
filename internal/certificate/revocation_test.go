package certificate_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/certificate"
)

// authority issues certificates and revocation lists.
type authority struct {
	t           testing.TB
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t testing.TB, name string, by *authority) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{t: t, key: key}
	if by == nil {
		by = a
	}
	a.certificate = by.issue(name, 1, key)
	return a
}

// issue returns a certificate that is that of an authority, too.
func (a *authority) issue(name string, serial int64, key *ecdsa.PrivateKey) *x509.Certificate {
	a.t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	parent := a.certificate
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return parsed
}

// list returns a revocation list in PEM, valid for a day from an age on.
func (a *authority) list(age time.Duration, edit func(*x509.RevocationList), revoked ...int64) string {
	a.t.Helper()
	at := time.Now().Add(-age)
	template := &x509.RevocationList{Number: big.NewInt(at.Unix()), ThisUpdate: at, NextUpdate: at.Add(24 * time.Hour)}
	for _, serial := range revoked {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: big.NewInt(serial), RevocationTime: at})
	}
	if edit != nil {
		edit(template)
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, a.certificate, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
}

func critical(oid asn1.ObjectIdentifier) func(*x509.RevocationList) {
	return func(l *x509.RevocationList) {
		l.ExtraExtensions = append(l.ExtraExtensions, pkix.Extension{Id: oid, Critical: true, Value: []byte{5, 0}})
	}
}

func listFile(t testing.TB, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "lists.pem")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Only certificates of which each issuer has a valid list without them are accepted.
func TestRevocationLists(t *testing.T) {
	root := newAuthority(t, "root", nil)
	between := newAuthority(t, "between", root)
	impostor := newAuthority(t, "root", nil)
	leaf := between.issue("door", 7, between.key)
	chain := []*x509.Certificate{leaf, between.certificate, root.certificate}
	for name, test := range map[string]struct {
		lists string
		want  string // in the error; "" for none
	}{
		"both good":                       {root.list(0, nil, 99) + between.list(0, nil, 8), ""},
		"the leaf is revoked":             {root.list(0, nil) + between.list(0, nil, 8, 7), "door\" was revoked"},
		"the issuer is revoked":           {root.list(0, nil, 1) + between.list(0, nil), "between\" was revoked"},
		"no list of an issuer":            {between.list(0, nil), "no revocation list of the authority \"CN=root"},
		"an expired list":                 {root.list(25*time.Hour, nil) + between.list(0, nil), "expired"},
		"a newer list beside it":          {root.list(25*time.Hour, nil) + root.list(0, nil) + between.list(0, nil), ""},
		"revoked in the newer one":        {between.list(0, nil, 7) + between.list(time.Hour, nil) + root.list(0, nil), "was revoked"},
		"a list of another of that name":  {impostor.list(0, nil) + between.list(0, nil), "no revocation list"},
		"a newer one of another that has": {impostor.list(0, nil, 1) + root.list(time.Hour, nil) + between.list(0, nil), ""},
	} {
		lists, err := certificate.FollowRevocations([]string{listFile(t, test.lists)}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		err = lists.Check([][]*x509.Certificate{chain})
		if test.want == "" && err != nil || test.want != "" && (!errors.Is(err, edgelens.ErrForbidden) || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// New files are taken up; those that cannot be used are reported, and the lists before them stay until they expire.
func TestRevocationListsAreFollowed(t *testing.T) {
	root := newAuthority(t, "root", nil)
	chains := [][]*x509.Certificate{{root.issue("door", 7, root.key), root.certificate}}
	file := listFile(t, root.list(0, nil))
	lists, err := certificate.FollowRevocations([]string{file}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	lists.At(func() time.Time { return now })
	step := func(after time.Duration, content, refused, reported string) {
		t.Helper()
		now = now.Add(after)
		if content != "" {
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(file, now, now); err != nil {
				t.Fatal(err)
			}
		}
		err := lists.Check(chains)
		if refused == "" && err != nil || refused != "" && (err == nil || !strings.Contains(err.Error(), refused)) {
			t.Errorf("%v, want %q", err, refused)
		}
		conditions := lists.Conditions("client_crl")
		if reported == "" && len(conditions) > 0 || reported != "" && (len(conditions) != 1 || !strings.Contains(conditions[0].Reason, reported)) {
			t.Errorf("%+v, want %q", conditions, reported)
		}
	}
	step(0, "", "", "")
	step(time.Minute, "nonsense", "", "cannot be used")
	step(time.Minute, root.list(0, nil, 7), "was revoked", "")
	step(time.Minute, root.list(0, nil), "", "")
	step(25*time.Hour, "", "expired", "fetch the present one")
}

func TestParseRevocationListsRefuses(t *testing.T) {
	root := newAuthority(t, "root", nil)
	for name, test := range map[string]struct{ text, want string }{
		"nothing":               {"", "damaged"},
		"text":                  {"nonsense", "damaged"},
		"a certificate":         {string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.certificate.Raw})), "where a revocation list must be"},
		"a list of changes":     {root.list(0, critical(asn1.ObjectIdentifier{2, 5, 29, 27})), "use a complete list"},
		"a list of some":        {root.list(0, critical(asn1.ObjectIdentifier{2, 5, 29, 28})), "use a complete list"},
		"an indirect list":      {root.list(0, func(l *x509.RevocationList) { l.RevokedCertificateEntries = indirect() }), "list of one authority"},
		"a damaged one among 2": {root.list(0, nil) + "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", "damaged"},
	} {
		if n, err := certificate.ParseLists([]byte(test.text)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %d, %v, want %q", name, n, err, test.want)
		}
	}
}

func indirect() []x509.RevocationListEntry {
	return []x509.RevocationListEntry{{
		SerialNumber: big.NewInt(7), RevocationTime: time.Now(), ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 29}, Critical: true, Value: []byte{48, 0}}},
	}}
}

// FuzzParseRevocationLists: whatever a file has, reading it ends, with lists or an error.
func FuzzParseRevocationLists(f *testing.F) {
	root := newAuthority(f, "root", nil)
	text := root.list(0, nil, 7)
	f.Add([]byte(text))
	block, _ := pem.Decode([]byte(text))
	f.Add(block.Bytes)
	f.Add([]byte("nonsense"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if n, err := certificate.ParseLists(text); (err == nil) != (n > 0) {
			t.Errorf("%d lists, and %v", n, err)
		}
	})
}

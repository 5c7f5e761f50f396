package certificate

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"edgelens"
)

// maxListBytes is the most bytes of a file with revocation lists.
const maxListBytes = 32 << 20

// listBlock is the type of a revocation list in PEM.
const listBlock = "X509 CRL"

// RevocationLists follows the revocation lists (RFC 5280, 5) of authorities, in files that are replaced now and then. New files
// that cannot be used are logged once, and the lists before them stay, until they expire. It needs no goroutine, and is safe for
// use by many.
type RevocationLists struct {
	files []string
	log   *slog.Logger
	now   func() time.Time

	mu      sync.Mutex
	lists   []*revocationList
	read    []stamp
	looked  time.Time
	problem error // of what was read last
}

// revocationList is a list with what was found out about it.
type revocationList struct {
	*x509.RevocationList
	revoked map[string]bool // serial numbers in hexadecimal
	signed  map[string]bool // by the certificates that were asked about, in DER
}

// FollowRevocations reads the lists of files: PEM, or one in DER. The error is a sentence with the file.
func FollowRevocations(files []string, log *slog.Logger) (*RevocationLists, error) {
	r := &RevocationLists{files: files, log: log, now: time.Now, looked: time.Now()}
	var err error
	if r.read, err = stampsOf(files); err != nil {
		return nil, fmt.Errorf("read the revocation lists: %w", err)
	}
	if r.lists, err = readLists(files); err != nil {
		return nil, err
	}
	return r, nil
}

// Check returns an edgelens.ErrForbidden unless, of one of the verified chains, no certificate was revoked by its issuer, and each
// issuer has a list that has not expired: what is not known to be good is not accepted.
func (r *RevocationLists) Check(chains [][]*x509.Certificate) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.look()
	err := fmt.Errorf("%w: the certificate has no verified chain", edgelens.ErrForbidden)
	for _, chain := range chains {
		if err = r.checkChain(chain); err == nil {
			return nil
		}
	}
	return err
}

func (r *RevocationLists) checkChain(chain []*x509.Certificate) error {
	for i := range len(chain) - 1 {
		if err := r.check(chain[i], chain[i+1]); err != nil {
			return err
		}
	}
	return nil
}

func (r *RevocationLists) check(certificate, issuer *x509.Certificate) error {
	list := r.newestOf(issuer)
	switch {
	case list == nil:
		return fmt.Errorf("%w: there is no revocation list of the authority %.80q, so that its certificates are refused", edgelens.ErrForbidden, issuer.Subject)
	case !r.now().Before(list.NextUpdate):
		return fmt.Errorf("%w: the revocation list of the authority %.80q expired on %s, so that its certificates are refused", edgelens.ErrForbidden, issuer.Subject, list.NextUpdate.Format(time.RFC3339))
	case list.revoked[certificate.SerialNumber.Text(16)]:
		return fmt.Errorf("%w: the certificate of %.80q was revoked", edgelens.ErrForbidden, certificate.Subject)
	}
	return nil
}

// newestOf returns the newest list that an authority has signed; nil for none.
func (r *RevocationLists) newestOf(issuer *x509.Certificate) (newest *revocationList) {
	for _, list := range r.lists {
		if !bytes.Equal(list.RawIssuer, issuer.RawSubject) || newest != nil && list.ThisUpdate.Before(newest.ThisUpdate) {
			continue
		}
		signed, known := list.signed[string(issuer.Raw)]
		if !known {
			signed = list.CheckSignatureFrom(issuer) == nil
			list.signed[string(issuer.Raw)] = signed
		}
		if signed {
			newest = list
		}
	}
	return newest
}

// Conditions returns a condition with that name where new files cannot be used, or a list has expired.
func (r *RevocationLists) Conditions(name string) []edgelens.Condition {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.look()
	reason := ""
	if r.problem != nil {
		reason = "the new revocation lists cannot be used, and those before them stay until they expire: " + r.problem.Error()
	}
	for _, list := range r.lists {
		superseded := slices.ContainsFunc(r.lists, func(other *revocationList) bool {
			return bytes.Equal(other.RawIssuer, list.RawIssuer) && other.ThisUpdate.After(list.ThisUpdate)
		})
		if !superseded && !r.now().Before(list.NextUpdate) {
			reason = fmt.Sprintf("the revocation list of %.80q expired on %s, and clients with its certificates are refused; fetch the present one, no restart is needed", list.Issuer, list.NextUpdate.Format(time.RFC3339))
		}
	}
	if reason == "" {
		return nil
	}
	return []edgelens.Condition{{Name: name, Severity: edgelens.SeverityDegraded, Reason: reason}}
}

// look reads files that have changed. Files that are gone for a moment have not.
func (r *RevocationLists) look() {
	now := r.now()
	if now.Sub(r.looked).Abs() < lookInterval {
		return
	}
	r.looked = now
	found, err := stampsOf(r.files)
	if err != nil || slices.Equal(found, r.read) {
		return
	}
	r.read = found
	fresh, err := readLists(r.files)
	if r.problem = err; err != nil {
		r.log.Warn("new revocation lists cannot be used; those before them stay", "event", "revocations_refused", "reason", err)
		return
	}
	r.lists = fresh
	r.log.Info("revocation lists replaced", "event", "revocations_replaced", "lists", len(fresh))
}

func stampsOf(files []string) (stamps []stamp, err error) {
	for _, file := range files {
		one, err := stampOf(file)
		if err != nil {
			return nil, err
		}
		stamps = append(stamps, one)
	}
	return stamps, nil
}

func readLists(files []string) (lists []*revocationList, err error) {
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read a revocation list: %w", err)
		}
		of, err := parseLists(text)
		if err != nil {
			return nil, fmt.Errorf("%s %w", file, err)
		}
		lists = append(lists, of...)
	}
	return lists, nil
}

// parseLists parses lists in PEM, or one in DER. The error continues a sentence.
func parseLists(text []byte) (lists []*revocationList, err error) {
	if len(text) > maxListBytes {
		return nil, fmt.Errorf("has more than %d bytes", maxListBytes)
	}
	if !bytes.Contains(text, []byte("-----BEGIN ")) {
		list, err := parseList(text)
		if err != nil {
			return nil, err
		}
		return []*revocationList{list}, nil
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != listBlock {
			return nil, fmt.Errorf("has a %.40q where a revocation list must be", block.Type)
		}
		list, err := parseList(block.Bytes)
		if err != nil {
			return nil, err
		}
		lists = append(lists, list)
	}
	if len(lists) == 0 {
		return nil, errors.New("has no revocation list, in PEM or DER")
	}
	return lists, nil
}

func parseList(der []byte) (*revocationList, error) {
	parsed, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, errors.New("has a revocation list that is damaged")
	}
	for _, extension := range parsed.Extensions {
		if extension.Critical { // such as that of a list of changes, or of some certificates alone
			return nil, fmt.Errorf("has a revocation list with the critical extension %s, which is not supported: use a complete list", extension.Id)
		}
	}
	if parsed.NextUpdate.IsZero() {
		return nil, errors.New("has a revocation list without an end (nextUpdate), so that an old one could pass for the present one")
	}
	list := &revocationList{RevocationList: parsed, revoked: map[string]bool{}, signed: map[string]bool{}}
	for _, entry := range parsed.RevokedCertificateEntries {
		for _, extension := range entry.Extensions {
			if extension.Critical {
				return nil, fmt.Errorf("has a revocation list whose entries have the critical extension %s, which is not supported: use a list of one authority", extension.Id)
			}
		}
		list.revoked[entry.SerialNumber.Text(16)] = true
	}
	return list, nil
}

package pki

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"slices"
	"time"

	"edgelens"
)

// register has the certificates in memory, so that a handshake needs no disk. Its changes are guarded by the Authority.
type register struct {
	bySerial map[string]edgelens.Certificate
	// byName are the serial numbers of each device and node, the latest last.
	byName map[name][]string
}

// name is the name of a device or node.
type name struct {
	kind edgelens.CertificateKind
	id   string
}

func newRegister(known []edgelens.Certificate) register {
	r := register{bySerial: map[string]edgelens.Certificate{}, byName: map[name][]string{}}
	slices.SortStableFunc(known, func(a, b edgelens.Certificate) int { return a.Issued.Compare(b.Issued) })
	for _, one := range known {
		r.add(one)
	}
	return r
}

func (r register) add(c edgelens.Certificate) {
	r.bySerial[c.Serial] = c
	of := name{c.Kind, c.Name}
	r.byName[of] = append(r.byName[of], c.Serial)
}

// of returns the certificates of a device or node, the latest last.
func (r register) of(kind edgelens.CertificateKind, id string) (list []edgelens.Certificate) {
	for _, serial := range r.byName[name{kind, id}] {
		list = append(list, r.bySerial[serial])
	}
	return list
}

// usable returns those of a device or node that are neither revoked nor expired.
func (r register) usable(kind edgelens.CertificateKind, id string, now time.Time) []edgelens.Certificate {
	return slices.DeleteFunc(r.of(kind, id), func(c edgelens.Certificate) bool { return !c.Usable(now) })
}

// revoke marks certificates as revoked.
func (r register) revoke(serials []string, at time.Time) {
	for _, serial := range serials {
		c := r.bySerial[serial]
		c.Revoked = at
		r.bySerial[serial] = c
	}
}

// keepOf removes the certificates that another authority has signed: its key was lost, for example by a restore without secrets,
// and no server accepts them.
func (r register) keepOf(authority *x509.Certificate) {
	for serial, c := range r.bySerial {
		parsed, err := x509.ParseCertificate(c.DER)
		if err != nil || !bytes.Equal(parsed.AuthorityKeyId, authority.SubjectKeyId) {
			r.remove(serial)
		}
	}
}

func (r register) remove(serial string) {
	c := r.bySerial[serial]
	delete(r.bySerial, serial)
	of := name{c.Kind, c.Name}
	r.byName[of] = slices.DeleteFunc(r.byName[of], func(s string) bool { return s == serial })
	if len(r.byName[of]) == 0 {
		delete(r.byName, of)
	}
}

// removeExpired removes those that expired before that time.
func (r register) removeExpired(before time.Time) {
	for serial, c := range r.bySerial {
		if c.NotAfter.Before(before) {
			r.remove(serial)
		}
	}
}

// all returns every certificate, by name and then the latest first.
func (r register) all() []edgelens.Certificate {
	list := make([]edgelens.Certificate, 0, len(r.bySerial))
	for _, c := range r.bySerial {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b edgelens.Certificate) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), b.Issued.Compare(a.Issued), cmp.Compare(a.Serial, b.Serial))
	})
	return list
}

// Certificates returns every certificate of the authority, by kind and name, the latest of a name first.
func (a *Authority) Certificates() []edgelens.Certificate {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.register.all()
}

// Devices returns the ids of the devices that have a certificate which can be used now.
func (a *Authority) Devices() (ids []string) {
	now := a.parts.Now()
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.certificate == nil {
		return nil
	}
	for of := range a.register.byName {
		if of.kind == edgelens.CertificateOfDevice && len(a.register.usable(of.kind, of.id, now)) > 0 {
			ids = append(ids, of.id)
		}
	}
	slices.Sort(ids)
	return ids
}

// Certified reports whether a device has a certificate that can be used now.
func (a *Authority) Certified(device string) bool {
	now := a.parts.Now()
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.certificate != nil && len(a.register.usable(edgelens.CertificateOfDevice, device, now)) > 0
}

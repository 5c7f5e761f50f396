package app

import (
	"fmt"
	"time"

	"edgelens"
	"edgelens/identity/pki"
)

// ends returns when the certificates of the authority and of this node expire, by what they are for.
func (i *identities) ends() map[string]time.Time {
	ends := map[string]time.Time{}
	if root, err := i.authority.Certificate(); err == nil {
		ends["authority"] = root.NotAfter
		if node, err := i.authority.NodeCertificate(); err == nil { // else it is made within the hour
			ends["node"] = node.NotAfter
		}
	}
	return ends
}

// devicesByState counts the certificates of devices. Of those that a device has renewed, only the latest is expiring: the
// others are to expire.
func (i *identities) devicesByState(now time.Time) map[edgelens.CertificateState]int {
	counts := map[edgelens.CertificateState]int{
		edgelens.CertificateValid: 0, edgelens.CertificateExpiring: 0, edgelens.CertificateExpired: 0, edgelens.CertificateRevoked: 0,
	}
	renewed := map[string]bool{}
	for _, c := range i.authority.Certificates() { // the latest of a device first
		if c.Kind != edgelens.CertificateOfDevice {
			continue
		}
		state := c.State(now)
		if state == edgelens.CertificateExpiring && renewed[c.Name] {
			state = edgelens.CertificateValid
		}
		renewed[c.Name] = renewed[c.Name] || c.Usable(now)
		counts[state]++
	}
	return counts
}

// conditions returns what is wrong with the certificates that this service issues.
func (i *identities) conditions() (all []edgelens.Condition) {
	now := time.Now()
	for of, end := range i.ends() {
		switch left := end.Sub(now); {
		case left > edgelens.CertificateExpiresSoon:
		case of == "authority":
			all = append(all, degraded("authority_certificate", fmt.Sprintf("the certificate of the authority expires on %s, and all others with it: plan a new one, and to enroll every device again (docs/identity.md)", end.Format(time.DateOnly))))
		default:
			all = append(all, degraded("node_certificate", fmt.Sprintf("the certificate of this node in identity/%s expires on %s, and should have been renewed; the log has the reason", pki.NodeCertificateFile, end.Format(time.DateOnly))))
		}
	}
	if n := i.devicesByState(now)[edgelens.CertificateExpiring]; n > 0 {
		all = append(all, degraded("device_certificates", fmt.Sprintf("the certificates of %d devices expire within 14 days: `edgelens device list` shows which, and `edgelens device renew` replaces one", n)))
	}
	return all
}

package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"edgelens"
)

// Certificates has the certificates that this service's authority has issued, and the enrolment tokens. It is safe for use by
// many goroutines.
type Certificates struct{ db *database }

// Certificates returns every certificate, the oldest first.
func (s *Certificates) Certificates(ctx context.Context) ([]edgelens.Certificate, error) {
	list, err := s.list(ctx)
	return list, s.db.explain("list the certificates", err)
}

func (s *Certificates) list(ctx context.Context) ([]edgelens.Certificate, error) {
	rows, err := s.db.readers.QueryContext(ctx, `SELECT serial, kind, name, key_id, sha256, issued_at, not_before, not_after, revoked_at, der FROM certificates ORDER BY rowid`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []edgelens.Certificate
	for rows.Next() {
		var c edgelens.Certificate
		var issued, begin, end, revoked sql.NullInt64
		if err := rows.Scan(&c.Serial, &c.Kind, &c.Name, &c.KeyID, &c.SHA256, &issued, &begin, &end, &revoked, &c.DER); err != nil {
			return nil, err
		}
		c.Issued, c.NotBefore, c.NotAfter, c.Revoked = timeOf(issued), timeOf(begin), timeOf(end), timeOf(revoked)
		list = append(list, c)
	}
	return list, rows.Err()
}

// AddCertificate makes a certificate durable and, where token is not nil, marks the enrolment token with that hash as used:
// both or neither. Errors: edgelens.ErrUnauthorized where there is no such token that is unused and has not expired,
// ErrConflict for a serial number that is taken.
func (s *Certificates) AddCertificate(ctx context.Context, c edgelens.Certificate, token *[32]byte) error {
	return s.db.explain("add certificate "+c.Serial, s.db.write(ctx, func(ch *change) error {
		if token != nil {
			used, err := ch.exec(`UPDATE enrolment_tokens SET used_at = ? WHERE hash = ? AND name = ? AND used_at IS NULL AND expires_at > ?`,
				c.Issued.UnixMicro(), token[:], c.Name, c.Issued.UnixMicro())
			if err == nil && used == 0 {
				err = fmt.Errorf("%w: the enrolment token was used, or has expired", edgelens.ErrUnauthorized)
			}
			if err != nil {
				return err
			}
		}
		added, err := ch.exec(`INSERT INTO certificates (serial, kind, name, key_id, sha256, issued_at, not_before, not_after, revoked_at, der)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
			c.Serial, c.Kind, c.Name, c.KeyID, c.SHA256, c.Issued.UnixMicro(), c.NotBefore.UnixMicro(), c.NotAfter.UnixMicro(), timeOrNull(c.Revoked), c.DER)
		if err == nil && added == 0 {
			err = fmt.Errorf("%w: there is a certificate with this serial number", edgelens.ErrConflict)
		}
		return err
	}))
}

// RevokeCertificates makes the revocation of certificates durable, by their serial numbers: all or none. One that is revoked
// stays as it is. Its error is an edgelens.ErrNotFound where there is no such certificate.
func (s *Certificates) RevokeCertificates(ctx context.Context, serials []string, at time.Time) error {
	return s.db.explain("revoke certificates", s.db.write(ctx, func(c *change) error {
		for _, serial := range serials {
			changed, err := c.exec(`UPDATE certificates SET revoked_at = coalesce(revoked_at, ?) WHERE serial = ?`, at.UnixMicro(), serial)
			if err == nil && changed == 0 {
				err = fmt.Errorf("%w: there is no certificate with the serial number %s", edgelens.ErrNotFound, serial)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}))
}

// AddEnrolmentToken makes a token durable, in place of those for the same device.
func (s *Certificates) AddEnrolmentToken(ctx context.Context, token edgelens.EnrolmentToken) error {
	return s.db.explain("add an enrolment token", s.db.write(ctx, func(c *change) error {
		if _, err := c.exec(`DELETE FROM enrolment_tokens WHERE name = ?`, token.Name); err != nil {
			return err
		}
		_, err := c.exec(`INSERT INTO enrolment_tokens (hash, name, validity, created_at, expires_at) VALUES (?, ?, ?, ?, ?)`,
			token.Hash[:], token.Name, token.Validity.Microseconds(), token.Created.UnixMicro(), token.Expires.UnixMicro())
		return err
	}))
}

// EnrolmentToken returns the token with that hash, also one that was used or has expired; edgelens.ErrNotFound for none.
func (s *Certificates) EnrolmentToken(ctx context.Context, hash [32]byte) (edgelens.EnrolmentToken, error) {
	token := edgelens.EnrolmentToken{Hash: hash}
	var validity int64
	var created, expires, used sql.NullInt64
	err := s.db.readers.QueryRowContext(ctx, `SELECT name, validity, created_at, expires_at, used_at FROM enrolment_tokens WHERE hash = ?`, hash[:]).
		Scan(&token.Name, &validity, &created, &expires, &used)
	if errors.Is(err, sql.ErrNoRows) {
		return edgelens.EnrolmentToken{}, fmt.Errorf("%w: there is no such enrolment token", edgelens.ErrNotFound)
	}
	token.Validity = time.Duration(validity) * time.Microsecond
	token.Created, token.Expires, token.Used = timeOf(created), timeOf(expires), timeOf(used)
	return token, s.db.explain("read an enrolment token", err)
}

// RemoveExpired removes certificates and tokens that expired before that time.
func (s *Certificates) RemoveExpired(ctx context.Context, before time.Time) error {
	return s.db.explain("remove expired certificates", s.db.write(ctx, func(c *change) error {
		if _, err := c.exec(`DELETE FROM certificates WHERE not_after < ?`, before.UnixMicro()); err != nil {
			return err
		}
		_, err := c.exec(`DELETE FROM enrolment_tokens WHERE expires_at < ?`, before.UnixMicro())
		return err
	}))
}

-- +goose Up

-- The certificates that this service's authority has issued; serial is in hexadecimal, key_id
-- the thumbprint of the public key (RFC 7638). Expired ones are removed after a year.
CREATE TABLE certificates (
    serial     TEXT PRIMARY KEY,
    kind       TEXT    NOT NULL, -- device or node
    name       TEXT    NOT NULL,
    key_id     TEXT    NOT NULL,
    sha256     TEXT    NOT NULL,
    issued_at  INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    not_after  INTEGER NOT NULL,
    revoked_at INTEGER, -- NULL where it was not
    der        BLOB    NOT NULL
);
CREATE INDEX certificates_by_end ON certificates (not_after);

-- Tokens by which devices get their first certificate, once. hash is the SHA-256 of the token,
-- validity that of the certificate in microseconds.
CREATE TABLE enrolment_tokens (
    hash       BLOB    PRIMARY KEY CHECK (length(hash) = 32),
    name       TEXT    NOT NULL,
    validity   INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER -- NULL where it was not
);

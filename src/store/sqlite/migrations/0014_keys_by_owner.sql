-- A key of one token is none of another's: two programs that choose the same do not shut each other
-- out. Until now a fingerprint began with the token, where there was one.
CREATE TABLE owned_keys (
    owner       TEXT NOT NULL,  -- the id of a token; empty: nobody's
    key         TEXT NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    fingerprint TEXT NOT NULL,
    answer      TEXT NOT NULL CHECK (json_valid(answer)),
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (owner, key)
) STRICT, WITHOUT ROWID;
INSERT INTO owned_keys SELECT
    iif(fingerprint GLOB '????????-????-????-????-????????????[A-Z]*', substr(fingerprint, 1, 36), ''),
    key, fingerprint, answer, created_at FROM idempotency_keys;
DROP TABLE idempotency_keys;
ALTER TABLE owned_keys RENAME TO idempotency_keys;
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

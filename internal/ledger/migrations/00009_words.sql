-- +goose Up

-- Names of the glossary (docs/glossary.md): rows keep their meaning.
ALTER TABLE jobs RENAME COLUMN face TO source;
ALTER TABLE results RENAME COLUMN face TO source;
UPDATE jobs SET source = 'job' WHERE source = 'queue';
UPDATE results SET source = 'job' WHERE source = 'queue';
UPDATE events SET data = json_set(json_remove(data, '$.face'), '$.source', json_extract(data, '$.face'))
    WHERE json_extract(data, '$.face') IS NOT NULL;

ALTER TABLE jobs RENAME COLUMN picture TO image;
ALTER TABLE job_totals RENAME COLUMN picture_bytes TO image_bytes;
DROP INDEX jobs_with_old_picture;
CREATE INDEX jobs_with_old_image ON jobs (image) WHERE finished_at IS NOT NULL AND image = 1;
ALTER TABLE outbox RENAME COLUMN picture TO image;

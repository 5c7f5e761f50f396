-- +goose Up

-- What part of a job's image is shown to the model, and how: the fit, and the region as
-- x,y,width,height; '' where the request leaves it open.
ALTER TABLE jobs ADD COLUMN fit TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN region TEXT NOT NULL DEFAULT '';

-- What a model thought before it answered. It is not searched: it is no answer.
ALTER TABLE answer ADD COLUMN thought TEXT NOT NULL DEFAULT '';

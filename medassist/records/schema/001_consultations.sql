-- Times are milliseconds since 1970, UTC.

CREATE TABLE consultation (
    id INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    created INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    -- The last turn of the branch that is shown.
    leaf INTEGER,
    blind INTEGER NOT NULL DEFAULT 0,
    side_a TEXT NOT NULL DEFAULT 'base' CHECK (side_a IN ('base', 'tuned')),
    revealed INTEGER,
    signed_off INTEGER
) STRICT;
CREATE INDEX consultation_changed ON consultation (changed DESC, id DESC);

-- A turn follows another; two that follow the same one are branches.
CREATE TABLE turn (
    id INTEGER PRIMARY KEY,
    consultation INTEGER NOT NULL REFERENCES consultation ON DELETE CASCADE,
    after INTEGER REFERENCES turn ON DELETE SET NULL,
    created INTEGER NOT NULL,
    left_out INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX turn_consultation ON turn (consultation);
CREATE INDEX turn_after ON turn (after);

CREATE TABLE source (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    quantization TEXT NOT NULL,
    demonstration INTEGER NOT NULL,
    adapter TEXT NOT NULL,
    -- JSON: [[path, size, mtime_ns], ...], the weights, then the adapter.
    files TEXT NOT NULL,
    UNIQUE (name, quantization, demonstration, adapter, files)
) STRICT;

CREATE TABLE fingerprint (
    path TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    PRIMARY KEY (path, size, mtime_ns)
) STRICT, WITHOUT ROWID;

CREATE TABLE answer (
    id INTEGER PRIMARY KEY,
    turn INTEGER NOT NULL REFERENCES turn ON DELETE CASCADE,
    pane TEXT NOT NULL CHECK (pane IN ('base', 'tuned')),
    source INTEGER NOT NULL REFERENCES source,
    seed INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'writing'
        CHECK (state IN ('writing', 'ended', 'stopped', 'failed', 'broken off')),
    shown INTEGER NOT NULL DEFAULT 0,
    tokens INTEGER NOT NULL DEFAULT 0,
    -- Characters of all its pieces: the next piece must begin here.
    length INTEGER NOT NULL DEFAULT 0,
    failure TEXT NOT NULL DEFAULT '',
    conditions TEXT,
    figures TEXT
) STRICT;
CREATE INDEX answer_turn ON answer (turn);
CREATE INDEX answer_source ON answer (source);
CREATE INDEX answer_writing ON answer (id) WHERE state = 'writing';

-- What has come of an answer that is being written; gone once it is over.
CREATE TABLE piece (
    answer INTEGER NOT NULL REFERENCES answer ON DELETE CASCADE,
    start INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (answer, start)
) STRICT, WITHOUT ROWID;

-- Every text that can be searched: a title, a question, an answer that is over.
CREATE TABLE passage (
    id INTEGER PRIMARY KEY,
    consultation INTEGER NOT NULL REFERENCES consultation ON DELETE CASCADE,
    turn INTEGER UNIQUE REFERENCES turn ON DELETE CASCADE,
    answer INTEGER UNIQUE REFERENCES answer ON DELETE CASCADE,
    text TEXT NOT NULL,
    CHECK (turn IS NULL OR answer IS NULL)
) STRICT;
CREATE INDEX passage_consultation ON passage (consultation);

CREATE TABLE flag (
    id INTEGER PRIMARY KEY,
    turn INTEGER NOT NULL REFERENCES turn ON DELETE CASCADE,
    rule TEXT NOT NULL,
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    source TEXT NOT NULL
) STRICT;
CREATE INDEX flag_turn ON flag (turn);

CREATE TABLE verdict (
    id INTEGER PRIMARY KEY,
    turn INTEGER NOT NULL REFERENCES turn ON DELETE CASCADE,
    given INTEGER NOT NULL,
    choice TEXT NOT NULL CHECK (choice IN ('A', 'B', 'tie', 'both poor')),
    reasons TEXT NOT NULL,
    note TEXT NOT NULL,
    side_a TEXT NOT NULL CHECK (side_a IN ('base', 'tuned')),
    blind INTEGER NOT NULL
) STRICT;
CREATE INDEX verdict_turn ON verdict (turn);

CREATE TABLE warning (
    id INTEGER PRIMARY KEY,
    consultation INTEGER NOT NULL REFERENCES consultation ON DELETE CASCADE,
    given INTEGER NOT NULL,
    kind TEXT NOT NULL,
    count INTEGER NOT NULL,
    occasion TEXT NOT NULL CHECK (occasion IN ('saving', 'exporting')),
    outcome TEXT NOT NULL CHECK (outcome IN ('kept', 'replaced'))
) STRICT;
CREATE INDEX warning_consultation ON warning (consultation);

-- Full-text search over the passages, in the same encrypted file.
CREATE VIRTUAL TABLE passage_index USING fts5 (
    text,
    content = 'passage',
    content_rowid = 'id',
    tokenize = 'unicode61 remove_diacritics 2',
    prefix = '2 3'
);
-- A deleted word leaves the index at once, not when its segment is merged.
INSERT INTO passage_index (passage_index, rank) VALUES ('secure-delete', 1);

CREATE TRIGGER passage_inserted AFTER INSERT ON passage BEGIN
    INSERT INTO passage_index (rowid, text) VALUES (new.id, new.text);
END;
CREATE TRIGGER passage_deleted AFTER DELETE ON passage BEGIN
    INSERT INTO passage_index (passage_index, rowid, text)
    VALUES ('delete', old.id, old.text);
END;
CREATE TRIGGER passage_updated AFTER UPDATE OF text ON passage BEGIN
    INSERT INTO passage_index (passage_index, rowid, text)
    VALUES ('delete', old.id, old.text);
    INSERT INTO passage_index (rowid, text) VALUES (new.id, new.text);
END;

INSERT INTO passage_index (passage_index) VALUES ('rebuild');

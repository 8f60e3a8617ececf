"""`finetune fetch` against services that speak as the real ones do."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from finetune.commands import app
from finetune.data.fetch import clinical_trials, pmc, web
from finetune.data.fetch.download_plan import FetchRecord
from finetune.data.prepared_records import DialogueRecord
from finetune.data.sources.registry import open_source
from finetune.errors import FinetuneError
from tests.finetune.data.fetch.server import FakeService
from tests.finetune.data.jats.test_article import page


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["fetch", *map(str, words)])


def fetched(*words: object) -> FetchRecord:
    result = run(*words, "--json")
    assert result.exit_code == 0, result.output + repr(result.exception)
    return FetchRecord.model_validate_json(result.stdout)


@pytest.fixture
def bucket(service: FakeService, monkeypatch: pytest.MonkeyPatch) -> FakeService:
    """Two articles; the first has two versions."""
    monkeypatch.setattr(pmc, "BUCKET", service.url)
    monkeypatch.setattr(pmc, "SEARCH", f"{service.url}/esearch.fcgi")
    monkeypatch.setattr(pmc, "BETWEEN", 0.0)
    for name in ("PMC1.1", "PMC1.2", "PMC22.1"):
        number = name.split(".")[0].removeprefix("PMC")
        xml = page().replace(b'"pmc">123<', f'"pmc">{number}<'.encode())
        service.files[f"/{name}/{name}.xml"] = xml
        service.files[f"/{name}/{name}.json"] = b'{"license_code": "CC BY"}'
        service.files[f"/{name}/figure.jpg"] = b"not wanted"

    def listing(query: dict[str, str]) -> bytes:
        keys = [k[1:] for k in service.files if k[1:].startswith(query["prefix"])]
        start = int(query.get("continuation-token", 0))
        shown, rest = keys[start : start + 2], keys[start + 2 :]
        entries = "".join(
            f"<Contents><Key>{key}</Key><Size>{len(service.files['/' + key])}</Size>"
            f"<ETag>&quot;{hashlib.md5(service.files['/' + key]).hexdigest()}&quot;"
            "</ETag></Contents>"
            for key in shown
        )
        token = (
            f"<NextContinuationToken>{start + 2}</NextContinuationToken>"
            if rest
            else ""
        )
        return (
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"{entries}{token}</ListBucketResult>"
        ).encode()

    service.answers["/"] = listing
    return service


def test_the_newest_version_of_each_article_comes_from_the_bucket(bucket, tmp_path):
    found = fetched("pmc-oa", "--out", tmp_path, "--ids", "PMC1, 22 PMC333")
    names = [each.file for each in found.files]
    assert names == [
        "PMC1.2/PMC1.2.xml",
        "PMC1.2/PMC1.2.json",
        "PMC22.1/PMC22.1.xml",
        "PMC22.1/PMC22.1.json",
    ]
    assert found.notes == ("1 are not in the open-access bucket: PMC333",)
    source = open_source("pmc-oa")
    records = [r for f in source.files(tmp_path) for r in source.read(f)]
    assert [r.id for r in records] == ["PMC1", "PMC22"]
    written = FetchRecord.model_validate_json((tmp_path / "fetched.json").read_text())
    assert written == found


def test_a_second_call_downloads_what_is_missing(bucket, tmp_path):
    fetched("pmc-oa", "--out", tmp_path, "--ids", "PMC22")
    (tmp_path / "PMC22.1" / "PMC22.1.xml").unlink()
    bucket.asked.clear()
    found = fetched("pmc-oa", "--out", tmp_path, "--ids", "PMC22")
    assert [each.was_there for each in found.files] == [False, True]
    assert [p for p in bucket.paths() if p.endswith(".xml")] == ["/PMC22.1/PMC22.1.xml"]


def test_hosts_and_sizes_are_shown_before_and_a_dry_run_stops_there(bucket, tmp_path):
    result = run("pmc-oa", "--out", tmp_path / "new", "--ids", "PMC1", "--dry-run")
    assert "2 files" in result.stderr
    assert "from 127.0.0.1" in result.stderr
    assert "PMC1.2/PMC1.2.xml" in result.stdout
    assert not (tmp_path / "new").exists()
    assert not [p for p in bucket.paths() if p.endswith(".xml")]


def test_a_query_is_asked_page_by_page_among_open_access_alone(
    bucket, tmp_path, monkeypatch
):
    monkeypatch.setattr(pmc, "PAGE", 1)
    terms: list[str] = []

    def search(query: dict[str, str]) -> bytes:
        terms.append(query["term"])
        numbers = ["22", "1", "333"]
        start = int(query["retstart"])
        shown = numbers[start : start + int(query["retmax"])]
        result = {"count": "3", "idlist": shown}
        return json.dumps({"esearchresult": result}).encode()

    bucket.answers["/esearch.fcgi"] = search
    found = fetched("pmc-oa", "--out", tmp_path, "--query", "cough", "--limit", 2)
    assert terms == ["(cough) AND open access[filter]"] * 2
    assert {each.file.split("/")[0] for each in found.files} == {"PMC22.1", "PMC1.2"}


def test_ids_come_from_files_and_old_file_lists(bucket, tmp_path):
    plain = tmp_path / "ids.txt"
    plain.write_text("PMC1\n22\n\n")
    assert pmc.read_ids(str(plain)) == ["PMC1", "PMC22"]
    old = tmp_path / "oa_file_list.csv"
    old.write_text(
        "File,Article Citation,Accession ID,Last Updated,PMID,License\n"
        'oa_package/0/PMC22.tar.gz,"Own J. 1, 2",PMC22,2020-01-01,5,CC BY\n'
    )
    assert pmc.read_ids(str(old)) == ["PMC22"]
    plain.write_text("PMC1\nnothing\n")
    with pytest.raises(FinetuneError, match=r"line 2: 'nothing' is no number of PMC"):
        pmc.read_ids(str(plain))


def test_pmc_wants_to_know_which_articles(bucket, tmp_path):
    assert isinstance(run("pmc-oa", "--out", tmp_path).exception, FinetuneError)
    result = run("pmc-oa", "--out", tmp_path, "--ids", "PMC777")
    assert "none of 1 articles" in str(result.exception)


def test_the_hub_is_listed_by_its_library_and_held_to_its_checksums(
    service, tmp_path, monkeypatch
):
    monkeypatch.setenv("HF_ENDPOINT", service.url)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    rows, card = b'{"text": "own"}\n' * 500, b"---\nlicense: cc0-1.0\n---\n"
    base = "/datasets/own/set/resolve/abc123/"
    service.files |= {f"{base}data/train.jsonl": rows, f"{base}README.md": card}
    service.broken_off[f"{base}data/train.jsonl"] = 1
    info = {"id": "own/set", "sha": "abc123", "cardData": {"license": "cc0-1.0"}}
    service.answers["/api/datasets/own/set/revision/main"] = lambda _: json.dumps(
        {**info, "siblings": []}
    ).encode()
    blob = hashlib.sha1(f"blob {len(card)}\0".encode() + card).hexdigest()
    tree = [
        {"type": "directory", "path": "data", "oid": "0"},
        {
            "type": "file",
            "path": "data/train.jsonl",
            "size": len(rows),
            "oid": "1",
            "lfs": {
                "oid": hashlib.sha256(rows).hexdigest(),
                "size": len(rows),
                "pointerSize": 130,
            },
        },
        {"type": "file", "path": "README.md", "size": len(card), "oid": blob},
        {"type": "file", "path": "set.py", "size": 3, "oid": "2"},
    ]
    service.answers["/api/datasets/own/set/tree/abc123"] = lambda _: json.dumps(
        tree
    ).encode()
    words = ("table", "--out", tmp_path, "--repo", "own/set")
    found = fetched(*words)
    assert {each.file for each in found.files} == {"data/train.jsonl", "README.md"}
    assert (tmp_path / "data" / "train.jsonl").read_bytes() == rows
    assert any("cc0-1.0" in note for note in found.notes)
    assert any("set.py" in note for note in found.notes)
    assert "hf_secret" not in found.model_dump_json()
    service.files[f"{base}README.md"] = b"x" * len(card)
    (tmp_path / "README.md").unlink()
    broken = run(*words)
    assert "is not what was announced" in str(broken.exception)
    assert not (tmp_path / "README.md").exists()


def test_a_repository_that_is_not_there_is_named(service, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", service.url)
    result = run("table", "--out", tmp_path, "--repo", "own/nothing")
    assert isinstance(result.exception, FinetuneError)
    assert "own/nothing" in str(result.exception)
    assert "404" in str(result.exception)


def test_studies_come_page_by_page_and_go_on_after_a_break(
    service, tmp_path, monkeypatch
):
    monkeypatch.setattr(clinical_trials, "STUDIES", f"{service.url}/api/v2/studies")
    monkeypatch.setattr(clinical_trials, "PAGE", 2)
    asked: list[dict[str, str]] = []

    def studies(query: dict[str, str]) -> bytes:
        asked.append(query)
        start = int(query.get("pageToken", 0))
        shown = range(start, min(start + int(query["pageSize"]), 5))
        answer: dict[str, object] = {
            "studies": [
                {
                    "protocolSection": {
                        "identificationModule": {"nctId": f"NCT{n}"},
                        "descriptionModule": {"briefSummary": "A trial."},
                    }
                }
                for n in shown
            ]
        }
        if shown.stop < 5:
            answer["nextPageToken"] = str(shown.stop)
        if "countTotal" in query:
            answer["totalCount"] = 5
        return json.dumps(answer).encode()

    service.answers["/api/v2/studies"] = studies
    words = ("clinical-trials", "--out", tmp_path, "--query", "melanoma")
    assert len(fetched(*words).files) == 3
    sorted(tmp_path.glob("studies-*"))[-1].unlink()
    asked.clear()
    again = fetched(*words)
    assert [each.was_there for each in again.files] == [True, True, False]
    assert [query["pageToken"] for query in asked] == ["4"]
    source = open_source("clinical-trials")
    records = [r.id for f in source.files(tmp_path) for r in source.read(f)]
    assert records == [f"NCT{n}" for n in range(5)]
    other = run("clinical-trials", "--out", tmp_path, "--query", "asthma")
    assert "studies of another query" in str(other.exception)


def test_kaggle_sets_are_unpacked_by_its_own_client(service, tmp_path, monkeypatch):
    from kagglesdk import kaggle_env

    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    monkeypatch.setenv("KAGGLE_USERNAME", "me")
    monkeypatch.setenv("KAGGLE_KEY", "secret")
    monkeypatch.setitem(
        kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.LOCAL, service.url
    )
    monkeypatch.setattr("finetune.data.fetch.kaggle.HOSTS", ("127.0.0.1",))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as out:
        out.writestr("train.csv", "input,output\nq,a\n")
    root = "/api/v1/datasets.DatasetApiService/"
    service.answers[f"{root}GetDataset"] = lambda _: b'{"currentVersionNumber": 3}'
    service.files[f"{root}DownloadDataset"] = packed.getvalue()
    words = (
        *("doctor-healthcare-100k", "--out", tmp_path),
        *("--repo", "kaggle:own/set"),
    )
    found = fetched(*words)
    assert [each.file for each in found.files] == ["train.csv"]
    assert "secret" not in found.model_dump_json()
    source = open_source("doctor-healthcare-100k")
    (record,) = source.read(source.files(tmp_path)[0])
    assert isinstance(record, DialogueRecord)
    assert [m.content for m in record.messages] == ["q", "a"]
    service.asked.clear()
    assert fetched(*words).files[0].was_there
    assert service.asked == []


def test_sets_of_public_repositories_are_held_to_known_checksums(
    service, tmp_path, monkeypatch
):
    sheet = b"ID,section_header,section_text,dialogue\n"
    entry = web.WebFile(
        url=f"{service.url}/a.csv",
        file="a.csv",
        sha256=hashlib.sha256(sheet).hexdigest(),
    )
    monkeypatch.setattr(web, "catalogue", lambda: {"mts-dialog": (entry,)})
    service.files["/a.csv"] = sheet
    assert fetched("mts-dialog", "--out", tmp_path).files[0].bytes == len(sheet)
    service.files["/a.csv"] = sheet.upper()
    result = run("mts-dialog", "--out", tmp_path / "b")
    assert "is not what was announced" in str(result.exception)


def test_credentialed_sets_are_not_fetched_but_their_terms_told(tmp_path):
    result = run("ehr-ds-qa", "--out", tmp_path)
    assert "Credentialed" in str(result.exception)
    assert "not openly downloadable" in str(result.exception)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("medquat", "--out", "x"), "did you mean medquad"),
        (("medquad", "--out", "x", "--ids", "1"), "has no --ids"),
        (("pmc-oa", "--out", "x", "--ids", "PMC1", "--limit", "0"), "1 or more"),
        (("table", "--out", "x"), "--repo OWNER/NAME"),
        (("table", "--out", "x", "--repo", "noslash"), "expected OWNER/NAME"),
        (("clinical-trials", "--out", "x"), "--query"),
    ],
)
def test_wishes_that_cannot_be_fulfilled_say_why(words, message):
    assert message in str(run(*words).exception)


def test_every_download_of_a_repository_is_of_one_commit():
    for entries in web.catalogue().values():
        for entry in entries:
            assert any(len(part) == 40 for part in Path(entry.url).parts)
            assert entry.url.startswith("https://")

"""No file of the three packages imports, by any way round, a file that imports it."""

from __future__ import annotations

import grimp


def circles(graph: grimp.ImportGraph) -> list[set[str]]:
    """The sets of modules each of which reaches all others of its set (Tarjan 1972)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    path: list[str] = []
    found: list[set[str]] = []
    for root in sorted(graph.modules):
        if root in number:
            continue
        number[root] = low[root] = len(number)
        path.append(root)
        walk = [(root, iter(sorted(graph.find_modules_directly_imported_by(root))))]
        while walk:
            module, imported = walk[-1]
            for other in imported:
                if other not in number:
                    number[other] = low[other] = len(number)
                    path.append(other)
                    further = graph.find_modules_directly_imported_by(other)
                    walk.append((other, iter(sorted(further))))
                    break
                if other in path:
                    low[module] = min(low[module], number[other])
            else:
                walk.pop()
                if walk:
                    low[walk[-1][0]] = min(low[walk[-1][0]], low[module])
                if low[module] == number[module]:
                    at = path.index(module)
                    circle, path = set(path[at:]), path[:at]
                    found += [circle] if len(circle) > 1 else []
    return found


def test_a_circle_is_found() -> None:
    graph = grimp.ImportGraph()
    for importer, imported in ("ab", "bc", "cb", "cd", "de", "ea", "ef", "gf"):
        graph.add_import(importer=importer, imported=imported)
    graph.remove_import(importer="e", imported="a")
    assert circles(graph) == [{"b", "c"}]
    graph.add_import(importer="e", imported="a")
    assert circles(graph) == [{"a", "b", "c", "d", "e"}]


def test_no_file_is_in_a_circle_of_imports_those_for_types_alone_included() -> None:
    graph = grimp.build_graph("medassist", "convert", "finetune", cache_dir=None)
    assert len(graph.modules) > 100
    assert circles(graph) == []

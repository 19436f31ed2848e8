"""YAML that others wrote: plain values only, of bounded size, and errors that name the line."""

from typing import Any

import yaml

from pipelines.errors import shortened

# A page of settings has some thousand; what aliases stand for counts as often as it stands there.
_MOST_VALUES = 50_000
_DEEPEST = 20
_LARGEST = 2**63 - 1

_MERGE = "tag:yaml.org,2002:merge"


class _Loader(yaml.SafeLoader):
    """Refuses keys that stand twice in a mapping; names the line of a value that is none."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[tuple[str, Any], int] = {}
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            line = key.start_mark.line + 1
            # A merge (<<) may stand several times; lists as keys are refused below.
            if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
                continue
            first = seen.setdefault((key.tag, key.value), line)
            if first != line:
                raise _wrong(key, f"{key.value!r} in line {line} stands in line {first} already")
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep=deep)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            kind = node.tag.rpartition(":")[2]
            raise _wrong(node, f"{shortened(node.value)!r} is no {kind}") from error
        if isinstance(value, int) and abs(value) > _LARGEST:
            raise _wrong(node, f"{shortened(node.value)!r} is too large a number")
        return value


def parse_yaml(text: str) -> Any:
    """Return the value of a YAML document; ValueError says what is wrong with it, and where."""
    loader: _Loader | None = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _Size().of(node)
        return loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        raise ValueError(_with_place(error)) from error
    except yaml.YAMLError as error:
        raise ValueError(f"{error}".splitlines()[0]) from error
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    except (OverflowError, ValueError) as error:  # of a character that there is not
        line = "" if loader is None else f" in line {loader.line + 1}"
        raise ValueError(f"a character{line} does not exist") from error
    finally:
        if loader is not None:
            loader.dispose()


class _Size:
    """Counts values as if aliases were written out, without writing them out."""

    def __init__(self) -> None:
        self._known: dict[int, int] = {}
        self._open: set[int] = set()

    def of(self, node: yaml.Node) -> int:
        """Return the number of values in a node; raise the error of one that has too many."""
        if isinstance(node, yaml.ScalarNode):
            _check_characters(node)
            return 1
        key = id(node)
        if key in self._open:
            raise _wrong(node, "a value holds itself")
        if len(self._open) >= _DEEPEST:
            raise _wrong(node, f"values are nested more than {_DEEPEST} deep")
        if key not in self._known:
            self._open.add(key)
            self._known[key] = 1 + sum(map(self.of, _children(node)))
            self._open.remove(key)
        if self._known[key] > _MOST_VALUES:
            raise _wrong(node, f"with its aliases it holds more than {_MOST_VALUES} values")
        return self._known[key]


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value)


def _check_characters(node: yaml.ScalarNode) -> None:
    """Refuse a text that no file can hold: with a zero byte or half of a character."""
    if "\0" in node.value or any("\ud800" <= sign <= "\udfff" for sign in node.value):
        raise _wrong(node, "a text holds a zero byte or half of a character")


def _with_place(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    what = " ".join(filter(None, (error.context, error.problem)))
    return what if mark is None else f"{what} (line {mark.line + 1}, column {mark.column + 1})"


def _wrong(node: yaml.Node, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)

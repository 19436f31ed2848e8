"""Read YAML that users wrote: plain values only, and every key once."""

from typing import Any

import yaml


class _UniqueKeys(yaml.SafeLoader):
    """Refuses what YAML forbids and PyYAML allows: a key that stands twice in a mapping."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[tuple[str, Any], int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            # A merge (<<) may stand several times; lists as keys are refused below.
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            first = seen.setdefault((key.tag, key.value), line)
            if first != line:
                raise yaml.MarkedYAMLError(
                    problem=f"{key.value!r} in line {line} stands in line {first} already",
                    problem_mark=key.start_mark,
                )
        return super().construct_mapping(node, deep)


def load_yaml(text: str) -> Any:
    """Read a YAML document.

    Parameters
    ----------
    text : str
        Its text.

    Returns
    -------
    object
        Plain Python values.

    Raises
    ------
    yaml.YAMLError
        If it is no YAML, or a key stands twice; the text names key and lines.
    """
    # S506 is about loaders that can make any object; this one makes what SafeLoader makes.
    return yaml.load(text, Loader=_UniqueKeys)

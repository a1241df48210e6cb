"""Lists of values in a question: one text and one parameter for each list, however long it is.

With a mark for each value there is a statement for each length. SQLite's driver keeps the last 256 of a connection,
each with room for its values (170 kB for a thousand), so that a process grew for as long as lengths were new to it;
and SQLAlchemy and the engines read all the marks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import ARRAY, Boolean, ColumnElement, Dialect, Text, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine


def one_of(column: ColumnElement[Any], values: Iterable[Any]) -> ColumnElement[bool]:
    """Whether the column is one of these values. Not for bytes: JSON, and so SQLite, has none."""
    return _OneOf(column, _given(column, values))


def among(first: ColumnElement[Any], second: ColumnElement[Any], pairs: Sequence[tuple[Any, Any]]) -> Any:
    """Whether (first, second) is one of these pairs. The first is asked for by itself too: by pairs alone SQLite
    searches the whole table, and what is asked costs what is stored."""
    firsts, seconds = ([pair[place] for pair in pairs] for place in (0, 1))
    in_json = bindparam(None, list(pairs), type_=_Pairs(first.type, second.type), unique=True)
    is_one = _AmongPairs(first, second, _given(first, firsts), _given(second, seconds), in_json)
    return one_of(first, dict.fromkeys(firsts)) & is_one


def _given(column: ColumnElement[Any], values: Iterable[Any]) -> Any:
    return bindparam(None, list(values), type_=_ListOf(column.type), unique=True)


class _ListOf(TypeDecorator[Any]):
    """PostgreSQL: an array. SQLite: its JSON."""

    impl = Text
    cache_ok = True

    def __init__(self, item: TypeEngine[Any]) -> None:
        super().__init__()
        self.item = item

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else ARRAY(self.item))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        if dialect.name != "sqlite":
            return value
        encode = _encoder_of(self.item, dialect)
        return json.dumps([encode(each) for each in value])


class _Pairs(TypeDecorator[Any]):
    """JSON too: PostgreSQL is given two arrays instead."""

    impl = Text
    cache_ok = True

    def __init__(self, first: TypeEngine[Any], second: TypeEngine[Any]) -> None:
        super().__init__()
        self.first, self.second = first, second

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        first, second = _encoder_of(self.first, dialect), _encoder_of(self.second, dialect)
        return json.dumps([(first(one), second(other)) for one, other in value])


def _encoder_of(item: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any]:
    """What the driver is given for a value."""
    return item.dialect_impl(dialect).bind_processor(dialect) or (lambda value: value)


class _Comparison(FunctionElement[bool]):
    inherit_cache = True
    type = Boolean()

    def self_group(self, against: Any = None) -> Any:
        """As it is: SQLAlchemy would ask SQLite whether it is 1, and then no index serves."""
        return self


class _OneOf(_Comparison):
    inherit_cache = True


class _AmongPairs(_Comparison):
    inherit_cache = True


@compiles(_OneOf)
def _one_of(element: Any, compiler: Any, **given: Any) -> str:
    column, values = (compiler.process(each, **given) for each in element.clauses)
    if compiler.dialect.name == "sqlite":
        return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608
    return f"({column} = ANY({values}))"


@compiles(_AmongPairs)
def _among_pairs(element: Any, compiler: Any, **given: Any) -> str:
    first, second, *lists = element.clauses
    if compiler.dialect.name == "sqlite":
        of_one = "json_extract(value, '$[0]'), json_extract(value, '$[1]')"
        rows = f"SELECT {of_one} FROM json_each({compiler.process(lists[2], **given)})"  # noqa: S608
    else:
        rows = f"SELECT * FROM unnest({', '.join(compiler.process(each, **given) for each in lists[:2])})"  # noqa: S608
    return f"({compiler.process(first, **given)}, {compiler.process(second, **given)}) IN ({rows})"
